import type { GroupRun } from "../pieces.ts";

/**
 * Gives the bound that follows from a norm, in WGSL and in TypeScript: both backends decide alike. A method refers only to its
 * own rule, so a page ships only the shaders of the methods that it names.
 */
export type Rule = {
  readonly name: string;
  /**
   * Defines `fn bound_for(facts: Facts) -> SoftFloat`: see shaders/shared/decide.wgsl. A rule with a memory declares the memory
   * at binding 5 of group 0 and defines `fn remember(lane: u32)`. All lanes call it at the end.
   */
  readonly wgsl: string;
  /** Returns Facts.weight for a group of a run: by how many values share its norm, or by its number; default 0. */
  readonly weight?: (run: GroupRun) => number;
  /** For a rule that lengthens too: whether the scale differs from gradScale. Its WGSL defines `is_scaled`. */
  readonly isScaled?: (norm: number, bound: number, scale: number, gradScale: number) => boolean;
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

/** A rule's memory from step to step. The CPU decides with it; for the GPU it converts to and from a buffer's content. */
export interface RuleState extends Decider {
  /** The bytes for `Clip.state`, the same on both backends. */
  save(): ArrayBuffer;
  /** @throws RangeError unless `save` of such a memory returned the bytes; then nothing changes. */
  load(saved: ArrayBuffer): void;
  /** The settings and the memory, as the rule's WGSL declares them. */
  toWords(): Uint32Array<ArrayBuffer>;
  fromWords(words: Uint32Array): void;
}
