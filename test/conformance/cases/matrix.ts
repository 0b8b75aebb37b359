/** Every method in every format: with and without gradScale, with a NaN that is named, and how far off the answers are. */
import { adaGC, autoClip, type ClipMethod, measureNorm, zClip } from "../../../src/index.ts";
import { clampTo, clipTo, normalizedTo, range, unit } from "../build.ts";
import { fail, same } from "../expect.ts";
import { bitsAt, destination, written } from "../memory.ts";
import { bits16From, floatsOf, randomBits, round16, ulp24, valuesOf } from "../numbers.ts";
import { checkOutcome } from "../outcome.ts";
import { referenceGlobalNorm, referenceMeasure } from "../reference.ts";
import { tensorNormsOf } from "../referenceGroups.ts";
import { agc, alongAxes, perExample, perGroup, perMember, perTensor, perTensorRms } from "../rules.ts";
import type { Bits, Case, Dtype, Expected, Outcome, Rule, Tensor, Unit } from "../types.ts";
import { clippedBy } from "./norms.ts";

/** The first step of a method that remembers has nothing to go by but its cap. */
function capped(method: ClipMethod): Rule {
  return { method, expected: (unit) => referenceGlobalNorm(unit, method.maxNorm as number) };
}

/** In the warm-up of adaGC all gradients share the norm. */
function warmingUp(maxNorm: number): Rule {
  return {
    method: adaGC({ maxNorm }),
    expected: (unit) => {
      const { scale, ...shared } = referenceGlobalNorm(unit, maxNorm);
      // The record has no scale of all, but of a step that is skipped.
      const all = Number.isFinite(shared.norm) ? Number.NaN : scale;
      return { ...shared, scale: all, bound: Number.NaN, tensorNorms: tensorNormsOf(unit) };
    },
  };
}

const STACKED = 4;

const METHODS: Readonly<Record<string, Rule>> = {
  "clipByGlobalNorm(1)": clipTo(1),
  "clipByGlobalNorm(1, { eps: 1e-6 })": clippedBy(1, 2, 1e-6),
  "clipByGlobalNorm(1, { normType: 1 })": clippedBy(1, 1),
  "clipByGlobalNorm(0.5, { normType: Infinity })": clippedBy(0.5, Infinity),
  "clipByGlobalNorm(1, { normType: 3 })": clippedBy(1, 3),
  "clipByGlobalNorm(1, { members })": perMember(1, STACKED),
  "clipByNorm(1)": perTensor(1),
  "clipByGroupNorm({ head: 0.5, body: Infinity }, { others: 2 })": perGroup({ head: 0.5, body: Infinity }, 2),
  "clipByNorm(0.7, { axes: [0] })": alongAxes(0.7, [0]),
  "clipByNorm(0.7, { axes: [1] })": alongAxes(0.7, [1]),
  "clipByValue(0.5)": clampTo(-0.5, 0.5),
  "clipByBlockRms(0.3)": perTensorRms(0.3),
  "adaptiveGradClip()": agc(),
  "clipPerExample(1, { examples })": perExample(1, STACKED),
  "autoClip({ maxNorm: 1 })": capped(autoClip({ maxNorm: 1 })),
  "zClip({ maxNorm: 1 })": capped(zClip({ maxNorm: 1 })),
  'zClip({ maxNorm: 1, per: "tensor" })': { ...perTensor(1), method: zClip({ maxNorm: 1, per: "tensor" }) },
  'zClip({ maxNorm: 1, per: "group" })': {
    ...perGroup({ head: 1, body: 1 }, 1),
    method: zClip({ maxNorm: 1, per: "group" }),
  },
  "adaGC()": warmingUp(1),
  "clipPerExample(1, { examples, perLayer: true })": perExample(1, STACKED, { perLayer: true }),
  "normalizeByGlobalNorm(100)": normalizedTo(100),
  "measureNorm()": { method: measureNorm(), expected: referenceMeasure },
};
const DTYPES: readonly Dtype[] = ["f32", "f16", "bf16"];

