import { readBoolean, readBound, readCount, readNormalFloat, readOptions } from "../check.ts";
import { l2 } from "../norms/l2.ts";
import { groupRunsOf, type Members, presentElements } from "../pieces.ts";
import { automaticRule } from "../rules/automatic.ts";
import { globalRule } from "../rules/global.ts";
import { rmsRule } from "../rules/rms.ts";
import { isPresent } from "../view.ts";
import type { ClipMethod } from "./method.ts";
import { examplePasses } from "./passes.ts";

/**
 * Clips the gradient of each example of a batch by its own L2 norm over all tensors, and sums the clipped gradients:
 * sum over m of g[m] * min(1, maxNorm / norm(g[m])). The leading axis of every gradient has the examples, as `vmap` of a
 * gradient makes it. The sum is written to the first example's place, or to `into`, which is as long as one example. The places of
 * the other examples do not change. It is Optax's `per_example_global_norm_clip`, and Opacus' flat clipping without its 1e-6.
 *
 * This is the first half of DP-SGD: M. Abadi et al., "Deep learning with differential privacy" (2016). You add noise with a
 * standard deviation of noiseMultiplier * maxNorm to the sum, divide by the expected batch size, and keep the accounts. Without noise
 * there is no privacy. One example changes the sum by at most maxNorm, under every option: that is the sensitivity that an accountant takes.
 *
 * A step may bring fewer examples, 0 too, as Poisson sampling draws them: the first n of every gradient. `memberNorms` is NaN where there is none.
 * Of 0 examples the sum is 0 in `into`, and `accumulate` leaves what is there. Without an `into` nothing is written then. An absent gradient is
 * not one of 0 examples: its `into` keeps the sum of the step before. A row of zeros is neutral: a batch may be padded with them too.
 *
 * `automatic` scales every example, short ones too, by maxNorm / (norm + automatic): AUTO-S of Z. Bu et al., "Automatic clipping"
 * (NeurIPS 2023, arXiv:2206.07136), with their gamma, 0.01 there. The bound then only multiplies the learning rate; all examples count
 * as clipped. `accumulate` adds the sum to what is in `into`, for a logical batch of several physical ones: clear `into` before the first,
 * add the noise once, after the last. `perLayer` clips each tensor of an example by its own norm, to maxNorm / sqrt(tensors), as Opacus'
 * `clipping="per_layer"` with that bound for every tensor; two tensors `[3]` and `[4]` of one example become sqrt(1 / 2) each.
 * `memberNorms`, `memberScales` and `Clip.scales` then have entry `examples * k + m` for example m of the k-th gradient.
 *
 * Under `nonFinite: "zero"` (default) an example with a NaN or an infinity is left out of the sum; the record's skip flag is set only if all examples are.
 * The report has `memberNorms`, `memberScales` and `clippedMembers`. Sums are in float32, 16 examples at a time. A tensor larger
 * than the device's binding is summed in pieces, and 16-bit formats are rounded after each piece. If a single example is that
 * large, the tensor needs an `into`.
 *
 * @example
 * ```ts
 * const gradients = new Float32Array([3, 4, 0, 0.5]); // two examples of two elements
 * await clipGradients([gradients], clipPerExample(1, { examples: 2 }));
 * gradients.subarray(0, 2); // [0.6, 1.3]
 * ```
 * @param maxNorm 0 (the sum is 0), a positive normal float32, or Infinity (the plain sum).
 * @param options.automatic a positive normal float32; `maxNorm` may then not be 0 or Infinity.
 * @param options.accumulate default false.
 * @param options.perLayer default false.
 * @param options.examples the number of examples: the length of the leading axis of every gradient. A step may have fewer.
 * @throws RangeError for any other number, TypeError for anything else. `prepare` throws RangeError for a gradient that so many
 * examples cannot share, a step for gradients of different numbers of examples. `prepare` throws TypeError for `totalNorm` and `apply: "record"`, and under `accumulate` for a gradient without `into`.
 */
export function clipPerExample(
  maxNorm: number,
  options: { examples: number; automatic?: number; accumulate?: boolean; perLayer?: boolean },
): ClipMethod {
  const known = ["examples", "automatic", "accumulate", "perLayer"] as const;
  const given = readOptions(options, "clipPerExample's options", known);
  const { automatic, accumulate = false } = given;
  const isAutomatic = automatic !== undefined;
  const examples = readCount(given.examples, "clipPerExample's examples");
  const perLayer = readBoolean(given.perLayer ?? false, "clipPerExample's perLayer");
  const together = examplesOf(examples);
  const rule = isAutomatic ? automaticRule : perLayer ? rmsRule : globalRule;
  return {
    name: "clipPerExample",
    maxNorm: (isAutomatic ? readNormalFloat : readBound)(maxNorm, "clipPerExample's maxNorm"),
    eps: isAutomatic ? readNormalFloat(automatic, "clipPerExample's automatic") : 0,
    norm: l2,
    rule: perLayer ? { ...rule, weight: ({ share = 1 }) => share } : rule,
    grouping: perLayer ? byTensor(together) : together,
    passes: examplePasses,
    examples,
    accumulate: readBoolean(accumulate, "clipPerExample's accumulate"),
    checkOptions({ apply }) {
      if (apply !== "record") return;
      throw new TypeError('options.apply is "record", but clipPerExample makes a sum; leave it out.');
    },
  };
}

/** Examples that share a norm over all tensors. */
function examplesOf(count: number): Members {
  return {
    kind: "members",
    count,
    presentIn: (declared) => {
      const tensor = declared.find(isPresent);
      return tensor && (count * presentElements(tensor)) / tensor.length;
    },
  };
}

/** A norm for each tensor of an example. The squares of their bounds add up to that of maxNorm. */
function byTensor(together: Members): Members {
  const { count } = together;
  return {
    ...together,
    groupOf: (_, ordinal, example) => count * ordinal + example,
    runsOf: (declared) =>
      declared.flatMap((tensor, ordinal) =>
        groupRunsOf([tensor], together).map((run) => ({
          ...run,
          group: count * ordinal + run.group,
          absent: run.absent || !isPresent(tensor),
          share: Math.fround(Math.sqrt(1 / declared.length)),
        })),
      ),
  };
}
