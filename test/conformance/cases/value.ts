/** Every value clipped by itself (facts/reliability.md, rows 40 and 41). */
import { clipByValue } from "../../../src/index.ts";
import { gridTable } from "../../../src/webgpu/grid.ts";
import { clampTo, filled, guarded, packed, range, raw, tensor, unit } from "../build.ts";
import { fail, refuses, same, sameWords, untouched } from "../expect.ts";
import { bitsFrom, bitsOf, FLT_MAX, floatsOf, MIN_NORMAL, MIN_SUBNORMAL, neighbour, randomBits } from "../numbers.ts";
import { runUnits } from "../suite.ts";
import type { Allocation, Case, Tensor, Unit, UnitOptions, WebGpuHarness } from "../types.ts";

const NAN_KINDS = [0x7fc00000, 0x7f800001, 0xffffffff, 0x7fbfffff, 0xffa00003];
const INFINITIES = [0x7f800000, 0xff800000];
const RANGES: [number, number][] = [
  ...[1, 2.5, 0.1, 1e-3, 1e20, FLT_MAX, MIN_NORMAL].map((limit): [number, number] => [-limit, limit]),
  ...([
    [5, 10],
    [-10, -5],
    [-1, 3],
    [-3, 1],
    [0, 5],
    [-5, 0],
    [0, 0],
    [3, 3],
    [-1e-3, 1e30],
  ] as [number, number][]),
  ...([
    [-Infinity, 1],
    [-Infinity, -2],
    [-1, Infinity],
    [4, Infinity],
    [-Infinity, Infinity],
  ] as [number, number][]),
];

/** Everything at which a comparison can go wrong, around these limits. */
function specials(min: number, max: number): Uint32Array {
  const limits = [min, max].map(Math.fround).filter((limit) => Number.isFinite(limit) && limit !== 0);
  const around = limits.flatMap((limit) => {
    const sign = Math.sign(limit);
    const magnitude = Math.abs(limit);
    const next = magnitude === FLT_MAX ? magnitude : neighbour(magnitude, 1);
    return [limit, -limit, sign * next, -sign * next, sign * neighbour(magnitude, -1)];
  });
  const plain = [0, 1, -1, 0.3, -7, 1e10, -1e10, FLT_MAX, -FLT_MAX, MIN_NORMAL, -MIN_NORMAL, MIN_SUBNORMAL, 1e-40];
  return Uint32Array.from([
    ...bitsFrom([...around, ...plain]),
    ...[0x80000000, 0x80000001, 0x007fffff, 0x807fffff],
    ...NAN_KINDS,
    ...INFINITIES,
  ]);
}

/** Random bits of every kind, with more NaN and infinities than there would be. */
function anyBits(length: number, seed: number): Uint32Array {
  const bits = randomBits(length, seed).map((word, at) => Math.imul(word ^ at, 0x9e3779b1) >>> 0);
  for (let at = seed % 97; at < length; at += 97) bits[at] = [...NAN_KINDS, ...INFINITIES][at % 7] as number;
  return bits;
}

function layoutsOf(bits: Uint32Array): [string, Tensor[]][] {
  const into = { memory: "target", byteOffset: 268 };
  return [
    ["its own buffer", [{ bits }]],
    ["on 16 bytes", [guarded(bits)]],
    ["off 16 bytes", [guarded(bits, 260)]],
    ["into", [{ bits, into }]],
    [
      "into the same buffer",
      [{ bits, place: { memory: "arena", byteOffset: 256 }, into: { memory: "arena", byteOffset: 4096 } }],
    ],
  ];
}

function around(min: number, max: number): Unit[] {
  return layoutsOf(specials(min, max)).flatMap(([layout, tensors]) => [
    unit(layout, tensors, clampTo(min, max)),
    unit(`${layout}, scaled by 2`, tensors, clampTo(min, max), { options: { gradScale: 2 } }),
    unit(`${layout}, scaled by 0.3`, tensors, clampTo(min, max), { options: { gradScale: 0.3 } }),
  ]);
}

function scaled(values: number[], gradScale: number, limit: number): Unit {
  return unit(`${values} times ${gradScale} to ${limit}`, [tensor(values)], clampTo(-limit, limit), {
    options: { gradScale },
  });
}

function held(value: number, options: UnitOptions = {}): Unit[] {
  const bits = anyBits(77, 4);
  const all = { ...options, gradScale: { held: value } };
  return [
    unit(`${value}`, [tensor([3, -4, 0.25]), raw(bits)], clampTo(-1, 1), { options: all }),
    unit(
      `${value}, 20 buffers`,
      range(20).map((k) => tensor([k, -k])),
      clampTo(-8, 5),
      { options: all },
    ),
    unit(`${value}, into`, [{ bits, into: { memory: "target", byteOffset: 0 } }], clampTo(-8, 5), { options: all }),
  ];
}

