/** How to compute a norm: each value gives a term, and the sum of the terms gives the norm. */
export interface NormKind {
  readonly name: "l1" | "l2" | "linf" | "lp";
  /** WGSL for norm.wgsl: `fn fast_terms` with its range, and `fn exact_term`. */
  readonly terms: string;
  /** WGSL for finish.wgsl: `fn norm_of(all: Partial) -> SoftFloat`. */
  readonly root: string;
  /** The p of a general norm in fixed point: 23 bits, then the number of fraction bits among them. */
  readonly fixedPower: number;
  /**
   * On the CPU: adds the terms of some values and updates the largest magnitude. The sum becomes non-finite if a value is.
   * `most` is the largest magnitude of all values that share the norm.
   */
  readonly add: (found: Sum, values: Float32Array, most: number) => void;
  /** Whether `add` uses `most`. All gradients are then read once more to find it. */
  readonly isRelative: boolean;
  /** The norm, from the sum and the largest magnitude of the values that share it. */
  readonly norm: (sum: number, largest: number) => number;
}

/** The result that `add` updates. */
export interface Sum {
  sum: number;
  largest: number;
}
