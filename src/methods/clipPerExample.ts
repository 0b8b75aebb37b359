import { counted, readBoolean, readBound, readCount, readNormalFloat, readOptions } from "../check.ts";
import { l2 } from "../norms/l2.ts";
import { type GroupRun, type Members, presentElements } from "../pieces.ts";
import { CLIPPED, type ClipReport, ENTRY_BYTES, readEntries, recordAt } from "../record.ts";
import { refuseUneven } from "../requirements.ts";
import { automaticRule } from "../rules/automatic.ts";
import { globalRule } from "../rules/global.ts";
import { rmsRule } from "../rules/rms.ts";
import { type Declared, isPresent, type Tensor } from "../view.ts";
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
 * Of 0 examples the sum is 0 in `into`, and `accumulate` leaves what is there. A row of zeros is neutral: a batch may be padded with them too.
 *
 * `automatic` scales every example, short ones too, by maxNorm / (norm + automatic): AUTO-S of Z. Bu et al., "Automatic clipping"
 * (NeurIPS 2023, arXiv:2206.07136), with their gamma, 0.01 there. The bound then only multiplies the learning rate; all examples count
 * as clipped. `accumulate` adds the sum to what is in `into`, for a logical batch of several physical ones: clear `into` before the first,
 * add the noise once, after the last. `perLayer` clips each tensor of an example by its own norm, to maxNorm / sqrt(tensors), as Opacus'
 * `clipping="per_layer"` with that bound for every tensor; two tensors `[3]` and `[4]` of one example become sqrt(1 / 2) each. `memberNorms`
 * is over all tensors as before, `memberScales` is NaN, and `Clip.scales` has entry `examples * k + m` for example m of the k-th gradient.
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
  const rule = isAutomatic ? automaticRule : perLayer ? rmsRule : globalRule;
  return {
    name: "clipPerExample",
    maxNorm: (isAutomatic ? readNormalFloat : readBound)(maxNorm, "clipPerExample's maxNorm"),
    eps: isAutomatic ? readNormalFloat(automatic, "clipPerExample's automatic") : 0,
    norm: l2,
    rule: perLayer ? { ...rule, weight: ({ share = 1 }) => share } : rule,
    grouping: { ...examplesOf(examples), ...(perLayer && byTensor(examples)) },
    passes: examplePasses,
    examples,
    accumulate: readBoolean(accumulate, "clipPerExample's accumulate"),
  };
}

/** Examples that share a norm over all tensors. A step may lack the last ones. */
function examplesOf(count: number): Members {
  return {
    kind: "members",
    count,
    runsOf: (declared) => runsOf(0, count, declared.find(isPresent) ?? count),
    check: ({ tensors: [first], declared }) => {
      for (const tensor of declared) refuseUnequal(tensor, first, count);
    },
  };
}

/** A norm for each tensor of an example. The squares of their bounds add up to that of maxNorm. */
function byTensor(count: number): Partial<Members> {
  return {
    groupOf: (_, ordinal, example) => count * ordinal + example,
    runsOf: (declared) => {
      const share = Math.fround(Math.sqrt(1 / declared.length));
      return declared.flatMap((tensor, ordinal) =>
        runsOf(count * ordinal, count, isPresent(tensor) ? tensor : 0).map((run) => ({ ...run, share })),
      );
    },
    report: (entries) => reportOf(entries, count),
  };
}

/** No rule for examples counts their values. @param of a gradient, or how many examples of it are present. */
function runsOf(first: number, count: number, of: Tensor | number): GroupRun[] {
  const present = typeof of === "number" ? of : presentIn(of, count);
  return Array.from({ length: count }, (_, example) => ({
    group: first + example,
    count: 1,
    valuesPerGroup: 0,
    absent: example >= present,
  }));
}

function presentIn(tensor: Tensor, count: number): number {
  return (count * presentElements(tensor)) / tensor.length;
}

/** A step brings as many examples of every gradient as of the first. */
function refuseUnequal(tensor: Declared, first: Tensor | undefined, count: number): void {
  const present = isPresent(tensor) ? presentIn(tensor, count) : count;
  refuseUneven(tensor, count, "example", present);
  if (!first || !isPresent(tensor) || present === presentIn(first, count)) return;
  throw new RangeError(
    `${tensor.label} has ${counted(present, "example")}, but ${first.label} has ${presentIn(first, count)}; pass as many in every gradient.`,
  );
}

/** Of each example over all tensors. The entry of what is absent has no norm and no flag. */
function reportOf(entries: DataView, count: number): Partial<ClipReport> {
  const squares: (number | undefined)[] = Array(count).fill(undefined);
  const clipped = new Set<number>();
  for (const [number, norm] of readEntries(entries).norms.entries()) {
    const flags = entries.getUint32(ENTRY_BYTES * number + recordAt.flags, true);
    const example = number % count;
    if ((flags & CLIPPED) !== 0) clipped.add(example);
    if (flags !== 0 || norm >= 0) squares[example] = (squares[example] ?? 0) + norm * norm;
  }
  return {
    memberNorms: Float64Array.from(squares, (square) => Math.sqrt(square ?? Number.NaN)),
    memberScales: new Float64Array(count).fill(Number.NaN),
    clippedMembers: clipped.size,
  };
}
