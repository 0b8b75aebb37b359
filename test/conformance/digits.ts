/** Positive doubles of fewer digits: what the integer arithmetic of the shaders is defined by. */
import { round24, ulp24 } from "./numbers.ts";

/** A number's first digits. */
export function cut(x: number, digits: number): number {
  if (x === 0) return 0;
  const unit = ulp24(x) * 2 ** (24 - digits);
  return Math.floor(x / unit) * unit;
}

/** Of either number 28 digits count. */
export function quotient24(a: number, b: number): number {
  return round24(cut(a, 28) / cut(b, 28));
}

/** Of two numbers of 24 digits. */
export function product24(a: number, b: number): number {
  return round24(a * b);
}

/** 28 digits of the square root, the last one set if anything follows. */
export function root28(x: number): number {
  const root = cut(Math.sqrt(x), 28);
  if (root * root === x) return root;
  const unit = ulp24(root) / 16;
  return Math.floor(root / unit) % 2 === 0 ? root + unit : root;
}

/** Mantissa and exponent of a SoftFloat. */
export function softWords(x: number): [mantissa: number, exponent: number] {
  if (x === 0) return [0, 0];
  const unit = ulp24(x) / 256;
  return [Math.floor(x / unit), Math.round(Math.log2(unit))];
}

/** The number that these two words tell. */
export function softIn(words: ArrayLike<number>, at: number): number {
  return (words[at] as number) * 2 ** ((words[at + 1] as number) | 0);
}

/** The larger minus the smaller, of which digits below those of the larger are cut. */
export function difference32(a: number, b: number): number {
  const [large, small] = a > b ? [a, b] : [b, a];
  if (small === 0) return large;
  const unit = ulp24(large) / 256;
  return large - Math.floor(small / unit) * unit;
}

/** A sum of which 32 digits are kept. Double would round what is far below them. */
export function sum32(a: number, b: number): number {
  const [large, small] = a > b ? [a, b] : [b, a];
  if (small === 0) return cut(large, 32);
  const unit = ulp24(large) * 2 ** -28;
  return cut(large + Math.floor(small / unit) * unit, 32);
}

/** A value of 32 digits moved by a part of what it lacks. */
export function moved32(value: number, to: number, weight: number): number {
  if (weight === 1) return to;
  const part = product24(cut(difference32(to, value), 24), weight);
  return value > to ? difference32(value, part) : sum32(value, part);
}
