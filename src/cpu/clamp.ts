import type { Write } from "../methods/method.ts";
import { CLIPPED, INFINITY_SEEN, NAN_SEEN } from "../record.ts";
import type { Found } from "./norm.ts";
import { copyBytes } from "./scale.ts";

const LARGEST = 3.4028234663852886e38;

/** x = gradScale * gradient; gradient = min where x < min, max where x > max, else x; twin of shaders/clamp.wgsl. */
export function clamp(writes: readonly Write[], min: number, max: number, gradScale: number): Found {
  const found: Found = { sum: 0, largest: 0, nonFinite: 0, firstRank: 0, firstElement: 0, flags: 0 };
  for (const { source, into, rank } of writes) {
    if (into !== source) copyBytes(source, into);
    // Both comparisons with a NaN are false, and what is not written keeps its payload.
    for (let i = 0; i < into.length; i++) {
      const value = into[i] as number;
      const magnitude = Math.abs(value);
      const finite = magnitude <= LARGEST;
      if (!finite) noteFault(found, value, rank, i);
      else if (magnitude > found.largest) found.largest = magnitude;
      const x = gradScale !== 1 && finite ? product(value, gradScale) : value;
      if (x < min || x > max) {
        into[i] = x < min ? min : max;
        found.flags |= CLIPPED;
      } else if (finite && x !== value) {
        into[i] = x;
      }
    }
  }
  return found;
}

/** A float32; beyond the range the largest, as on the GPU. */
function product(value: number, factor: number): number {
  return Math.max(-LARGEST, Math.min(LARGEST, Math.fround(value * factor)));
}

function noteFault(found: Found, value: number, rank: number, element: number): void {
  const isFirst = rank < found.firstRank || (rank === found.firstRank && element < found.firstElement);
  if (found.nonFinite === 0 || isFirst) [found.firstRank, found.firstElement] = [rank, element];
  found.nonFinite += 1;
  found.flags |= Number.isNaN(value) ? NAN_SEEN : INFINITY_SEEN;
}
