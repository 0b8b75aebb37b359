import type { clamp } from "../cpu/clamp.ts";
import type { sumExamples } from "../cpu/sum_examples.ts";
import type { Dtype } from "../gradients.ts";
import type { Grouping } from "../pieces.ts";
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

export function isMethod(value: unknown): value is ClipMethod {
  return typeof value === "object" && value !== null && typeof (value as ClipMethod).rule?.wgsl === "string";
}
