import { isPlain, readBound, readCount, readNonNegative, readOneOf, readOptions, shown } from "../check.ts";
import type { clamp } from "../cpu/clamp.ts";
import type { sumExamples } from "../cpu/sum_examples.ts";
import type { Grouping } from "../pieces.ts";
import type { Dtype } from "../ranges.ts";
import type { planClamp } from "../webgpu/clampPlan.ts";
import type { planSum } from "../webgpu/sumPlan.ts";
import type { NormKind } from "./normKinds.ts";
import type { RuleState } from "./ruleState.ts";

/**
 * What bound follows from a norm: once as WGSL and once in TypeScript, so that both backends decide alike. A method
 * carries a reference to its own rule only, so that a page ships just the shaders of the methods that it names.
 */
export type Rule = {
  readonly name: string;
  /**
   * Defines `fn bound_for(facts: Facts) -> SoftFloat`: see shaders/shared/decide.wgsl. A rule with a memory declares it at
   * binding 5 of group 0, and defines `fn remember(lane: u32)`, which all lanes call at the end.
   */
  readonly wgsl: string;
  /** Facts.weight, from the number of values that share the norm; default 0. */
  readonly weight?: (count: number) => number;
} & (Decider | Remembering);

export interface Decider {
  boundFor(facts: Facts): number;
}

/** For a norm over all gradients only. */
export interface Remembering {
  /** A memory for one clip. */
  readonly begin: () => RuleState;
}

/** What a rule may look at. */
export interface Facts {
  readonly norm: number;
  readonly maxNorm: number;
  /** A number that the rule itself made. */
  readonly weight: number;
  /** The norm of the parameter that belongs to the gradient. */
  readonly parameterNorm: number;
}

/** Decides for each value by itself, in one pass that takes the place of norm and scale. */
export interface Clamp {
  /** As such numbers hold them. */
  readonly limits: (dtype: Dtype) => readonly [low: number, high: number];
  readonly wgsl: string;
  readonly plan: typeof planClamp;
  /** The same on arrays. */
  readonly run: typeof clamp;
}

/** Sums over the leading axis in a pass that takes the place of scale. */
export interface ExampleSum {
  readonly examples: number;
  readonly wgsl: string;
  readonly plan: typeof planSum;
  /** The same on arrays. */
  readonly run: typeof sumExamples;
}

/** How to clip: plain data, made by `clipByGlobalNorm(...)` and its like. */
export interface ClipMethod {
  readonly name: string;
  /** The bound to begin with; `Clip.set({ maxNorm })` changes it. Undefined for a method without one. */
  readonly maxNorm?: number;
  /** Added to the norm before the bound is divided by it; default 0. */
  readonly eps?: number;
  readonly norm: NormKind;
  readonly grouping: Grouping;
  readonly rule: Rule;
  readonly clamp?: Clamp;
  readonly sum?: ExampleSum;
  /** Whether the bound follows from the parameter that a gradient is of. */
  readonly usesParameters?: true;
}

const KEYS = Object.keys({
  name: 0,
  maxNorm: 0,
  eps: 0,
  norm: 0,
  grouping: 0,
  rule: 0,
  clamp: 0,
  sum: 0,
  usesParameters: 0,
} satisfies Record<keyof ClipMethod, 0>) as (keyof ClipMethod)[];

const GROUPINGS = ["all", "tensor", "members", "units"] as const;

/** A method as it is now: somebody may have made it from another one by hand. */
export function readMethod(value: unknown): ClipMethod {
  if (!isPlain(value) || !("rule" in value)) throw notMade(value, "method");
  const read = readOptions(value, "method", KEYS);
  const method = read as ClipMethod;
  const { name, maxNorm, eps, norm, grouping, rule, sum } = method;
  if (typeof name !== "string") throw notMade(name, "method.name");
  if (typeof norm?.terms !== "string") throw notMade(norm, "method.norm");
  if (typeof rule?.wgsl !== "string") throw notMade(rule, "method.rule");
  if (typeof grouping !== "object") throw notMade(grouping, "method.grouping");
  if (maxNorm !== undefined) read.maxNorm = readBound(maxNorm, "method.maxNorm");
  if (eps !== undefined) readNonNegative(eps, "method.eps");
  readOneOf(grouping.kind, "method.grouping.kind", GROUPINGS);
  if (grouping.kind === "members") readCount(grouping.count, "method.grouping.count");
  const members = grouping.kind === "members" ? grouping.count : undefined;
  if (sum && sum.examples !== members) {
    throw new RangeError(
      `method.sum.examples is ${shown(sum.examples)}, but method.grouping.count is ${shown(members)}; pass one number of examples.`,
    );
  }
  return method;
}

function notMade(value: unknown, subject: string): TypeError {
  return new TypeError(`${subject} is ${shown(value)}; pass what a method such as clipByGlobalNorm(1) returns.`);
}
