import type { GroupRun } from "../pieces.ts";
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
  /** Returns Facts.weight for a group of a run: by how many values share its norm, or by its number; default 0. */
  readonly weight?: (run: GroupRun) => number;
  /** For a rule that lengthens too: whether the scale differs from gradScale. Its WGSL defines `is_scaled`. */
  readonly isScaled?: (norm: number, bound: number, scale: number, gradScale: number) => boolean;
} & (Decider | Remembering);

/** A rule with a memory begins one for each clip. */
export interface Remembering {
  /** @param norms how many norms are remembered, each by itself: 1 without `each`. */
  readonly begin: (norms: number) => RuleState;
  /**
   * Whether it remembers each of several norms. Its WGSL then uses `normNumber`, and also defines `fn is_joint() -> bool` and
   * `fn note_joint(norm: SoftFloat)`: see shaders/shared/memories.wgsl, which it brings.
   */
  readonly each?: true;
}

/** Whether a rule decides each norm after the verdict on everything. */
export function remembersEach(rule: Rule): boolean {
  return "each" in rule;
}

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
  /** The number of a norm among several; undefined for the norm of everything. */
  readonly normNumber?: number;
}

/** What a rule remembers from step to step. */
export interface RuleState extends Decider, Remembered {
  /**
   * While one norm counts for all: takes note of the norms after the clip that they shared, by number, NaN for one that is absent. It
   * is undefined when each has a bound of its own, and for rules that never share.
   */
  readonly warmUp?: ((norms: readonly number[]) => void) | undefined;
  /** For a rule that remembers each norm: from now on these are the norms, by their numbers so far; undefined for a new one. */
  renumber?(numbers: readonly (number | undefined)[]): void;
}
