/** Clipping each example by its own norm, then the sum: clipPerExample. */
import { clipPerExample } from "../../../src/index.ts";
import { range, tensor, unit } from "../build.ts";
import { refuses, untouched } from "../expect.ts";
import { bits16From, bitsFrom, floatsOf, randomBits } from "../numbers.ts";
import { onEveryGrid, planned } from "../plans.ts";
import { perExample } from "../rules.ts";
import type { Bits, Case, Dtype, Tensor, Unit } from "../types.ts";

function stack(length: number, examples: number, seed: number, dtype?: Dtype, extras: Partial<Tensor> = {}): Tensor {
  const bits = randomBits(length * examples, seed);
  // Each example has a magnitude of its own.
  const scaled = floatsOf(bits).map((value, i) => value * 2 ** ((Math.floor(i / length) % 5) - 2));
  const stored: Bits = dtype === "f16" || dtype === "bf16" ? bits16From(dtype, scaled) : bitsFrom(scaled);
  return { bits: stored, ...(dtype ? { dtype } : {}), ...extras };
}

function into(length: number, byteOffset = 300): Partial<Tensor> {
  return { into: { memory: "target", byteOffset }, intoLength: length };
}

const SIZES = [1, 2, 3, 4, 5, 63, 64, 65, 300, 1027, 4096];
const DTYPES: readonly (Dtype | undefined)[] = [undefined, "f16", "bf16"];

function everyLayout(dtype: Dtype | undefined, examples: number): Unit[] {
  const start = dtype ? 258 : 260;
  return SIZES.flatMap((length, seed) =>
    [
      ["in place", {}],
      ["in place, off a word", { place: { memory: "arena", byteOffset: start } }],
      ["into", into(length)],
      ["into, off a word", { place: { memory: "arena", byteOffset: start }, ...into(length) }],
    ].map(([layout, extras]) =>
      unit(
        `${examples} of ${length}, ${layout}`,
        [stack(length, examples, seed + 1, dtype, extras as Partial<Tensor>)],
        perExample(2, examples),
      ),
    ),
  );
}

function model(examples: number, dtypes = DTYPES): Tensor[] {
  return range(30).map((k) => stack(1 + ((k * 37) % 400), examples, k + 1, dtypes[k % dtypes.length]));
}

function wholeNumbers(length: number, examples: number): Tensor {
  const values = range(length * examples).map((i) => (i % 16) - 7);
  return { bits: bits16From("bf16", values), dtype: "bf16", ...into(length) };
}

function whateverThePlan(): Unit[] {
  return [
    unit("30 tensors of 7 examples", model(7), perExample(3, 7)),
    unit("a long one", [stack(20_001, 5, 3)], perExample(9, 5)),
    unit("a long one into", [stack(20_001, 5, 3, undefined, into(20_001))], perExample(9, 5)),
    // Whole numbers, whose sums are exact: in pieces they are rounded more than once.
    unit("a long bf16 one into", [wholeNumbers(20_001, 2)], perExample(Infinity, 2)),
    unit("300 examples", [stack(33, 300, 4), stack(1, 300, 5)], perExample(1, 300)),
  ];
}

