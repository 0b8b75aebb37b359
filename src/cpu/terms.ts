// What a norm adds up on the CPU; twins of shaders/norms/*_terms.wgsl.
import type { Sum } from "../norms/norm.ts";

/**
 * Squares of float32 are exact in float64 and stay in its range. Nothing is scaled, and the root of the largest square is exact.
 * Eight values are added at a time: one of them can exceed the largest square so far only if their sum does, which is rare.
 */
export function addSquares(found: Sum, values: Float32Array): void {
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

export function addTerms(found: Sum, values: Float32Array, term: (value: number) => number): void {
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
