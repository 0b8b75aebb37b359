/** Methods with a norm for each tensor. */
import { type ClipMethod, clipByBlockRms, clipByNorm } from "../../../src/index.ts";
import { range, tensor } from "../build.ts";
import { fail, near, same, sameWords } from "../expect.ts";
import { floatsOf, randomBits, valuesOf } from "../numbers.ts";
import type { Case, Harness, Tensor, UnitOptions } from "../types.ts";

interface List {
  readonly label: string;
  readonly tensors: readonly (Tensor | null)[];
  readonly maxNorm?: number;
  readonly options?: UnitOptions;
}

interface Method {
  readonly name: string;
  readonly make: (bound: number) => ClipMethod;
  /** The bound of a tensor's norm, by the definition in float64. */
  readonly boundOf: (maxNorm: number, count: number) => number;
}

const METHODS: readonly Method[] = [
  { name: "clipByNorm", make: clipByNorm, boundOf: (maxNorm) => maxNorm },
  { name: "clipByBlockRms", make: clipByBlockRms, boundOf: (threshold, count) => threshold * Math.sqrt(count) },
];

function normOf(entry: Tensor): number {
  return Math.sqrt(Float64Array.from(valuesOf(entry)).reduce((sum, value) => sum + value * value, 0));
}

async function check(harness: Harness, method: Method, { label, tensors, maxNorm = 1, options }: List): Promise<void> {
  const memory = harness.allocate(tensors);
  const before = new Map([...memory.before].map(([name, words]) => [name, words.slice()]));
  const { nonFinite = "zero" } = options ?? {};
  const gradScale = (options?.gradScale as number | undefined) ?? 1;
  const clip = harness.prepare(memory.gradients, method.make(maxNorm), { nonFinite, gradScale });
  clip.run();
  const { tensorNorms, clipped, scale, norm } = await clip.report();
  const after = await memory.read();
  if (!tensorNorms) fail(`${label}: no tensorNorms`);
  same(tensorNorms.length, tensors.length, `${label}: tensorNorms`);
  if (!Number.isNaN(scale)) fail(`${label}: there is no one scale, but the report says ${scale}`);
  let [anyClipped, squared] = [false, 0];
  const memories = [...after.keys()];
  let next = 0;
  for (const [index, entry] of tensors.entries()) {
    if (!entry) {
      same(Number.isNaN(tensorNorms[index] as number), true, `${label}: norm of no gradient`);
      continue;
    }
    const name = memories[next++] as string;
    const found = after.get(name) as Uint32Array;
    const exact = normOf(entry) * gradScale;
    squared += exact * exact;
    near(tensorNorms[index] as number, exact, 2, `${label}: norm of tensor ${index}`);
    const bound = method.boundOf(maxNorm, entry.bits.length);
    const what = `${label}: tensor ${index}`;
    if (!Number.isFinite(exact) || (exact <= bound && gradScale === 1)) {
      const zeroed = !Number.isFinite(exact) && nonFinite === "zero";
      sameWords(found, zeroed ? new Uint32Array(found.length) : before.get(name), what);
      continue;
    }
    anyClipped ||= exact > bound;
    const factor = exact > bound ? (bound / exact) * gradScale : gradScale;
    valuesOf(entry).forEach((value, k) => {
      near(floatsOf(found)[k] as number, value * factor, 3, `${what}, element ${k}`, 2 ** -126);
    });
  }
  same(clipped, anyClipped, `${label}: clipped`);
  near(norm, Math.sqrt(squared), 2, `${label}: norm of everything`);
}

const lists: readonly List[] = [
  { label: "one below and one above", tensors: [tensor([3, 4]), tensor([0.3, 0.4])], maxNorm: 1 },
  { label: "at the bound", tensors: [tensor([3, 4]), tensor([6, 8])], maxNorm: 5 },
  { label: "null entries", tensors: [null, tensor([3, 4]), null], maxNorm: 1 },
  { label: "tiny and huge", tensors: [tensor([1e-30, 1e-30]), tensor([3e38, 3e38])], maxNorm: 1e-20 },
  { label: "a NaN in one", tensors: [tensor([Number.NaN, 1]), tensor([3, 4])] },
  { label: "a NaN in one, no bound", tensors: [tensor([Number.NaN, 1]), tensor([3, 4])], maxNorm: Infinity },
  {
    label: "an infinity in one, kept",
    tensors: [tensor([3, 4]), tensor([Infinity, 1])],
    options: { nonFinite: "keep" },
  },
  { label: "gradScale", tensors: [tensor([3, 4]), tensor([30, 40])], maxNorm: 5, options: { gradScale: 0.5 } },
  { label: "bound 0", tensors: [tensor([3, 4]), tensor([1])], maxNorm: 0 },
  ...[1, 2, 9, 100].map((count) => ({
    label: `${count} tensors`,
    tensors: range(count).map((i) => ({ bits: randomBits(1 + ((i * 37) % 1300), i + 1, 0.1 * (1 + (i % 5))) })),
    maxNorm: 0.9,
  })),
  { label: "a large and a small one", tensors: [{ bits: randomBits(70_001, 3) }, { bits: randomBits(5, 4) }] },
];

export const cases: Case[] = METHODS.flatMap((method) =>
  lists.map(
    (list): Case => ({
      name: `${method.name}: ${list.label}`,
      script: (harness) => check(harness, method, list),
    }),
  ),
);