/** Everything that depends on how the work is cut. */
function whateverThePlan(): Unit[] {
  const long = anyBits(70_003, 5);
  const list = range(40).map((index) => anyBits(1 + ((index * 613) % 5003), index + 1));
  const moved = packed(list, 4).map((item, index) => ({
    ...item,
    into: { memory: "target", byteOffset: index * 20_480 },
  }));
  const rule = clampTo(-1, 2);
  return [
    ...[1, 255, 256, 257, 1023, 1025, 4097].flatMap((length) => [
      unit(`${length}`, [guarded(anyBits(length, length))], rule),
      unit(`${length} off 16 bytes`, [guarded(anyBits(length, length), 260)], rule),
    ]),
    unit("a long one", [guarded(long)], rule),
    unit("a long one, scaled", [guarded(long, 260)], rule, { options: { gradScale: 0.5 } }),
    unit(
      "40 of their own",
      list.map((bits) => ({ bits })),
      rule,
    ),
    unit("40 adjacent", packed(list, 4), rule),
    unit("40 adjacent, backwards", packed(list, 256).reverse(), rule),
    unit("40 into", moved, rule),
    unit(
      "every other one into",
      packed(list, 4).map((item, k) => (k % 2 ? item : (moved[k] as Tensor))),
      rule,
    ),
    // Here the pass in place has more workgroups than the one before it.
    unit(
      "a small one into, a long one in place",
      [{ ...tensor([5]), into: { memory: "target", byteOffset: 0 } }, guarded(long)],
      rule,
    ),
    unit("inside", [guarded(randomBits(70_003, 6))], rule),
    unit("inside but for the last", [guarded(randomBits(70_003, 6).fill(bitsOf(-7), 70_002))], rule),
  ];
}

async function forced(harness: WebGpuHarness, plan: Parameters<WebGpuHarness["force"]>[0]): Promise<void> {
  harness.force(plan);
  await runUnits(whateverThePlan(), harness);
}

async function wordsOf(memory: Allocation, name = "own 0"): Promise<Uint32Array> {
  return (await memory.read()).get(name) ?? fail(`no memory "${name}"`);
}

