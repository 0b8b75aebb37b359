import type { Remembered } from "../remembered.ts";

/**
 * What bound follows from a norm: once as WGSL and once in TypeScript, so that both backends decide alike. A method
 * carries a reference to its own rule only, so that a page ships just the shaders of the methods that it names.
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
} & (Decider | Remembering);

/** For a norm over all gradients only. */
export interface Remembering {
  /** A memory for one clip. */
  readonly begin: () => RuleState;
}

export interface Decider {
  boundFor(facts: Facts): number;
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

/** What a rule remembers from step to step. */
export interface RuleState extends Decider, Remembered {}
