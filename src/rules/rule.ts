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
  /** A rule that remembers begins a memory for each clip. It serves one norm over all gradients only. */
} & (Decider | { readonly begin: () => RuleState });

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

/** What a rule remembers from step to step: on the CPU it decides by it, for the GPU it is the buffer's content. */
export interface RuleState extends Decider {
  /** For `Clip.state`: the same on both backends. */
  save(): ArrayBuffer;
  /** @throws RangeError for anything but what such a memory has saved; then nothing changes. */
  load(saved: ArrayBuffer): void;
  /** The settings and what is remembered, as the rule's WGSL declares them. */
  toWords(): Uint32Array<ArrayBuffer>;
  fromWords(words: Uint32Array): void;
}