export const cases: Case[] = [
  {
    name: "by hand",
    units: () => [
      unit("[-3, 0.5, 2] to 1", [tensor([-3, 0.5, 2])], clampTo(-1, 1), {
        want: { norm: 3, maxAbs: 3, scale: 1, clipped: true, nonFinite: 0, values: [[-1, 0.5, 1]] },
      }),
      unit("at the limits", [tensor([-1, 1])], clampTo(-1, 1), { want: { clipped: false, values: [[-1, 1]] } }),
      unit("all below [5, 10]", [tensor([0, -8, 4.5])], clampTo(5, 10), {
        want: { clipped: true, values: [[5, 5, 5]] },
      }),
      unit("limit 0", [tensor([3, -3, 1e-45])], clampTo(0, 0), { want: { clipped: true, values: [[0, 0, 0]] } }),
      unit("NaN stays, infinities go to the limits", [tensor([Number.NaN, Infinity, -Infinity])], clampTo(-2, 3), {
        want: { norm: Number.NaN, clipped: true, nonFinite: 3, values: [[Number.NaN, 3, -2]] },
      }),
      unit("one-sided", [tensor([-Infinity, -9, 9, Infinity])], clampTo(-Infinity, 1), {
        want: { norm: Infinity, clipped: true, nonFinite: 2, values: [[-Infinity, -9, 1, 1]] },
      }),
      unit("gradScale first", [tensor([6, -8, 1])], clampTo(-3, 3), {
        options: { gradScale: 0.5 },
        want: { norm: 4, maxAbs: 4, scale: 0.5, clipped: true, values: [[3, -3, 0.5]] },
      }),
    ],
  },
  ...RANGES.map(([min, max]) => ({
    name: `specials around [${min}, ${max}], in every layout, scaled and not`,
    units: () => around(min, max),
  })),
  {
    name: "inside the limits no byte changes",
    units: () => [
      unit("zeros and subnormals", [raw([0x80000000, 1, 0x80000001, 0x807fffff, 0])], clampTo(-1, 1), {
        want: { clipped: false },
      }),
      unit("-0 at limit 0", [raw([0x80000000, 0])], clampTo(0, 0), { want: { clipped: false } }),
      unit("NaN payloads", [raw(NAN_KINDS)], clampTo(0, 0), { want: { clipped: false, nonFinite: 5 } }),
      unit("any bits, no limits", [raw(anyBits(5000, 1))], clampTo(-Infinity, Infinity), { want: { clipped: false } }),
    ],
  },
  {
    name: "any bits, at random limits",
    units: () =>
      range(60).map((seed) => {
        const [a, b] = [...floatsOf(randomBits(2, seed, 2 ** ((seed % 31) - 15)))].sort((x, y) => x - y) as [
          number,
          number,
        ];
        const [, tensors] = layoutsOf(anyBits(900, seed))[seed % 5] as [string, Tensor[]];
        return unit(`seed ${seed}`, tensors, clampTo(a, b), {
          options: seed % 3 ? {} : { gradScale: 2 ** (seed % 40) },
        });
      }),
  },
  ...[256, 260, 264, 268].map((offset) => ({
    name: `lengths 1 to 300 at byte ${offset}, between guards`,
    units: () =>
      range(300, 1).map((length) => unit(`${length}`, [guarded(anyBits(length, length), offset)], clampTo(-1, 1))),
  })),
  {
    name: "1, 9 and 100 gradients",
    units: () =>
      [1, 9, 100].flatMap((count) => {
        const list = range(count).map((k) => anyBits(1 + ((k * 37) % 200), k));
        const places = packed(list, 260, 12);
        const into = (k: number) => ({ memory: "target", byteOffset: 1024 * k });
        return [
          unit(
            `${count} buffers`,
            list.map((bits) => ({ bits })),
            clampTo(-1, 1),
          ),
          unit(`${count} in one buffer`, places, clampTo(-1, 1)),
          unit(
            `${count} adjacent, with names`,
            packed(list).map((item, k) => ({ ...item, name: `w${k}` })),
            clampTo(-1, 1),
          ),
          unit(
            `${count} into one buffer`,
            list.map((bits, k) => ({ bits, into: into(k) })),
            clampTo(-1, 1),
          ),
          unit(
            `${count} into their own`,
            list.map((bits, k) => ({ bits, into: { memory: `t${k}`, byteOffset: 4 } })),
            clampTo(-1, 1),
          ),
          unit(
            `${count} moved within pairs`,
            places.map((item, k) => ({ ...item, into: into(k) })),
            clampTo(-1, 1),
          ),
        ];
      }),
  },
  {
    name: "PyTorch's test_clip_grad_value",
    units: () => {
      const weights = tensor(range(100, -50).map((k) => k / 5));
      const values = [range(100, -50).map((k) => Math.max(-2.5, Math.min(2.5, k / 5)))];
      const rule = clampTo(-2.5, 2.5);
      const want = { norm: 10, clipped: true };
      return [
        unit("with a bias", [weights, filled(10, 2)], rule, {
          want: { ...want, values: [...values, range(10).map(() => 2)] },
        }),
        unit("without its gradient", [weights, null], rule, { want }),
        unit("alone", [weights], rule, { want: { ...want, values } }),
      ];
    },
  },
  {
    name: "nonFinite does not matter",
    units: () =>
      (["zero", "keep", "propagate"] as const).flatMap((nonFinite) =>
        [undefined, 0.5].map((gradScale) =>
          unit(
            `${nonFinite}, ${gradScale}`,
            [raw([...NAN_KINDS, ...INFINITIES, 0x40400000]), tensor([1, 9])],
            clampTo(-2, 2),
            {
              options: { nonFinite, ...(gradScale ? { gradScale } : {}) },
              want: { scale: gradScale ?? 1, nonFinite: 7, clipped: true },
            },
          ),
        ),
      ),
  },
  {
    name: "where the first non-finite value is",
    units: () => {
      const bad = (at: number) => bitsFrom(range(9)).fill(0xffc00001, at, at + 1);
      const into = { memory: "target", byteOffset: 0 };
      const [a, b, c] = packed([bitsFrom([1, 2, 3, 4]), bad(7), bitsFrom([5, 6])]) as [Tensor, Tensor, Tensor];
      const own = { ...raw(bad(2)), into };
      const rule = clampTo(-1, 4);
      return [
        unit("in the second of three neighbours", [a, b, c], rule),
        // What stands between two neighbours in the list must not shift the place that is told.
        unit("neighbours with another between them", [a, { ...tensor([8, 8]), into }, b, c], rule),
        unit("neighbours with an alias between them", [a, { ...a }, b, c], rule),
        unit("the first of the list in place, another into", [b, own], rule),
        unit("the first of the list into, another in place", [own, b], rule),
        unit("backwards", [c, b, a], rule),
      ];
    },
  },
  {
    name: "a range listed twice is clipped once",
    units: () => {
      const bits = anyBits(300, 1);
      const into = (byteOffset: number) => ({ memory: "target", byteOffset });
      return [
        unit("in place, scaled", [guarded(bits), guarded(bits)], clampTo(-1, 1), { options: { gradScale: 0.5 } }),
        unit("in place, between others", [guarded(bits), tensor([7]), guarded(bits)], clampTo(-1, 1)),
        unit(
          "into one place",
          [
            { ...guarded(bits), into: into(0) },
            { ...guarded(bits), into: into(0) },
          ],
          clampTo(-1, 1),
        ),
        unit(
          "into two places",
          [
            { ...guarded(bits), into: into(0) },
            { ...guarded(bits), into: into(2048) },
          ],
          clampTo(-1, 1),
        ),
        unit("into and in place", [guarded(bits), { ...guarded(bits), into: into(0) }], clampTo(-1, 1), {
          options: { gradScale: 0.5 },
        }),
      ];
    },
  },
  {
    name: "gradScale multiplies before the clamp",
    units: () => [
      scaled([65_536, 1, -3], 1 / 65_536, 0.5),
      scaled([1e30, -1e30, 1], 1e20, 1),
      scaled([FLT_MAX, -FLT_MAX], 4, FLT_MAX),
      scaled([1e-40, -3e-42, 2], 2 ** 60, 100),
      scaled([1e-20, 1e-30, -1e-38], 1e-15, 1),
      scaled([1e-20, 1e-30], 2 ** -126, 1),
      ...[0.1, 1 / 3, 7, 1e-10, 1e10, MIN_NORMAL, FLT_MAX].map((gradScale) =>
        unit(`any bits times ${gradScale}`, [raw(anyBits(3000, 2))], clampTo(-1e5, 1e-5), { options: { gradScale } }),
      ),
      unit("beyond float32, no limit there", [tensor([1e30, -1e30])], clampTo(-1, Infinity), {
        options: { gradScale: 1e20 },
        want: { values: [[FLT_MAX, -1]], nonFinite: 0, maxAbs: FLT_MAX },
      }),
      unit("exactly at the limit", [tensor([5, -5, neighbour(5, 1)])], clampTo(-2.5, 2.5), {
        options: { gradScale: 0.5 },
        want: { values: [[2.5, -2.5, 2.5]] },
      }),
    ],
  },
  {
    name: "gradScale held in a buffer",
    only: "webgpu",
    units: () => [0.125, 1, 3, MIN_NORMAL, 1e20].flatMap((value) => held(value)),
  },
  {
    name: "a gradScale buffer with anything else makes every value NaN",
    only: "webgpu",
    units: () => [0, -1, Number.NaN, Infinity, -Infinity, 1e-40].flatMap((value) => held(value, { nonFinite: "keep" })),
  },
  {
    name: "no gradients at all",
    units: () => [
      unit("an empty list", [], clampTo(-1, 1), {
        want: { norm: 0, scale: 1, clipped: false, nonFinite: 0, maxAbs: 0 },
      }),
      unit("only absent ones", [null, undefined, raw([])], clampTo(5, 10), { want: { norm: 0, clipped: false } }),
    ],
  },
  {
    name: "steps are counted from report to report, and none is skipped",
    script: async ({ allocate, prepare }) => {
      const [wide, bad, small] = [
        [9, 1],
        [Number.NaN, 0.5],
        [0.5, -0.5],
      ].map((values) => allocate([tensor(values)]));
      const clip = prepare((wide as Allocation).gradients, clipByValue(1));
      for (const memory of [wide, bad, small, wide]) clip.run((memory as Allocation).gradients);
      const first = await clip.report();
      same(first.steps, 4, "steps");
      // The second run over the wide ones finds them clipped.
      same(first.clippedSteps, 1, "clippedSteps");
      same(first.skippedSteps, 0, "skippedSteps");
      same(first.clipped, false, "clipped");
      await untouched(bad as Allocation);
      await untouched(small as Allocation);
      clip.run((bad as Allocation).gradients);
      const second = await clip.report();
      same(second.steps, 1, "steps after a report");
      same(second.skippedSteps, 0, "skippedSteps after a report");
      same(second.nonFinite, 1, "nonFinite after a report");
    },
  },
  {
    name: "gradScale set between runs",
    script: async ({ allocate, prepare }) => {
      const memories = range(4).map(() => allocate([tensor([3, -40, 0.5])]));
      const clip = prepare((memories[0] as Allocation).gradients, clipByValue(-8, 2));
      for (const [k, memory] of memories.entries()) {
        clip.set({ gradScale: 2 ** -k });
        clip.run(memory.gradients);
      }
      for (const [k, memory] of memories.entries()) {
        const wanted = [3, -40, 0.5].map((value) => Math.max(-8, Math.min(2, value * 2 ** -k)));
        sameWords(await wordsOf(memory), bitsFrom(wanted), `gradScale 2^-${k}`);
      }
    },
  },
  ...[false, true].map((inOnePass) => ({
    name: `a hundred gradScales in one submit${inOnePass ? ", in one pass" : ""}`,
    gpuScript: async ({ device, allocate, prepare }: WebGpuHarness) => {
      const memories = range(100).map(() => allocate([tensor([3, -40, 0.5])]));
      const clip = prepare((memories[0] as Allocation).gradients, clipByValue(-8, 2));
      const encoder = device.createCommandEncoder();
      const pass = inOnePass ? encoder.beginComputePass() : undefined;
      for (const [k, memory] of memories.entries()) {
        clip.set({ gradScale: 1 + k / 128 });
        clip.encode(pass ?? encoder, memory.gradients);
      }
      pass?.end();
      device.queue.submit([encoder.finish()]);
      for (const [k, memory] of memories.entries()) {
        const wanted = [3, -40, 0.5].map((value) => Math.max(-8, Math.min(2, value * (1 + k / 128))));
        sameWords(await wordsOf(memory), bitsFrom(wanted), `encode ${k}`);
      }
      const report = await clip.report();
      same(report.steps, 100, "steps");
      same(report.clippedSteps, 100, "clippedSteps");
      same(report.scale, 1 + 99 / 128, "scale");
    },
  })),
  {
    name: "the same bits twenty times",
    script: async ({ allocate, prepare }) => {
      const tensors = [...packed([anyBits(12_003, 1), anyBits(1001, 2)], 4), raw(anyBits(9000, 3))];
      const memories = range(20).map(() => allocate(tensors));
      const clip = prepare((memories[0] as Allocation).gradients, clipByValue(0.1), { gradScale: 0.3 });
      for (const memory of memories) clip.run(memory.gradients);
      const first = await wordsOf(memories[0] as Allocation, "arena");
      for (const memory of memories) sameWords(await wordsOf(memory, "arena"), first, "arena");
    },
  },
  ...Object.entries(gridTable).map(([row, grid]) => ({
    name: `the grid of ${row} devices`,
    gpuScript: (harness: WebGpuHarness) => forced(harness, { grid }),
  })),
  {
    name: "a grid of one workgroup",
    gpuScript: (harness) => forced(harness, { grid: { norm: 1, scale: 1 } }),
  },
  {
    name: "ranges cut for bindings of 8192 bytes",
    gpuScript: (harness) => forced(harness, { maxBinding: 8192 }),
  },
  ...[4, 8, 9, 16].map((count) => ({
    name: `${count} storage buffers in a stage`,
    gpuScript: (harness: WebGpuHarness) =>
      harness.withDevice({ maxStorageBuffersPerShaderStage: count }, async (other) => {
        await runUnits([...whateverThePlan().slice(-8), ...held(0.5)], other);
      }),
  })),
  {
    name: "what has no meaning is refused",
    script: async ({ allocate, prepare }) => {
      const memory = allocate([tensor([3, 4])]);
      const { gradients } = memory;
      refuses(() => prepare(gradients, clipByValue(1), { apply: "record" }), [TypeError], 'apply: "record"');
      refuses(() => prepare(gradients, clipByValue(1), { totalNorm: 5 }), [TypeError], "totalNorm");
      const clip = prepare(gradients, clipByValue(1));
      refuses(() => clip.set({ maxNorm: 1 }), [TypeError], "set maxNorm");
      refuses(() => clip.set({ gradScale: 0 }), [RangeError], "set gradScale 0");
      await untouched(memory);
    },
  },
  {
    name: "gradScale in a buffer of gradients is refused",
    gpuScript: async ({ allocate, prepare }) => {
      const memory = allocate([tensor([3, 4])]);
      const [buffer] = memory.gradients as GPUBuffer[];
      refuses(
        () => prepare(memory.gradients, clipByValue(1), { gradScale: buffer }),
        [RangeError],
        "gradScale among gradients",
      );
      await untouched(memory);
    },
  },
];
