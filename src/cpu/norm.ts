import { INFINITY_SEEN, NAN_SEEN } from "../record.ts";

/** The sum of squares and what else one reading finds; twin of shaders/norm.wgsl. */
export interface Found {
  squared: number;
  largest: number;
  nonFinite: number;
  firstRank: number;
  firstElement: number;
  flags: number;
}

/**
 * Squares of float32 are exact in float64 and stay in its range, so nothing is scaled. Eight sums let the processor
 * add while it loads.
 */
export function norm(arrays: readonly Float32Array[]): Found {
  const found: Found = { squared: 0, largest: 0, nonFinite: 0, firstRank: 0, firstElement: 0, flags: 0 };
  arrays.forEach((array, rank) => {
    const squared = sumOfSquares(array);
    found.squared += squared;
    // A NaN or an infinity cannot hide in a sum of squares, so only then is each value looked at.
    if (!Number.isFinite(squared)) noteFaults(array, rank, found);
    found.largest = Math.max(found.largest, largestMagnitude(array));
  });
  return found;
}

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

function largestMagnitude(array: Float32Array): number {
  let [high, low] = [0, 0];
  for (let i = 0; i < array.length; i++) {
    const value = array[i] as number;
    if (value > high) high = value;
    else if (value < low) low = value;
  }
  return Math.max(high, -low);
}

function noteFaults(array: Float32Array, rank: number, found: Found): void {
  array.forEach((value, element) => {
    if (Number.isFinite(value)) return;
    if (found.nonFinite === 0) [found.firstRank, found.firstElement] = [rank, element];
    found.nonFinite += 1;
    found.flags |= Number.isNaN(value) ? NAN_SEEN : INFINITY_SEEN;
  });
}
