import { bound } from "../check.ts";
import { globalRule } from "./globalRule.ts";
import type { ClipMethod } from "./method.ts";

/**
 * Scales all gradients by one factor so that their joint L2 norm is at most `maxNorm`: g * min(1, maxNorm / norm),
 * norm = sqrt(sum of all squares). At or under the bound nothing is written. After R. Pascanu, T. Mikolov, Y. Bengio,
 * "On the difficulty of training recurrent neural networks" (2013); PyTorch's `clip_grad_norm_` without its epsilon,
 * TensorFlow's and Optax's `clip_by_global_norm`.
 *
 * @param maxNorm 0 (every gradient becomes 0), a positive normal float32, or Infinity (measure only).
 * @throws RangeError for any other number, TypeError for anything else.
 */
export function clipByGlobalNorm(maxNorm = 1): ClipMethod {
  return { name: "clipByGlobalNorm", maxNorm: bound(maxNorm, "clipByGlobalNorm's maxNorm"), rule: globalRule };
}