/** The largest errors so far, in ULP: of a value as its format has them, of the norm as float32 has them. */
export const largestErrors = new Map<string, { readonly value: number; readonly norm: number }>();

function encoded(dtype: Dtype, bits: Uint32Array): Bits {
  return dtype === "f32" ? bits : bits16From(dtype, floatsOf(bits));
}

function model(dtype: Dtype, seed: number): Tensor[] {
  return [1, 3, 8, 33, 130, 700].map((columns, i) => ({
    bits: encoded(dtype, randomBits(STACKED * columns, seed + i, 0.2 * (1 + (i % 3)))),
    dtype,
    shape: [STACKED, columns],
    name: `layer ${i}`,
    group: ["head", "body", undefined][i % 3],
    parameter: { bits: encoded(dtype, randomBits(STACKED * columns, seed + 50 + i)), dtype },
  }));
}

function withNaN(tensors: Tensor[]): Tensor[] {
  return tensors.map((one, i) => {
    if (i !== 3) return one;
    const bits = one.bits.slice();
    bits[17] = { f32: 0x7fc00001, f16: 0x7e01, bf16: 0x7fc1 }[one.dtype ?? "f32"];
    return { ...one, bits };
  });
}

function unitsOf(rule: Rule, dtype: Dtype): Unit[] {
  return [
    ...range(6, 1).map((seed) => unit(`seed ${seed}`, model(dtype, 100 * seed), rule)),
    unit("gradScale", model(dtype, 7), rule, { options: { gradScale: 0.25 } }),
    unit("a NaN", withNaN(model(dtype, 8)), rule),
  ];
}

/** Of finite answers, over all values that are normal numbers of their format. */
function errorsOf(
  one: Unit,
  { norm, contents }: Expected,
  { report, after }: Outcome,
): { value: number; norm: number } {
  let value = 0;
  one.tensors.forEach((tensor, index) => {
    const content = contents[index];
    if (!tensor || !content || !("values" in content) || !after) return;
    const found = valuesOf({ ...tensor, bits: bitsAt(after, destination(tensor, index), written(tensor), "tensor") });
    content.values.forEach((want, i) => {
      const ownUnit = spacing(tensor.dtype, want);
      if (ownUnit === 0) return;
      // A sum is as good as its largest terms allow.
      const unit = Math.max(ownUnit, (content.off?.(i) ?? 0) / (2 + Math.sqrt(STACKED)));
      value = Math.max(value, Math.abs((found[i] as number) - want) / unit);
    });
  });
  return { value, norm: Number.isFinite(norm) && norm > 0 ? Math.abs(report.norm - norm) / ulp24(norm) : 0 };
}

/** 0 where it has no meaning. */
function spacing(dtype: Dtype = "f32", value: number): number {
  if (!Number.isFinite(value) || Math.abs(value) < 2 ** -13) return 0;
  if (dtype === "f32") return ulp24(value);
  const step = ulp24(value) * (dtype === "f16" ? 2 ** 13 : 2 ** 16);
  return round16(dtype, value) === Infinity ? 0 : step;
}

export const cases: Case[] = Object.entries(METHODS).flatMap(([name, rule]) =>
  DTYPES.map(
    (dtype): Case => ({
      name: `${name} ${dtype}`,
      script: async (harness) => {
        const units = unitsOf(rule, dtype);
        const outcomes = await harness.execute(units);
        same(outcomes.length, units.length, "outcomes");
        let [value, norm] = [0, 0];
        units.forEach((one, i) => {
          const outcome = outcomes[i] ?? fail("no outcome");
          const errors = errorsOf(one, checkOutcome(one, outcome), outcome);
          value = Math.max(value, errors.value);
          norm = Math.max(norm, errors.norm);
        });
        largestErrors.set(`${name} ${dtype}`, { value, norm });
      },
    }),
  ),
);
