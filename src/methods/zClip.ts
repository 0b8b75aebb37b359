import {
  LONGEST_WARMUP,
  readBound,
  readDecay,
  readInteger,
  readNormalFloat,
  readOneOf,
  readOptions,
} from "../check.ts";
import { l2 } from "../norms/l2.ts";
import { zRule } from "../rules/z.ts";
import { groupsFound } from "./groupsNamed.ts";
import type { ClipMethod } from "./method.ts";
import { groupPasses, jointPasses } from "./passes.ts";

/**
 * Clips by the global L2 norm if the norm exceeds the mean of earlier norms by more than `zThreshold` standard deviations:
 * z = (norm - mean) / (deviation + 1e-6); if z > zThreshold, bound = mean + zThreshold * deviation / (z / zThreshold). The bound
 * is never above maxNorm. Source: A. Kumar et al., "ZClip: Adaptive spike mitigation for LLM pre-training" (2025,
 * arXiv:2504.02507), with its defaults.
 *
 * The first `warmup` norms give mean and variance; in that time only maxNorm bounds. Then both are moving averages of n, which is
 * the norm or its z-bound (not the cap): mean = decay * mean + (1 - decay) * n, and with the new mean
 * variance = decay * variance + (1 - decay) * (n - mean)^2. Both stay on the GPU, with 32 bits and any exponent. Norms of 1e-45
 * to 1e40 neither overflow nor underflow, but the 1e-6 of the paper's code dominates norms below it.
 *
 * A step with NaN or infinite gradients does not change mean and variance. If no z-bound applies, the record's bound is maxNorm.
 *
 * With `per: "tensor"` each gradient has its own norm, mean, variance and bound, and so has each `group` of views with `per: "group"`;
 * gradients without a group are one group more. maxNorm caps each. What is absent, skipped, not finite or 0 leaves its mean as it is:
 * a bound that follows from zeros alone would stay 0. The report has `tensorNorms`, or `groups` by name.
 *
 * `Clip.state()` and `Clip.restore()` save and resume mean and variance; `Clip.set({ maxNorm })` changes the cap.
 *
 * @example
 * ```ts
 * const gradient = new Float32Array([4]);
 * const clip = (await createClipper()).prepare([gradient], zClip({ warmup: 2 }));
 * clip.run();
 * gradient.set([6]);
 * clip.run(); // mean 5, deviation 1
 * gradient.set([15]);
 * clip.run(); // z is 10, the bound 5 + 2.5 * 1 / (10 / 2.5)
 * gradient; // [5.625]
 * ```
 * @param options.zThreshold a positive normal float32; default 2.5.
 * @param options.decay at least 0, below 1; default 0.97.
 * @param options.warmup an integer, 1 to 1,000,000; default 25.
 * @param options.maxNorm a cap: 0, a positive normal float32, or Infinity (default, none).
 * @param options.per "all" (default), "tensor" or "group": what has a norm of its own.
 * @throws RangeError for any other number, TypeError for anything else and for an unknown option; of `prepare`, unless `per` is "all":
 * TypeError for `totalNorm` and for a group that is no string, RangeError for one that is called "others".
 */
export function zClip(options?: {
  zThreshold?: number;
  decay?: number;
  warmup?: number;
  maxNorm?: number;
  per?: "all" | "tensor" | "group";
}): ClipMethod {
  const {
    zThreshold = 2.5,
    decay = 0.97,
    warmup = 25,
    maxNorm = Infinity,
    per = "all",
  } = readOptions(options, "zClip's options", ["zThreshold", "decay", "warmup", "maxNorm", "per"]);
  readOneOf(per, "zClip's per", ["all", "tensor", "group"]);
  return {
    name: "zClip",
    maxNorm: readBound(maxNorm, "zClip's maxNorm"),
    norm: l2,
    grouping: per === "group" ? groupsFound("zClip") : { kind: per as "all" | "tensor" },
    passes: per === "all" ? jointPasses : groupPasses,
    rule: zRule(
      {
        zThreshold: readNormalFloat(zThreshold, "zClip's zThreshold"),
        decay: readDecay(decay, "zClip's decay"),
        warmup: readInteger(warmup, "zClip's warmup", 1, LONGEST_WARMUP),
      },
      per !== "all",
    ),
  };
}
