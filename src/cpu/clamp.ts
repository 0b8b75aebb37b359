import { LARGEST } from "../floats.ts";
import type { Dtype } from "../ranges.ts";
import { CLIPPED } from "../record.ts";
import { rewriteEach } from "./formats.ts";
import { type Found, noteFault, nothing } from "./norm.ts";
import type { Write } from "./scale.ts";

/** x = gradScale * gradient; gradient = low where x < low, high where x > high, else x; twin of shaders/clamp.wgsl. */
export function clamp(
  writes: readonly Write[],
  limits: (dtype: Dtype) => readonly [low: number, high: number],
  gradScale: number,
): Found {
  const found = nothing();
  for (const { source, into, number } of writes) {
    const [low, high] = limits(into.dtype);
    rewriteEach(source, into, (value, element) => {
      const finite = Math.abs(value) <= LARGEST;
      if (!finite) noteFault(found, value, number, element);
      else found.largest = Math.max(found.largest, Math.abs(value));
      const x = gradScale !== 1 && finite ? product(value, gradScale) : value;
      // Both comparisons with a NaN are false.
      if (x < low || x > high) found.flags |= CLIPPED;
      return x < low ? low : x > high ? high : x;
    });
  }
  return found;
}

/** A product as float32. Beyond the range it is the largest float32, as on the GPU. */
function product(value: number, factor: number): number {
  return Math.max(-LARGEST, Math.min(LARGEST, Math.fround(value * factor)));
}
