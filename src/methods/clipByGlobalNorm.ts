import { readBound, readCount, readNonNegative, readOptions } from "../check.ts";
import { normOf } from "../norms/normOf.ts";
import { globalRule } from "../rules/global.ts";
import type { ClipMethod } from "./method.ts";
import { groupPasses, jointPasses } from "./passes.ts";

export interface GlobalNormOptions {
  /**
   * The p of the norm, (sum |g|^p)^(1/p): 1, 2 (default), Infinity (the largest magnitude), or from 0.05 to 4,194,304. For p
   * other than 1, 2 and Infinity the norm is within 3e-6; for p below 0.5 it is within 1.5e-6 / p.
   */
  normType?: number;
  /** Added to the norm: g * min(1, maxNorm / (norm + eps)); default 0. PyTorch has 1e-6. */
  eps?: number;
  /**
   * The number of networks that train together: the length of the leading axis of every gradient, as `vmap` makes it. Each member
   * has its own norm over all gradients, its own scale, and its own verdict on NaN and infinity.
   */
  members?: number;
}

/**
 * Scales all gradients by one factor so that their joint norm is at most `maxNorm`: g * min(1, maxNorm / norm), with
 * norm = sqrt(sum of all squares) unless `normType` says otherwise. At or under the bound nothing is written. Source:
 * R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks" (2013). It is PyTorch's
 * `clip_grad_norm_` without its epsilon, and TensorFlow's and Optax's `clip_by_global_norm`.
 *
 * @example
 * ```ts
 * const gradient = new Float32Array([3, 4]);
 * await clipGradients([gradient], clipByGlobalNorm(1));
 * gradient; // [0.6, 0.8]
 * ```
 * @param maxNorm 0 (every gradient becomes 0), a positive normal float32, or Infinity (measure only).
 * @throws RangeError for any other number, TypeError for anything else.
 */
export function clipByGlobalNorm(maxNorm = 1, options?: GlobalNormOptions): ClipMethod {
  const subject = "clipByGlobalNorm's options";
  const { normType = 2, eps = 0, members } = readOptions(options, subject, ["normType", "eps", "members"]);
  return {
    name: "clipByGlobalNorm",
    maxNorm: readBound(maxNorm, "clipByGlobalNorm's maxNorm"),
    eps: readNonNegative(eps, "clipByGlobalNorm's eps"),
    norm: normOf(normType, "clipByGlobalNorm's normType"),
    rule: globalRule,
    grouping:
      members === undefined
        ? { kind: "all" }
        : { kind: "members", count: readCount(members, "clipByGlobalNorm's members") },
    passes: members === undefined ? jointPasses : groupPasses,
  };
}
