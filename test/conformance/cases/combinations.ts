/** Seeded combinations of method, grouping, format, nonFinite, apply, gradScale and absent tensors, against float64. */
import { skipAbove } from "../../../src/index.ts";
import { clipTo, range, unit } from "../build.ts";
import { bits16From, bitsFrom, randomSource } from "../numbers.ts";
import { perExample, perGroup, perMember, perTensor, perTensorRms } from "../rules.ts";
import type { Case, Rule, Tensor, Unit, UnitOptions } from "../types.ts";

const UNITS_A_CASE = 30;
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
  const options: UnitOptions = {
    nonFinite: of(["zero", "keep", "propagate"] as const),
    ...(isWriting ? {} : { apply: of(["scale", "scale", "record"] as const) }),
    ...(gradScale && { gradScale }),
    ...(below(2) === 0 && { history: 2 }),
    // No norm here is above it: what a spike does is a group of its own.
    ...(isOne && below(2) === 0 && { skip: skipAbove(1e6) }),
  };
  const absent = below(3) === 0 ? [below(tensors.length)] : undefined;
  return unit(`seed ${seed}`, tensors, ruleOf(of([0.01, 0.37, 3.1, 1000])), {
    options,
    ...(absent && { absent }),
    via: of(["encode", "pass", "run"] as const),
  });
}

export const cases: Case[] = range(2).map((part) => ({
  name: `seeds ${part * UNITS_A_CASE} to ${(part + 1) * UNITS_A_CASE - 1}`,
  units: () => range(UNITS_A_CASE, part * UNITS_A_CASE).map(randomUnit),
}));
