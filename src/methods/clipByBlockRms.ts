import { readBound } from "../check.ts";
import { l2 } from "../norms/l2.ts";
import { rmsRule } from "../rules/rms.ts";
import type { ClipMethod } from "./method.ts";
import { groupPasses } from "./passes.ts";

/**
 * Scales each gradient by its own factor so that its root mean square is at most `threshold`: g / max(1, rms(g) / threshold)
 * with rms(g) = sqrt(sum of squares / count). Optax has it as `clip_by_block_rms`, and Adafactor (N. Shazeer, M. Stern, 2018)
 * uses a threshold of 1. `Clip.set({ maxNorm })` changes the threshold.
 *
 * @example
 * ```ts
 * const gradient = new Float32Array([3, 4, 12, 0]); // rms 6.5
 * await clipGradients([gradient], clipByBlockRms(1));
 * gradient; // [0.461538, 0.615385, 1.846154, 0]
 * ```
 * @param threshold 0 (every gradient becomes 0), a positive normal float32, or Infinity (measure only).
 * @throws RangeError for any other number, TypeError for anything else; of `prepare`: TypeError for `totalNorm`.
 */
export function clipByBlockRms(threshold: number): ClipMethod {
  return {
    name: "clipByBlockRms",
    maxNorm: readBound(threshold, "clipByBlockRms's threshold"),
    eps: 0,
    norm: l2,
    rule: rmsRule,
    grouping: { kind: "tensor" },
    passes: groupPasses,
  };
}
