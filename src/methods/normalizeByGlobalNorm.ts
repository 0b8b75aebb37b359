import { readNormalFloat } from "../check.ts";
import { l2 } from "../norms/l2.ts";
import { normalizeRule } from "../rules/normalize.ts";
import type { ClipMethod } from "./method.ts";
import { jointPasses } from "./passes.ts";

/**
 * Scales all gradients by one factor so that their joint L2 norm is `norm`, whether it was larger or smaller: g * norm / norm(g).
 * Gradients that are all 0 stay 0. This is normalised gradient descent, and Optax's `normalize_by_update_norm`, which adds 1e-6
 * to the norm first: here a gradient of 1e-20 gets its full length too. A factor beyond float32 counts as the largest float32.
 * A `norm` within 2^-22 of the largest float32 may round a value to infinity.
 *
 * In the report `clipped` says that the scale differs from `gradScale`, `scale` may exceed 1, and the record's bound is `norm`.
 * `Clip.set({ maxNorm })` changes the length.
 *
 * @example
 * ```ts
 * const gradient = new Float32Array([0.03, 0.04]);
 * await clipGradients([gradient], normalizeByGlobalNorm());
 * gradient; // [0.6, 0.8]
 * ```
 * @param norm a positive normal float32; default 1. Here and in `set` 0 and Infinity are refused.
 * @throws RangeError for any other number, TypeError for anything else.
 */
export function normalizeByGlobalNorm(norm = 1): ClipMethod {
  return {
    name: "normalizeByGlobalNorm",
    maxNorm: readNormalFloat(norm, "normalizeByGlobalNorm's norm"),
    eps: 0,
    norm: l2,
    rule: normalizeRule,
    grouping: { kind: "all" },
    passes: jointPasses,
  };
}
