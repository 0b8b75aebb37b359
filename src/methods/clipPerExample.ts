import { readBound, readCount, readOptions } from "../check.ts";
import { l2 } from "../norms/l2.ts";
import { globalRule } from "../rules/global.ts";
import type { ClipMethod } from "./method.ts";
import { examplePasses } from "./passes.ts";

/**
 * Clips the gradient of each example of a batch by its own L2 norm over all tensors, and sums the clipped gradients:
 * sum over m of g[m] * min(1, maxNorm / norm(g[m])). The leading axis of every gradient has the examples, as `vmap` of a
 * gradient makes it. The sum is written to the first example's place, or to `into`, which is as long as one example. The places of
 * the other examples do not change. It is Optax's `per_example_global_norm_clip`, and Opacus' flat clipping without its 1e-6.
 *
 * This is the first half of DP-SGD: M. Abadi et al., "Deep learning with differential privacy" (2016). You add noise with a
 * standard deviation of noiseMultiplier * maxNorm to the sum, divide by the batch size, and keep the accounts. Without noise
 * there is no privacy.
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
 * @param options.examples the number of examples: the length of the leading axis of every gradient.
 * @throws RangeError for any other number, TypeError for anything else. `prepare` throws RangeError for a gradient that so many
 * examples cannot share, and TypeError for `totalNorm` and `apply: "record"`.
 */
export function clipPerExample(maxNorm: number, options: { examples: number }): ClipMethod {
  const { examples } = readOptions(options, "clipPerExample's options", ["examples"]);
  const checked = readCount(examples, "clipPerExample's examples");
  return {
    name: "clipPerExample",
    maxNorm: readBound(maxNorm, "clipPerExample's maxNorm"),
    eps: 0,
    norm: l2,
    rule: globalRule,
    grouping: { kind: "members", count: checked },
    passes: examplePasses,
    examples: checked,
  };
}
