/** Norms along axes: clipByNorm(maxNorm, { axes }). */
import { type Axes, clipByNorm } from "../../../src/index.ts";
import { guarded, range, tensor, unit } from "../build.ts";
import { refuses, untouched } from "../expect.ts";
import { bits16From, bitsFrom, randomBits, randomBits16 } from "../numbers.ts";
import { ONE_WORKGROUP, onEveryGrid, planned } from "../plans.ts";
import { alongAxes } from "../rules.ts";
import type { Bits, Case, Dtype, Place, Tensor, Unit, UnitOptions } from "../types.ts";

const size = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);

function random(shape: readonly number[], seed: number, extras: Partial<Tensor> = {}, dtype?: Dtype): Tensor {
  const bits: Bits =
    dtype === "f16" || dtype === "bf16" ? randomBits16(dtype, size(shape), seed) : randomBits(size(shape), seed);
  return { bits, shape, ...(dtype ? { dtype } : {}), ...extras };
}

/** Every way in which axes can lie: the inner ones kept or reduced, apart, all, none, of length 1. */
const AXES: readonly (readonly [shape: readonly number[], axes: readonly number[]])[] = [
  [[7, 5], [0]],
  [[7, 5], [1]],
  [[7, 5], [-1]],
  [
    [7, 5],
    [0, 1],
  ],
  [[7, 5], []],
  [[12], [0]],
  [
    [3, 3, 16, 33],
    [0, 1, 2],
  ],
  [
    [33, 16, 3, 3],
    [1, 2, 3],
  ],
  [[4, 5, 6], [1]],
  [
    [4, 5, 6],
    [0, 2],
  ],
  [
    [2, 3, 4, 5, 6],
    [1, 3],
  ],
  [
    [2, 3, 2, 3, 2, 3, 2, 3],
    [0, 2, 4, 6],
  ],
  [
    [1, 9, 1, 4],
    [0, 1],
  ],
  [[700, 3], [0]],
  [[3, 700], [1]],
  [[300, 70], [0]],
  [[70, 300], [1]],
  [[5000, 2], [0]],
  [[130, 64], [0]],
  // Eight axes as short as can be: words of 16 bytes cross several at once.
  [
    [2, 2, 2, 2, 2, 2, 2, 2],
    [0, 2, 4, 6],
  ],
  [
    [2, 2, 2, 2, 2, 2, 2, 2],
    [1, 3, 5, 7],
  ],
];

const LAYOUTS: readonly (readonly [string, Partial<Tensor>])[] = [
  ["its own buffer", {}],
  ["off 16 bytes", { place: { memory: "arena", byteOffset: 260 } }],
  ["into", { into: { memory: "target", byteOffset: 268 } }],
];

function everyWay(dtype?: Dtype): Unit[] {
  return AXES.flatMap(([shape, axes], seed) =>
    LAYOUTS.map(([layout, extras]) =>
      unit(`[${shape}] over [${axes}], ${layout}`, [random(shape, seed + 1, extras, dtype)], alongAxes(0.9, axes)),
    ),
  );
}

const rows: Axes = (shape) => [shape.length - 1];

function many(count: number, dtype?: Dtype): Tensor[] {
  return range(count).map((k) => random([1 + (k % 9), 1 + ((k * 37) % 130)], k + 1, {}, dtype));
}

function mixed(options: UnitOptions): Unit {
  const dtypes: Dtype[] = ["f32", "f16", "bf16"];
  const tensors = dtypes.map((dtype, k) => random([6, 7 + k], k + 5, {}, dtype));
  return unit("a format each", [...tensors, null, random([3], 9)], alongAxes(0.7, rows), { options });
}

/** Units that begin and end in the middle of words, beside others. */
function oddHalves(dtype: "f16" | "bf16"): Unit[] {
  const place = (byteOffset: number): { place: Place } => ({ place: { memory: "arena", byteOffset } });
  return [256, 258].flatMap((at) =>
    AXES.slice(0, 8).flatMap(([shape, axes], seed) => {
      const first = random(shape, seed + 1, place(at), dtype);
      const second = random([3, 3], seed + 9, place(at + 2 * size(shape)), dtype);
      const rule = alongAxes(0.5, shape.length === 2 ? axes : (s) => axes.filter((axis) => axis < s.length));
      const into = { memory: "target", byteOffset: 300 };
      return [
        unit(`[${shape}] at ${at} and a neighbour`, [first, second], rule),
        unit(`[${shape}] at ${at}, into`, [{ ...first, into }], rule),
      ];
    }),
  );
}

