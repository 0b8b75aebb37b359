import { bound } from "../check.ts";
import { globalRule } from "./globalRule.ts";
import type { ClipMethod } from "./method.ts";
import { l2 } from "./normKinds.ts";

/**
 * Scales each gradient by its own factor so that its L2 norm is at most `maxNorm`: g * min(1, maxNorm / norm(g)).
 * TensorFlow's `clip_by_norm`, Keras' `clipnorm`. The direction of all gradients together may change; a NaN or an
 * infinity concerns only the gradient that holds it. The report has `tensorNorms`; its `norm` is that of everything.
 *
 * @param maxNorm 0 (every gradient becomes 0), a positive normal float32, or Infinity (measure only).
 * @throws RangeError for any other number, TypeError for anything else; of `prepare`: TypeError for `totalNorm`.
 */
export function clipByNorm(maxNorm = 1): ClipMethod {
  return {
    name: "clipByNorm",
    maxNorm: bound(maxNorm, "clipByNorm's maxNorm"),
    eps: 0,
    norm: l2,
    rule: globalRule,
    grouping: { kind: "tensor" },
  };
}
