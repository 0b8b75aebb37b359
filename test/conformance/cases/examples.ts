/** Options of clipPerExample: a norm for each layer of an example, and steps with fewer examples than were prepared. */
import { clipPerExample, type GradientView } from "../../../src/index.ts";
import { range, tensor, unit } from "../build.ts";
import { near, refuses, same, untouched } from "../expect.ts";
import { bits16From, bitsFrom, floatsOf, randomBits } from "../numbers.ts";
import { planned } from "../plans.ts";
import { perExample } from "../rules.ts";
import type { Bits, Case, Dtype, Tensor, Unit } from "../types.ts";

const DTYPES: readonly (Dtype | undefined)[] = [undefined, "f16", "bf16"];
const POLICIES = ["zero", "keep", "propagate"] as const;

/** Each example has a magnitude of its own. */
function stack(length: number, examples: number, seed: number, dtype?: Dtype, extras: Partial<Tensor> = {}): Tensor {
  const values = floatsOf(randomBits(length * examples, seed)).map((value, i) => {
    return value * 2 ** ((Math.floor(i / length) % 5) - 2);
  });
  const bits: Bits = dtype === "f16" || dtype === "bf16" ? bits16From(dtype, values) : bitsFrom(values);
  return { bits, ...(dtype && { dtype }), ...extras };
}

/** In place, off a word, into the same format and into float32. */
function model(examples: number, seed = 0): Tensor[] {
  return range(20).map((k) => {
    const dtype = DTYPES[k % 3];
    const length = 1 + ((k * 37 + seed) % 130);
    const into = { memory: `target ${k}`, byteOffset: 264 };
    const layouts: Partial<Tensor>[] = [
      {},
      { place: { memory: `own ${k}`, byteOffset: dtype ? 258 : 260 } },
      { into, intoLength: length },
      { into, intoLength: length, ...(dtype && { intoDtype: "f32" as const }) },
    ];
    return stack(length, examples, seed + k, dtype, layouts[k % 4]);
  });
}

function fewer(label: string, tensors: readonly Tensor[], examples: number, options = {}): Unit[] {
  return range(examples + 1).map((present) =>
    unit(`${present} of ${examples}, ${label}`, tensors, perExample(2, examples, options), { present }),
  );
}