/** Everything that depends on how the work is cut. */
function whateverThePlan(): Unit[] {
  return [
    unit("a long column", [random([9000, 3], 1)], alongAxes(2, [0])),
    unit("long rows", [random([3, 9000], 2)], alongAxes(2, [1])),
    unit("a NaN at the end of one of them", [lastNaN([3, 9000])], alongAxes(2, [1])),
    unit("many short units", [random([2000, 3], 3)], alongAxes(0.8, [1])),
    unit("in between", [random([20, 30, 40], 4)], alongAxes(2, [1])),
    unit("rows of one unit, apart", [random([40, 3, 500], 9)], alongAxes(2, [0, 2])),
    unit("short rows of one unit, apart", [random([900, 3, 5], 10)], alongAxes(2, [0, 2])),
    unit("columns of one unit, apart", [random([40, 7, 30, 5], 11)], alongAxes(2, [0, 2])),
    unit("long columns that begin with smaller values", [smallerFirst([600, 64])], alongAxes(2e-11, [0])),
    unit("40 tensors", many(40), alongAxes(0.8, rows)),
    unit("a long one with its last unit too large", [guardedLast([500, 20])], alongAxes(10, [1])),
    unit("off 16 bytes", [{ ...guarded(randomBits(6000, 5), 260), shape: [60, 100] }], alongAxes(0.8, [0])),
  ];
}

/** Rows of whole words of 16 bytes, as in webgpuDevices.ts, each tensor in a buffer of its own. */
function wholeVectors(): Unit[] {
  const tensors = range(40).map((k) => random([1 + (k % 9), 4 + 4 * ((k * 37) % 33)], k + 1));
  return [
    unit("40 tensors, their rows", tensors, alongAxes(0.8, rows)),
    unit("40 tensors, their columns", tensors, alongAxes(0.8, [0])),
    unit("a long column", [random([9000, 4], 1)], alongAxes(2, [0])),
    unit("columns of one unit, apart", [random([40, 7, 30, 4], 11)], alongAxes(2, [0, 2])),
  ];
}

/** A lane sums a column in blocks of 256 values. The first block is too small for float32, and yet 3 % of the sum. */
function smallerFirst(shape: readonly number[]): Tensor {
  const bits = randomBits(size(shape), 12, 4e-12);
  bits.set(randomBits(size(shape) / 2, 13, 8e-13));
  return { bits, shape };
}

function lastNaN(shape: readonly number[]): Tensor {
  const bits = randomBits(size(shape), 8);
  bits[bits.length - 9] = 0x7fc00000;
  return { bits, shape };
}

function guardedLast(shape: readonly number[]): Tensor {
  const bits = randomBits(size(shape), 6);
  bits.set(bitsFrom([40]), bits.length - 1);
  return { bits, shape };
}

function planUnits(): Unit[] {
  return [...whateverThePlan(), ...everyWay().slice(0, 24)];
}

