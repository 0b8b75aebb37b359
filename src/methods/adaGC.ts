import { LONGEST_WARMUP, readBound, readDecay, readInteger, readNormalFloat, readOptions } from "../check.ts";
import { l2 } from "../norms/l2.ts";
import { adaRule } from "../rules/ada.ts";
import type { ClipMethod } from "./method.ts";
import { groupPasses } from "./passes.ts";

/**
 * Clips each gradient by its own L2 norm, to `relative` times a moving average of that norm: g * h with
 * h = min(1, relative * average / norm), and then average = decay * average + (1 - decay) * h * norm. In the first `warmup` steps all
 * gradients are clipped by their joint norm, h = min(1, maxNorm / joint norm), and each average is the least of its h * norm so far.
 * Source: G. Wang et al., "AdaGC: Enhancing LLM pretraining stability via adaptive gradient clipping" (ICML 2026, arXiv:2502.11034),
 * with the defaults of its code (github.com/PaddlePaddle/PaddleFleet, Research/AdaGC).
 *
 * The averages stay on the GPU, 8 bytes for each gradient, and nothing waits for them. A norm of 0 or that is not finite, an absent
 * gradient and a skipped step leave an average as it is, and a step that is skipped or not finite is none of the `warmup`. After the
 * warm-up a gradient that has no average yet is not clipped, and starts with its norm: LoRA's A, whose first gradients are 0, is not
 * held at 0 as by the paper's formula. A NaN or an infinity concerns everything in the warm-up, and later only its own gradient.
 *
 * The report has `tensorNorms`; its `norm` is that of everything. `Clip.state()` and `Clip.restore()` save and resume the averages;
 * `Clip.set({ maxNorm })` changes the bound of the warm-up.
 *
 * @example
 * ```ts
 * const [kernel, bias] = [new Float32Array([3, 4]), new Float32Array([1])];
 * const clip = (await createClipper()).prepare([kernel, bias], adaGC({ warmup: 1, maxNorm: 10 }));
 * clip.run(); // not clipped: the averages are 5 and 1
 * kernel.set([30, 40]);
 * clip.run(); // the bound of the kernel is 1.05 * 5
 * kernel; // [3.15, 4.2]
 * bias; // [1]
 * ```
 * @param options.relative from 1, a float32; default 1.05. Below 1 every bound would shrink from step to step.
 * @param options.decay at least 0, below 1; default 0.98.
 * @param options.warmup an integer, 0 to 1,000,000; default 100.
 * @param options.maxNorm the bound of the warm-up: 0, a positive normal float32, or Infinity (none); default 1.
 * @throws RangeError for any other number, TypeError for anything else and for an unknown option; of `prepare`: TypeError for
 * `totalNorm`.
 */
export function adaGC(options?: { relative?: number; decay?: number; warmup?: number; maxNorm?: number }): ClipMethod {
  const {
    relative = 1.05,
    decay = 0.98,
    warmup = 100,
    maxNorm = 1,
  } = readOptions(options, "adaGC's options", ["relative", "decay", "warmup", "maxNorm"]);
  const least = readNormalFloat(relative, "adaGC's relative");
  if (least < 1) {
    throw new RangeError(`adaGC's relative is ${relative}, so that bounds only shrink; pass a number from 1 on.`);
  }
  return {
    name: "adaGC",
    maxNorm: readBound(maxNorm, "adaGC's maxNorm"),
    eps: 0,
    norm: l2,
    grouping: { kind: "tensor" },
    passes: groupPasses,
    rule: adaRule({
      relative: least,
      decay: readDecay(decay, "adaGC's decay"),
      warmup: readInteger(warmup, "adaGC's warmup", 0, LONGEST_WARMUP),
    }),
  };
}
