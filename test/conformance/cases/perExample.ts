/** Clipping each example by its own norm, then the sum: clipPerExample. */
import { clipPerExample, type GradientView } from "../../../src/index.ts";
import { range, tensor, unit } from "../build.ts";
import { refuses, same, untouched } from "../expect.ts";
import { bits16From, bitsFrom, floatsOf, number16, randomBits } from "../numbers.ts";
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

/** Examples of whole words of 16 bytes, as in webgpuDevices.ts, each in a buffer of its own; one is long. */
function wholeVectors(examples: number): Tensor[] {
  return range(30).map((k) => stack(k === 20 ? 20_000 : 4 + 4 * ((k * 37) % 100), examples, k + 1));
}

function wholeNumbers(length: number, examples: number): Tensor {
  const values = range(length * examples).map((i) => (i % 16) - 7);
  return { bits: bits16From("bf16", values), dtype: "bf16", ...into(length) };
}

function whateverThePlan(dtypes = DTYPES): Unit[] {
  return [
    unit("30 tensors of 7 examples", model(7, dtypes), perExample(3, 7)),
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
  { name: "whatever the plan", units: () => whateverThePlan() },
  {
    name: "gradScale",
    units: () =>
      [0.125, 3].map((gradScale) =>
        unit(`${gradScale}`, [stack(50, 6, 2), stack(7, 6, 3)], perExample(2, 6), { options: { gradScale } }),
      ),
  },
  {
    name: "automatic",
    units: () => [
      unit("by hand", [tensor([3, 4, 0.3, 0.4, 0, 0])], perExample(1, 3, { automatic: 0.5 }), {
        want: { clipped: true, values: [[3 / 5.5 + 0.3, 4 / 5.5 + 0.4, 0.3, 0.4, 0, 0].map(Math.fround)] },
      }),
      ...[0.01, 1e-30, 1e30].flatMap((automatic) =>
        DTYPES.map((dtype) =>
          unit(
            `${automatic}, ${dtype}`,
            [stack(65, 5, 1, dtype), stack(7, 5, 2, dtype)],
            perExample(2, 5, { automatic }),
          ),
        ),
      ),
      unit("gradScale", [stack(50, 6, 2), stack(7, 6, 3)], perExample(2, 6, { automatic: 0.01 }), {
        options: { gradScale: 0.125 },
      }),
      ...(["zero", "keep", "propagate"] as const).map((nonFinite) =>
        unit(nonFinite, [tensor([3, 4, Infinity, 1, 0.25, 0.5])], perExample(5, 3, { automatic: 0.01 }), {
          options: { nonFinite },
        }),
      ),
    ],
  },
  {
    name: "accumulate: the sum goes on in into, from batch to batch",
    script: async ({ allocate, prepare }) => {
      for (const dtype of DTYPES) {
        // Whole numbers, whose sums are exact in every format.
        const stored = (values: readonly number[]): Tensor =>
          dtype === "f16" || dtype === "bf16" ? { bits: bits16From(dtype, values), dtype } : tensor(values);
        const batches = [1, 2, 0].map((factor) =>
          stored(range(2 * 70).map((i) => factor * ((i % 7) - (i < 70 ? 3 : 0)))),
        );
        const memory = allocate([stored(range(70).map((i) => i % 5)), ...batches]);
        const [sum, ...given] = [...(memory.gradients as Iterable<GPUBuffer | GradientView>)].map((gradient) =>
          "dtype" in gradient ? gradient : { buffer: gradient as GPUBuffer },
        ) as [GradientView, ...GradientView[]];
        const views = given.map((view) => [{ ...view, into: { buffer: sum.buffer as GPUBuffer } }]);
        const clip = prepare(views[0] as GradientView[], clipPerExample(Infinity, { examples: 2, accumulate: true }));
        for (const step of [0, 1, 1, 2]) clip.run(views[step] as GradientView[]);
        clip.run([null]);
        const after = (await memory.read()).get("own 0") as Uint32Array;
        const found = dtype
          ? [...new Uint16Array(after.buffer, after.byteOffset, 70)].map((bits) => number16(dtype as "f16", bits))
          : [...floatsOf(after)];
        found.forEach((value, i) => {
          const both = (i % 7) - 3 + ((i + 70) % 7);
          same(value, (i % 5) + 5 * both + 0, `${dtype ?? "f32"}: element ${i}`);
        });
      }
    },
  },
  {
    name: "accumulate: into halves of words, and onto what is not finite",
    script: async ({ allocate, prepare }) => {
      for (const dtype of ["f16", "bf16"] as const) {
        for (const [length, at] of [
          [1, 258],
          [2, 258],
          [71, 258],
          [71, 256],
        ] as const) {
          const before = range(length).map((i) =>
            length < 3 ? i : ([i % 5, 2, Infinity, Number.NaN][i % 4] as number),
          );
          const given = range(3 * length).map((i) => (i % 7) - 3);
          const memory = allocate([
            { bits: bits16From(dtype, before), dtype, place: { memory: "sum", byteOffset: at } },
            { bits: bits16From(dtype, given), dtype, place: { memory: "given", byteOffset: 258 } },
          ]);
          const [sum, view] = [...(memory.gradients as Iterable<GradientView>)] as [GradientView, GradientView];
          const into = { buffer: sum.buffer as GPUBuffer, byteOffset: at };
          prepare([{ ...view, into }], clipPerExample(Infinity, { examples: 3, accumulate: true })).run();
          const words = (await memory.read()).get("sum") as Uint32Array;
          const found = [...new Uint16Array(words.buffer, words.byteOffset, 2 * words.length)];
          const first = [...new Uint16Array((memory.before.get("sum") as Uint32Array).slice().buffer)];
          found.forEach((bits, half) => {
            const i = half - at / 2;
            const label = `${dtype}, ${length} from ${at}: element ${i}`;
            if (i < 0 || i >= length) same(bits, first[half], label);
            else {
              const added = [0, 1, 2].reduce((total, m) => total + (given[m * length + i] as number), 0);
              same(number16(dtype, bits), (before[i] as number) + added, label);
            }
          });
        }
      }
    },
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
  // Both formats of 16 bits take the same way through words and lanes; what is in a value does not depend on the plan.
  ...onEveryGrid(() => whateverThePlan([undefined, "bf16"])),
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
    unit("30 tensors of 7 examples", wholeVectors(7), perExample(3, 7)),
    unit(
      "30 tensors of 7 examples, into",
      wholeVectors(7).map((item, k) => ({
        ...item,
        into: { memory: `target ${k}`, byteOffset: 16 * k },
        intoLength: item.bits.length / 7,
      })),
      perExample(3, 7),
    ),
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
      refuses(
        () => prepare(gradients, clipPerExample(1, { examples: 2, accumulate: true })),
        [TypeError],
        "no into to add to",
      );
      refuses(() => clipPerExample(1, { examples: 2, automatic: 0 }), [RangeError], "automatic: 0");
      refuses(() => clipPerExample(Infinity, { examples: 2, automatic: 1 }), [RangeError], "automatic, no bound");
      refuses(() => clipPerExample(1, { examples: 2, accumulate: 1 as never }), [TypeError], "accumulate: 1");
      refuses(() => clipPerExample(1, { examples: 0 }), [RangeError], "no examples");
      const [buffer] = gradients as (GPUBuffer | Float32Array)[];
      const view = { buffer: buffer as GPUBuffer, into: { buffer: buffer as GPUBuffer } };
      refuses(() => prepare([view], clipPerExample(1, { examples: 3 })), [RangeError], "3 examples, into");
      refuses(() => clipPerExample(1, {} as never), [TypeError], "examples left out");
      await untouched(memory);
    },
  },
];