export const cases: Case[] = [
  {
    name: "by hand",
    units: () => [
      unit("one above, one below", [tensor([3, 4, 0.25, 0.5])], perExample(1, 2), {
        want: { clipped: true, values: [[0.85, 1.3, 0.25, 0.5].map(Math.fround)] },
      }),
      unit("over two tensors", [tensor([3, 0.5]), tensor([4, 0.25])], perExample(1, 2), {
        want: { values: [[1.1, 0.5].map(Math.fround), [1.05, 0.25].map(Math.fround)] },
      }),
      unit("one example", [tensor([3, 4])], perExample(1, 1), { want: { values: [[0.6, 0.8].map(Math.fround)] } }),
      unit("no bound is the plain sum", [tensor([3, 4, 5, 6])], perExample(Infinity, 2), {
        want: { clipped: false, values: [[8, 10, 5, 6]] },
      }),
      unit("bound 0", [tensor([3, 4, 5, 6])], perExample(0, 2), { want: { values: [[0, 0, 5, 6]] } }),
      unit("examples of 1e20", [tensor([1e20, 1e20, 1e20, -1e20])], perExample(1, 2), {
        want: { values: [[Math.SQRT2, 0, 1e20, -1e20]] },
      }),
    ],
  },
  ...DTYPES.map((dtype) => ({
    name: `${dtype ?? "f32"}: every layout`,
    units: () => [1, 3, 8].flatMap((examples) => everyLayout(dtype, examples)),
  })),
  { name: "whatever the plan", units: whateverThePlan },
  {
    name: "gradScale",
    units: () =>
      [0.125, 3].map((gradScale) =>
        unit(`${gradScale}`, [stack(50, 6, 2), stack(7, 6, 3)], perExample(2, 6), { options: { gradScale } }),
      ),
  },
  {
    name: "an example that is not finite",
    units: () =>
      (["zero", "keep", "propagate"] as const).flatMap((nonFinite) =>
        [Number.NaN, Infinity, -Infinity].map((bad) =>
          unit(`${bad}, ${nonFinite}`, [tensor([3, 4, bad, 1, 0.25, 0.5]), tensor([1, 2, 3])], perExample(5, 3), {
            options: { nonFinite },
          }),
        ),
      ),
  },
  {
    name: "infinities of both signs make a NaN",
    units: () => [
      unit("kept", [tensor([Infinity, 1, -Infinity, 2])], perExample(5, 2), {
        options: { nonFinite: "keep" },
        want: { values: [[Number.NaN, 3, -Infinity, 2]] },
      }),
    ],
  },
  ...onEveryGrid(whateverThePlan),
  planned("sums in pieces, for bindings of 64 KiB", { maxBinding: 65_536 }, () =>
    // In place, what is read later would share a binding's window with what is written.
    whateverThePlan().filter(({ label }) => label !== "a long one"),
  ),
  {
    name: "in place, an example as large as a binding is refused",
    gpuScript: async ({ allocate, prepare, force }) => {
      force({ maxBinding: 65_536 });
      const memory = allocate([stack(15_001, 3, 1)]);
      refuses(() => prepare(memory.gradients, clipPerExample(1, { examples: 3 })), [RangeError], "in pieces, in place");
      await untouched(memory);
    },
  },
  planned("8 storage buffers in a stage", { storageBuffers: 8 }, () => [
    unit("30 tensors of 7 examples", model(7, [undefined]), perExample(3, 7)),
    ...whateverThePlan().slice(1),
  ]),
  {
    name: "what has no meaning is refused",
    script: async ({ allocate, prepare }) => {
      const memory = allocate([tensor([3, 4, 5, 6])]);
      const { gradients } = memory;
      refuses(() => prepare(gradients, clipPerExample(1, { examples: 3 })), [RangeError], "3 examples of 4 elements");
      const method = clipPerExample(1, { examples: 2 });
      refuses(() => prepare(gradients, method, { apply: "record" }), [TypeError], 'apply: "record"');
      refuses(() => prepare(gradients, method, { totalNorm: 1 }), [TypeError], "totalNorm");
      refuses(() => clipPerExample(1, { examples: 0 }), [RangeError], "no examples");
      const [buffer] = gradients as (GPUBuffer | Float32Array)[];
      const view = { buffer: buffer as GPUBuffer, into: { buffer: buffer as GPUBuffer } };
      refuses(() => prepare([view], clipPerExample(1, { examples: 3 })), [RangeError], "3 examples, into");
      refuses(() => clipPerExample(1, {} as never), [TypeError], "examples left out");
      await untouched(memory);
    },
  },
];
