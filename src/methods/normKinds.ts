import absoluteRoot from "../../shaders/roots/absolute.wgsl?raw";
import largestRoot from "../../shaders/roots/largest.wgsl?raw";
import powerRoot from "../../shaders/roots/power.wgsl?raw";
import squareRoot from "../../shaders/roots/square.wgsl?raw";
import absolute from "../../shaders/terms/absolute.wgsl?raw";
import largest from "../../shaders/terms/largest.wgsl?raw";
import power from "../../shaders/terms/power.wgsl?raw";
import square from "../../shaders/terms/square.wgsl?raw";
import { number, shown } from "../check.ts";

/** How a norm is made of its values: the sum of a term of each, and what the norm is then. */
export interface NormKind {
  readonly name: "square" | "absolute" | "largest" | "power";
  /** `fn plain_terms`, `fn careful_term` and their range, for norm.wgsl. */
  readonly terms: string;
  /** `fn norm_of(all: Partial) -> Wide`, for finish.wgsl. */
  readonly root: string;
  /** The p of a norm that is none of the others, as a fixed-point number: 23 bits, then how many of them are a fraction. */
  readonly fixedPower: number;
  /** On the CPU: the sum over an array, given the largest magnitude of all gradients. Not finite if a value is not. */
  readonly sum: (array: Float32Array, most: number) => number;
  /** From the sum and the largest magnitude of the values that share the norm. */
  readonly norm: (sum: number, largest: number, most: number) => number;
}

/** Below it norms of a million equal values leave the range of a double. */
const LEAST_POWER = 0.05;
/** What a fixed-point number of 23 bits holds; such a norm is the largest magnitude. */
const MOST_POWER = 2 ** 22;

/** The kind for PyTorch's `norm_type`: 1, 2, Infinity or another p. */
export function normKind(normType: unknown, subject: string): NormKind {
  const p = number(normType, subject);
  if (p === 2) return l2;
  if (p === 1) return l1;
  if (p === Infinity) return lInfinity;
  if (!(p >= LEAST_POWER && p <= MOST_POWER)) {
    throw new RangeError(
      `${subject} is ${shown(p)}; pass 1, 2, Infinity or another number from ${LEAST_POWER} to ${MOST_POWER}.`,
    );
  }
  return lp(p);
}

export const l2: NormKind = {
  name: "square",
  terms: square,
  root: squareRoot,
  fixedPower: 0,
  sum: sumOfSquares,
  norm: (sum) => Math.sqrt(sum),
};

const l1: NormKind = {
  name: "absolute",
  terms: absolute,
  root: absoluteRoot,
  fixedPower: 0,
  sum: (array) => array.reduce((sum, value) => sum + Math.abs(value), 0),
  norm: (sum) => sum,
};

export const lInfinity: NormKind = {
  name: "largest",
  terms: largest,
  root: largestRoot,
  fixedPower: 0,
  // Only tells whether a value is not finite.
  sum: (array) => array.reduce((sum, value) => sum + 0 * value, 0),
  norm: (_, largest) => largest,
};

function lp(p: number): NormKind {
  const shift = 22 - Math.floor(Math.log2(p));
  return {
    name: "power",
    terms: power,
    root: powerRoot,
    fixedPower: Math.min(Math.round(p * 2 ** shift), 2 ** 23 - 1) + shift * 2 ** 23,
    sum: (array, most) => array.reduce((sum, value) => sum + (Math.abs(value) / (most || 1)) ** p, 0),
    norm: (sum, _, most) => most * sum ** (1 / p),
  };
}

/**
 * Squares of float32 are exact in float64 and stay in its range, so nothing is scaled. Eight sums let the processor
 * add while it loads.
 */
function sumOfSquares(array: Float32Array): number {
  let [s0, s1, s2, s3, s4, s5, s6, s7] = [0, 0, 0, 0, 0, 0, 0, 0];
  const whole = array.length & ~7;
  let i = 0;
  for (; i < whole; i += 8) {
    const [a, b, c, d] = [array[i] as number, array[i + 1] as number, array[i + 2] as number, array[i + 3] as number];
    s0 += a * a;
    s1 += b * b;
    s2 += c * c;
    s3 += d * d;
    const [e, f, g, h] = [
      array[i + 4] as number,
      array[i + 5] as number,
      array[i + 6] as number,
      array[i + 7] as number,
    ];
    s4 += e * e;
    s5 += f * f;
    s6 += g * g;
    s7 += h * h;
  }
  for (; i < array.length; i++) s0 += (array[i] as number) ** 2;
  return s0 + s1 + (s2 + s3) + (s4 + s5 + (s6 + s7));
}