export const cases: Case[] = [
  {
    name: "by layer, by hand",
    units: () => [
      unit("two layers of one example", [tensor([3]), tensor([4])], perExample(1, 1, { perLayer: true }), {
        want: { norm: 5, clipped: true, values: [[Math.SQRT1_2], [Math.SQRT1_2]] },
      }),
      unit("one layer below its part", [tensor([3]), tensor([0.5])], perExample(1, 1, { perLayer: true }), {
        want: { values: [[Math.SQRT1_2], [0.5]] },
      }),
      unit("two examples", [tensor([3, 0.5]), tensor([0.25, 4])], perExample(1, 2, { perLayer: true }), {
        want: {
          clipped: true,
          values: [
            [Math.SQRT1_2 + 0.5, 0.5],
            [0.25 + Math.SQRT1_2, 4],
          ],
        },
      }),
      unit("bound 0", [tensor([3, 4]), tensor([1, 2])], perExample(0, 2, { perLayer: true }), {
        want: {
          values: [
            [0, 4],
            [0, 2],
          ],
        },
      }),
    ],
  },
  {
    name: "by layer, over a model",
    units: () =>
      [1, 3, 8].flatMap((examples) =>
        [undefined, 0.01].flatMap((automatic) =>
          [undefined, 0.125].map((gradScale) =>
            unit(
              `${examples}, ${automatic}, ${gradScale}`,
              model(examples),
              perExample(2, examples, { perLayer: true, automatic }),
              {
                ...(gradScale && { options: { gradScale } }),
              },
            ),
          ),
        ),
      ),
  },
  {
    name: "by layer, an example that is not finite in one layer",
    units: () =>
      POLICIES.flatMap((nonFinite) =>
        [Number.NaN, Infinity].map((bad) =>
          unit(`${bad}, ${nonFinite}`, [tensor([3, 4, bad, 1]), tensor([1, 2])], perExample(1, 2, { perLayer: true }), {
            options: { nonFinite },
          }),
        ),
      ),
  },
  {
    name: "by layer, the sensitivity stays maxNorm",
    script: async ({ allocate, prepare }) => {
      const layers = range(74).map((k) => stack(1 + k, 1, k));
      const memory = allocate(layers);
      prepare(memory.gradients, clipPerExample(0.75, { examples: 1, perLayer: true })).run();
      const after = await memory.read();
      const squares = layers.map((_, k) => {
        const values = floatsOf(after.get(`own ${k}`) as Uint32Array);
        return values.reduce((sum, value) => sum + value * value, 0);
      });
      // All of them are above their part.
      near(Math.sqrt(squares.reduce((sum, square) => sum + square, 0)), 0.75, 4, "norm over all layers");
    },
  },
  {
    name: "by layer, a layer that is absent",
    script: async ({ allocate, prepare }) => {
      const memory = allocate([tensor([3, 0.5]), tensor([4, 0.5])]);
      const list = [...(memory.gradients as Iterable<GPUBuffer>)] as [GPUBuffer, GPUBuffer];
      const clip = prepare(list, clipPerExample(1, { examples: 2, perLayer: true }));
      clip.run([list[0], null]);
      const { memberNorms, clippedMembers } = await clip.report();
      for (const [entry, norm] of [3, 0.5, Number.NaN, Number.NaN].entries()) {
        same(memberNorms?.[entry], norm, `norm ${entry}`);
      }
      same(clippedMembers, 1, "clipped");
      // Its part of the bound is not given to the others.
      near(floatsOf((await memory.read()).get("own 0") as Uint32Array)[0], Math.SQRT1_2 + 0.5, 2, "sum");
    },
  },
  ...DTYPES.map((dtype) => ({
    name: `fewer examples, ${dtype ?? "f32"}`,
    units: () =>
      [1, 2, 3, 5, 64, 65].flatMap((length) => [
        ...fewer(`${length} in place`, [stack(length, 3, length, dtype)], 3),
        ...fewer(
          `${length} into`,
          [stack(length, 3, length, dtype, { into: { memory: "target", byteOffset: 264 }, intoLength: length })],
          3,
        ),
      ]),
  })),
  {
    name: "fewer examples, over a model",
    units: () => [
      ...fewer("a model", model(3), 3),
      ...fewer("automatic", model(3), 3, { automatic: 0.01 }),
      ...fewer("by layer", model(3), 3, { perLayer: true }),
      ...fewer("automatic, by layer", model(2), 2, { automatic: 0.01, perLayer: true }),
    ],
  },
  {
    name: "fewer examples, the last one is not finite",
    units: () => {
      const tensors = [tensor([3, 4, 0.5, 0.5, Number.NaN, 1])];
      return POLICIES.flatMap((nonFinite) =>
        [1, 2, 3].map((present) =>
          unit(`${present}, ${nonFinite}`, tensors, perExample(1, 3), { present, options: { nonFinite } }),
        ),
      );
    },
  },
  {
    name: "fewer examples, all of them not finite",
    units: () => [
      unit("one of three", [tensor([Number.NaN, 4, 0.5, 0.5, 1, 1])], perExample(1, 3), { present: 1 }),
      unit("one of three, by layer", [tensor([Infinity, 4, 1])], perExample(1, 3, { perLayer: true }), { present: 1 }),
    ],
  },
  {
    name: "fewer examples from step to step, and into a sum",
    script: async ({ allocate, prepare }) => {
      const memory = allocate([tensor([1, 2, 10, 20, 100, 200]), tensor([1000, 2000])]);
      const [buffer, sum] = [...(memory.gradients as Iterable<GPUBuffer>)] as [GPUBuffer, GPUBuffer];
      const rows = (count: number): GradientView => ({
        buffer,
        length: 2 * count,
        shape: [count, 2],
        into: { buffer: sum },
      });
      const first = async () => floatsOf((await memory.read()).get("own 1") as Uint32Array)[0];
      const clip = prepare([rows(3)], clipPerExample(Infinity, { examples: 3 }));
      const wanted = [0, 1, 11, 111];
      for (const count of [3, 1, 0, 2, 3, 0]) {
        clip.run([rows(count)]);
        same(await first(), wanted[count] as number, `the sum of ${count}`);
      }
      const { memberNorms, norm } = await clip.report();
      same(norm, 0, "norm of none");
      for (const m of range(3)) same(memberNorms?.[m], Number.NaN, `norm of ${m}`);
      const accumulating = prepare([rows(3)], clipPerExample(Infinity, { examples: 3, accumulate: true }));
      for (const count of [3, 0, 1, 0]) accumulating.run([rows(count)]);
      same(await first(), 112, "what has been added");
    },
  },
  planned("fewer examples, for bindings of 64 KiB", { maxBinding: 65_536 }, () => {
    const into = { memory: "target", byteOffset: 264 };
    return fewer("long", [stack(20_001, 2, 3, undefined, { into, intoLength: 20_001 })], 2);
  }),
  {
    name: "rows of zeros are neutral",
    script: async ({ allocate, prepare }) => {
      const memory = allocate([tensor([3, 4, 0.5, 0.5]), tensor([3, 4, 0.5, 0.5, 0, 0, 0, 0])]);
      const [few, padded] = [...(memory.gradients as Iterable<GPUBuffer>)] as [GPUBuffer, GPUBuffer];
      prepare([few], clipPerExample(1, { examples: 2 })).run();
      prepare([padded], clipPerExample(1, { examples: 4 })).run();
      const after = await memory.read();
      const [left, right] = ["own 0", "own 1"].map((name) => floatsOf(after.get(name) as Uint32Array));
      for (const i of range(2)) same(left?.[i], right?.[i] as number, `element ${i}`);
    },
  },
  {
    name: "what does not fit is refused",
    script: async ({ allocate, prepare }) => {
      const memory = allocate([tensor(range(6)), tensor(range(12))]);
      const [a, b] = [...(memory.gradients as Iterable<GPUBuffer>)] as [GPUBuffer, GPUBuffer];
      const clip = prepare([a, b], clipPerExample(1, { examples: 3 }));
      const step =
        (...lengths: number[]) =>
        () =>
          clip.run(lengths.map((length, k) => ({ buffer: [a, b][k] as GPUBuffer, length })));
      refuses(step(4, 4), [RangeError], "2 examples and 1");
      refuses(step(0, 4), [RangeError], "no example and 1");
      refuses(step(3, 6), [RangeError], "one and a half");
      const shaped = { buffer: a, length: 4, shape: [4, 1] };
      refuses(() => clip.run([shaped, { buffer: b, length: 8 }]), [RangeError], "a shape of 4 examples");
      const small = prepare(
        [
          { buffer: a, length: 4 },
          { buffer: b, length: 8 },
        ],
        clipPerExample(1, { examples: 2 }),
      );
      refuses(() => small.run([a, b]), [RangeError], "more examples than were prepared");
      refuses(() => clipPerExample(1, { examples: 2, perLayer: 1 as never }), [TypeError], "perLayer: 1");
      await untouched(memory);
    },
  },
];
