import type { Remembered } from "../remembered.ts";

/**
 * Gives the bound that follows from a norm, in WGSL and in TypeScript: both backends decide alike. A method refers only to its
 * own rule, so a page ships only the shaders of the methods that it names.
 */
export type Rule = {
  readonly name: string;
  /**
   * Defines `fn bound_for(facts: Facts) -> SoftFloat`: see shaders/shared/decide.wgsl. A rule with a memory also defines
   * `struct RuleMemory` (its lists begin at `State.words[0]`) and `fn remember(lane: u32)`, which all lanes call at the end.
   */
  readonly wgsl: string;
  /** What that imports besides what every deciding kernel has. */
  readonly texts?: Readonly<Record<string, string>>;
  /** Facts.weight, from the number of values that share the norm; default 0. */
  readonly weight?: (count: number) => number;
  /** A rule with a memory begins one for each clip. It works for one norm over all gradients only. */
} & (Decider | { readonly begin: () => RuleState });

export interface Decider {
  boundFor(facts: Facts): number;
}

/** The values that a rule may use. */
export interface Facts {
  readonly norm: number;
  readonly maxNorm: number;
  /** The number that the rule's `weight` returned. */
  readonly weight: number;
  /** The norm of the gradient's parameter. */
  readonly parameterNorm: number;
}

/** What a rule remembers from step to step. */
export interface RuleState extends Decider, Remembered {}
