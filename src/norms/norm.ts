/** How a norm is made of its values: the sum of a term of each, and what the norm is then. */
export interface NormKind {
  readonly name: "l1" | "l2" | "linf" | "lp";
  /** `fn fast_terms`, `fn exact_term` and the range of the first, for norm.wgsl. */
  readonly terms: string;
  /** `fn norm_of(all: Partial) -> SoftFloat`, for finish.wgsl. */
  readonly root: string;
  /** The p of a norm that is none of the others, as a fixed-point number: 23 bits, then how many of them are a fraction. */
  readonly fixedPower: number;
  /**
   * On the CPU: adds the terms of some values, and finds the largest magnitude among them. The sum is not finite if a value
   * is not; `most` is the largest magnitude of what shares the norm.
   */
  readonly add: (found: Sum, values: Float32Array, most: number) => void;
  /** Whether `most` counts: then all gradients are read once more before. */
  readonly isRelative: boolean;
  /** From the sum and the largest magnitude of the values that share the norm. */
  readonly norm: (sum: number, largest: number) => number;
}

/** What `add` adds to. */
export interface Sum {
  sum: number;
  largest: number;
}
