import { readBound, readOptions } from "../check.ts";
import { l2 } from "../norms/l2.ts";
import { globalRule } from "../rules/global.ts";
import type { Axes } from "../units.ts";
import { unitsGrouping } from "./axesOption.ts";
import type { ClipMethod } from "./method.ts";
import { groupPasses, unitPasses } from "./passes.ts";

/**
 * Scales each gradient by its own factor so that its L2 norm is at most `maxNorm`: g * min(1, maxNorm / norm(g)).
 * It is TensorFlow's `clip_by_norm` and Keras' `clipnorm`. The direction of all gradients together may change. A NaN or an
 * infinity affects only the gradient that holds it. The report has `tensorNorms`; its `norm` is the norm of everything.
 *
 * With `axes`, each unit is clipped by its own norm. The norm is taken over these axes, and each position along the others has
 * its own (TensorFlow's `axes`): for a matrix of shape [in, out], `[0]` gives one norm for each output. The gradients need a
 * `shape`. `clip.scales` has an entry for each unit, tensor by tensor, row by row through the kept axes.
 *
 * `clipByNorm(Infinity)` clips nothing and reports the norm of each gradient. It still writes gradients with a NaN or an infinity;
 * with `apply: "record"` it writes none.
 *
 * @example
 * ```ts
 * const [kernel, bias] = [new Float32Array([3, 4]), new Float32Array([0, 0.5])];
 * await clipGradients([kernel, bias], clipByNorm(1));
 * kernel; // [0.6, 0.8]
 * bias; // [0, 0.5]
 * ```
 * @param maxNorm 0 (every gradient becomes 0), a positive normal float32, or Infinity (measure only).
 * @param options.axes the axes to reduce, or a function that returns them for a shape. Negative axes count from the last.
 * @throws RangeError for any other number, TypeError for anything else. `prepare` throws TypeError for `totalNorm` and for a
 * gradient without a shape, and RangeError for an axis that a shape does not have and for axes that alternate more than 7 times.
 */
export function clipByNorm(maxNorm = 1, options?: { axes?: Axes }): ClipMethod {
  const { axes } = readOptions(options, "clipByNorm's options", ["axes"]);
  return {
    name: "clipByNorm",
    maxNorm: readBound(maxNorm, "clipByNorm's maxNorm"),
    eps: 0,
    norm: l2,
    rule: globalRule,
    grouping: axes === undefined ? { kind: "tensor" } : unitsGrouping(axes, "clipByNorm's axes"),
    passes: axes === undefined ? groupPasses : unitPasses,
  };
}
