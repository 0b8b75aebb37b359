/** Seeded combinations of method, grouping, format, nonFinite, apply, gradScale and absent tensors, against float64. */
import { skipAbove } from "../../../src/index.ts";
import { clipTo, range, unit } from "../build.ts";
import { fail } from "../expect.ts";
import { bits16From, bitsFrom, norm64, randomSource, valuesOf } from "../numbers.ts";
import { perExample, perGroup, perMember, perTensor, perTensorRms, skipped } from "../rules.ts";
import type { Case, Rule, Tensor, Unit, UnitOptions } from "../types.ts";

const UNITS_A_CASE = 30;
const HISTORY = 32;
/** More of them by `--seeds` of test/conformance.mjs. */
const SEEDS = Number(import.meta.env.SEEDS ?? 60);
/** A share of the steps that a skip rule must leave out, lest nobody sees that it does. */
const LEAST_SKIPPED = 0.05;
/** Members and examples share every length. */
const PARTS = 3;
const BAD = [Number.NaN, Infinity, -Infinity];

const METHODS: readonly {
  readonly ruleOf: (bound: number) => Rule;
  readonly isWriting?: true;
  readonly isOne?: true;
}[] = [
  { ruleOf: clipTo, isOne: true },
  { ruleOf: perTensor, isOne: true },
  { ruleOf: perTensorRms, isOne: true },
  { ruleOf: (bound) => perGroup({ a: bound, b: bound / 2 }), isOne: true },
  { ruleOf: (bound) => perMember(bound, PARTS) },
  { ruleOf: (bound) => perExample(bound, PARTS), isWriting: true },
  { ruleOf: (bound) => perExample(bound, PARTS, { automatic: 0.01 }), isWriting: true },
  { ruleOf: (bound) => perExample(bound, PARTS, { perLayer: true }), isWriting: true },
];

function randomUnit(seed: number): Unit {
  const random = randomSource(seed + 1000);
  const below = (count: number) => Math.min(count - 1, Math.floor(((random() + 1) / 2) * count));
  const of = <T>(list: readonly T[]) => list[below(list.length)] as T;
  const { ruleOf, isWriting, isOne } = of(METHODS);
  const isBad = below(4) === 0;
  const tensors = range(2 + below(5)).map((k): Tensor => {
    const values = range(PARTS * (1 + below(90))).map(() => 2 * random());
    if (isBad && k === 0) values[below(values.length)] = of(BAD);
    const dtype = of([undefined, "f16", "bf16"] as const);
    return {
      bits: dtype ? bits16From(dtype, values) : bitsFrom(values),
      ...(dtype && { dtype }),
      group: of(["a", "b"]),
    };
  });
  const gradScale = of([undefined, 0.25, 0.3]);
  const absent = below(3) === 0 ? [below(tensors.length)] : [];
  const values = tensors.flatMap((tensor, k) => (absent.includes(k) ? [] : [...valuesOf(tensor)]));
  const norm = Math.fround(gradScale ?? 1) * norm64(values);
  // Far enough from the norm that no rounding decides.
  const threshold = isOne && below(2) === 0 ? (Number.isFinite(norm) ? norm : 1) * of([0.5, 2]) : undefined;
  const isSpike = threshold !== undefined && Number.isFinite(norm) && norm > threshold;
  const options: UnitOptions = {
    nonFinite: of(["zero", "keep", "propagate"] as const),
    ...(isWriting ? {} : { apply: of(["scale", "scale", "record"] as const) }),
    ...(gradScale && { gradScale }),
    ...(below(2) === 0 && { history: HISTORY }),
    ...(threshold !== undefined && { skip: skipAbove(threshold) }),
  };
  const rule = ruleOf(of([0.01, 0.37, 3.1, 1000]));
  return unit(`seed ${seed}`, tensors, isSpike ? skipped(rule) : rule, {
    options,
    ...(absent.length > 0 && { absent }),
    via: of(["encode", "pass", "run"] as const),
  });
}

export const cases: Case[] = [
  ...range(Math.ceil(SEEDS / UNITS_A_CASE)).map((part) => ({
    name: `seeds ${part * UNITS_A_CASE} to ${(part + 1) * UNITS_A_CASE - 1}`,
    dependsOn: "kernels" as const,
    units: () => range(UNITS_A_CASE, part * UNITS_A_CASE).map(randomUnit),
  })),
  {
    name: "a share of the steps is skipped",
    only: "cpu",
    script: async () => {
      const steps = range(SEEDS).map(randomUnit);
      const spikes = steps.filter(({ tensors, rule, ...rest }) => rule.expected({ tensors, rule, ...rest }).spike);
      if (spikes.length < LEAST_SKIPPED * SEEDS) fail(`${spikes.length} of ${SEEDS} steps are skipped`);
    },
  },
];
