import type { NormKind } from "../methods/normKinds.ts";
import { INFINITY_SEEN, NAN_SEEN } from "../record.ts";
import { type Elements, read } from "./formats.ts";

/** The sum of terms and what else one reading finds; twin of shaders/norm.wgsl. */
export interface Found {
  sum: number;
  largest: number;
  nonFinite: number;
  firstRank: number;
  firstElement: number;
  flags: number;
}

export function norm(sources: readonly Elements[], kind: NormKind): Found {
  const found: Found = { sum: 0, largest: 0, nonFinite: 0, firstRank: 0, firstElement: 0, flags: 0 };
  for (const source of sources) {
    read(source, (values) => {
      found.largest = Math.max(found.largest, largestMagnitude(values));
    });
  }
  sources.forEach((source, rank) => {
    read(source, (values, first) => {
      const sum = kind.sum(values, found.largest);
      found.sum += sum;
      // A NaN or an infinity cannot hide in a sum, so only then is each value looked at.
      if (!Number.isFinite(sum)) noteFaults(values, rank, first, found);
    });
  });
  return found;
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

function noteFaults(array: Float32Array, rank: number, first: number, found: Found): void {
  array.forEach((value, i) => {
    if (Number.isFinite(value)) return;
    if (found.nonFinite === 0) [found.firstRank, found.firstElement] = [rank, first + i];
    found.nonFinite += 1;
    found.flags |= Number.isNaN(value) ? NAN_SEEN : INFINITY_SEEN;
  });
}