export const cases: Case[] = [
  {
    name: "by hand",
    units: () => [
      unit("rows", [tensor([3, 4, 0.3, 0.4], { shape: [2, 2] })], alongAxes(1, [1]), {
        want: { clipped: true, values: [[0.6, 0.8, Math.fround(0.3), Math.fround(0.4)]] },
      }),
      unit("columns at and above the bound", [tensor([3, 6, 4, 8], { shape: [2, 2] })], alongAxes(5, [0]), {
        exact: true,
        want: { clipped: true, values: [[3, 3, 4, 4]] },
      }),
      unit("bound 0", [tensor([3, 6, 4, 8], { shape: [2, 2] })], alongAxes(0, [0]), {
        want: { values: [[0, 0, 0, 0]] },
      }),
      unit("every element by itself", [tensor([3, -6, 0.5], { shape: [3] })], alongAxes(2, []), {
        exact: true,
        want: { values: [[2, -2, 0.5]] },
      }),
    ],
  },
  { name: "every way in which axes can lie", units: () => everyWay() },
  ...(["f16", "bf16"] as const).flatMap((dtype) => [
    { name: `${dtype}: every way in which axes can lie`, units: () => everyWay(dtype) },
    { name: `${dtype}: odd starts and ends`, units: () => oddHalves(dtype) },
  ]),
  { name: "formats side by side", units: () => [mixed({}), mixed({ gradScale: 0.25 }), mixed({ apply: "record" })] },
  {
    name: "100 tensors, tensors without units among them",
    units: () => [unit("100", [...many(100), tensor([3, 4], { shape: [2] }), null], alongAxes(0.8, rows))],
  },
  {
    name: "every magnitude, each unit its own",
    units: () => [
      unit(
        "tiny and huge",
        [tensor([1e-30, 2e38, 1, 1e-30, 2e38, 2, 1e-40, 3e38, -1], { shape: [3, 3] })],
        alongAxes(1e-20, [0]),
      ),
      unit("only infinity is no bound", [random([30, 30], 4)], alongAxes(Infinity, [0])),
    ],
  },
  {
    name: "a NaN or an infinity concerns only its unit",
    units: () =>
      (["zero", "keep", "propagate"] as const).flatMap((nonFinite) =>
        [[0], [1]].map((axes) => {
          const values = [3, Number.NaN, 1, 4, 5, 1, -Infinity, 6, 0.1];
          return unit(`${nonFinite} over [${axes}]`, [tensor([1]), tensor(values)].map(square), alongAxes(2, axes), {
            options: { nonFinite },
          });
        }),
      ),
  },
  {
    name: "gradScale with units",
    units: () =>
      [0.5, 3, 1e-10].flatMap((gradScale) =>
        [[0], [1]].map((axes) =>
          unit(`${gradScale} over [${axes}]`, [random([40, 9], 8)], alongAxes(0.4, axes), { options: { gradScale } }),
        ),
      ),
  },
  {
    name: "a range listed twice",
    units: () => {
      const twice = { ...guarded(randomBits(600, 2)), shape: [20, 30] };
      return [unit("counted twice, scaled once", [twice, twice], alongAxes(0.6, [0]))];
    },
  },
  ...onEveryGrid(planUnits),
  planned("a grid of one workgroup", ONE_WORKGROUP, planUnits),
  planned("ranges cut for bindings of 64 KiB", { maxBinding: 65_536 }, planUnits),
  planned("8 storage buffers in a stage", { storageBuffers: 8 }, wholeVectors),
  {
    // More than 16 bits number.
    name: "seventy thousand units, and hundreds of long columns",
    heavy: true,
    dependsOn: "driver",
    units: () => [
      unit("rows of 8", [random([70_000, 8], 3)], alongAxes(1.5, [1])),
      unit("columns of 1e-15", [{ bits: randomBits(8192 * 520, 5, 1e-15), shape: [8192, 520] }], alongAxes(1e-15, [0])),
    ],
  },
  {
    // As many columns as there are partials: none is split, and a lane sums one in blocks of 256 values.
    name: "columns longer than a block",
    units: () => [unit("1,100 columns of 300, in two layers", [random([2, 300, 550], 14)], alongAxes(10, [1]))],
  },
  {
    name: "16-bit values by hand",
    units: () => [
      unit(
        "[300, 400] to 1",
        [{ bits: bits16From("f16", [300, 400, 0.25, 0.5]), dtype: "f16", shape: [2, 2] }],
        alongAxes(1, [1]),
        { want: { values: [[0.6, 0.8, 0.25, 0.5]] } },
      ),
    ],
  },
  {
    name: "shapes that do not fit are refused",
    script: async ({ allocate, prepare }) => {
      const memory = allocate([tensor([3, 4, 5, 6])]);
      const [buffer] = memory.gradients as (GPUBuffer | Float32Array)[];
      const view = (shape?: number[]) => [{ buffer: buffer as GPUBuffer, shape }];
      const along = (axes: Axes) => clipByNorm(1, { axes });
      refuses(() => prepare(view(), along([0])), [TypeError], "no shape");
      refuses(() => prepare(view([2, 2]), along([2])), [RangeError], "an axis too many");
      refuses(() => prepare(view([2, 2]), along([-3])), [RangeError], "a negative axis too many");
      refuses(() => prepare(view([2, 2]), along([0, -2])), [RangeError], "an axis twice");
      refuses(() => prepare(view([2, 2]), along([0.5])), [TypeError], "no whole number");
      refuses(() => prepare(view([2, 2]), along([0]), { totalNorm: 3 }), [TypeError], "totalNorm");
      refuses(() => prepare([...view([2, 2]), ...view([4, 1])], along([0])), [RangeError], "a range with two shapes");
      const clip = prepare(view([2, 2]), along([0]));
      refuses(() => clip.run(view([4, 1])), [RangeError], "another shape");
      await untouched(memory);
    },
  },
];

function square(given: Tensor): Tensor {
  const side = Math.sqrt(given.bits.length);
  return { ...given, shape: [side, side] };
}
