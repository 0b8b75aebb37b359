import l1Root from "../../shaders/norms/l1_root.wgsl?raw";
import l1Terms from "../../shaders/norms/l1_terms.wgsl?raw";
import l2Root from "../../shaders/norms/l2_root.wgsl?raw";
import l2Terms from "../../shaders/norms/l2_terms.wgsl?raw";
import linfRoot from "../../shaders/norms/linf_root.wgsl?raw";
import linfTerms from "../../shaders/norms/linf_terms.wgsl?raw";
import lpRoot from "../../shaders/norms/lp_root.wgsl?raw";
import lpTerms from "../../shaders/norms/lp_terms.wgsl?raw";
import { readNumber, shown } from "../check.ts";

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

/** Below it norms of a million equal values leave the range of a double. */
const LEAST_POWER = 0.05;
/** What a fixed-point number of 23 bits holds; such a norm is the largest magnitude. */
const MOST_POWER = 2 ** 22;

/** What `add` adds to. */
export interface Sum {
  sum: number;
  largest: number;
}

/** The kind for PyTorch's `norm_type`: 1, 2, Infinity or another p. */
export function normKind(normType: unknown, subject: string): NormKind {
  const p = readNumber(normType, subject);
  if (p === 2) return l2;
  if (p === 1) return l1;
  if (p === Infinity) return linf;
  if (!(p >= LEAST_POWER && p <= MOST_POWER)) {
    throw new RangeError(
      `${subject} is ${shown(p)}; pass 1, 2, Infinity or another number from ${LEAST_POWER} to ${MOST_POWER}.`,
    );
  }
  return lp(p);
}

export const l2: NormKind = {
  name: "l2",
  terms: l2Terms,
  root: l2Root,
  fixedPower: 0,
  add: addSquares,
  isRelative: false,
  norm: (sum) => Math.sqrt(sum),
};

const l1: NormKind = {
  name: "l1",
  terms: l1Terms,
  root: l1Root,
  fixedPower: 0,
  add: (found, values) => addTerms(found, values, Math.abs),
  isRelative: false,
  norm: (sum) => sum,
};

export const linf: NormKind = {
  name: "linf",
  terms: linfTerms,
  root: linfRoot,
  fixedPower: 0,
  // Only tells whether a value is not finite.
  add: (found, values) => addTerms(found, values, (value) => 0 * value),
  isRelative: false,
  norm: (_, largest) => largest,
};

function lp(p: number): NormKind {
  const shift = 22 - Math.floor(Math.log2(p));
  return {
    name: "lp",
    terms: lpTerms,
    root: lpRoot,
    fixedPower: Math.min(Math.round(p * 2 ** shift), 2 ** 23 - 1) + shift * 2 ** 23,
    add: (found, values, most) => addTerms(found, values, (value) => (Math.abs(value) / (most || 1)) ** p),
    isRelative: true,
    norm: (sum, largest) => largest * sum ** (1 / p),
  };
}

function addTerms(found: Sum, values: Float32Array, term: (value: number) => number): void {
  let { sum, largest } = found;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    sum += term(value);
    if (value > largest) largest = value;
    else if (-value > largest) largest = -value;
  }
  found.sum = sum;
  found.largest = largest;
}

/**
 * Squares of float32 are exact in float64 and stay in its range, so nothing is scaled, and the root of the largest is
 * exact. Eight values at a time: only if their sum is above the largest square so far can one of them be, which is rare.
 */
function addSquares(found: Sum, values: Float32Array): void {
  let left = 0;
  let right = 0;
  let most = found.largest * found.largest;
  let i = 0;
  for (; i + 8 <= values.length; i += 8) {
    const a = values[i] as number;
    const b = values[i + 1] as number;
    const c = values[i + 2] as number;
    const d = values[i + 3] as number;
    const e = values[i + 4] as number;
    const f = values[i + 5] as number;
    const g = values[i + 6] as number;
    const h = values[i + 7] as number;
    const first = a * a + b * b + (c * c + d * d);
    const second = e * e + f * f + (g * g + h * h);
    left += first;
    right += second;
    if (first + second > most) most = Math.max(most, a * a, b * b, c * c, d * d, e * e, f * f, g * g, h * h);
  }
  for (; i < values.length; i++) {
    const square = (values[i] as number) * (values[i] as number);
    left += square;
    if (square > most) most = square;
  }
  found.sum += left + right;
  found.largest = Math.sqrt(most);
}
