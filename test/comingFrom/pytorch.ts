import { number16, round16 } from "../conformance/numbers.ts";
import { type Check, first, leftOut, norm, of, tell } from "./checks.ts";
import { l2, pytorch, pytorchValue, scaled } from "./formulas.ts";
import type { Step } from "./run.ts";

/** 1 to 100 and ten of 1/1000: the gradients of PyTorch's test_clip_grad_norm. */
const FIXTURE = [Array.from({ length: 100 }, (_, i) => i + 1), Array<number>(10).fill(0.001)];

async function asError({ clip }: Step): Promise<string> {
  const error = await clip.report({ throwIfNonFinite: true }).catch((thrown) => thrown);
  return `\`${error.constructor.name}\``;
}

/** 16-bit gradients, and what they hold afterwards. */
function halves(dtype: "f16" | "bf16", pattern: number, length: number) {
  const buffer = new Uint16Array(length).fill(pattern);
  return { gradients: () => [{ buffer, dtype }], values: () => [...buffer].map((bits) => number16(dtype, bits)) };
}

/** How many are not 0. */
function zeroNorm(values: readonly number[]): number {
  return values.filter((value) => value !== 0).length;
}

const HALF_60000 = 0x7b53;
const large = halves("f16", HALF_60000, 2);
const largestHalf = 65_504;

export const pytorchChecks: Record<string, Check> = {
  "What it returns, for `[3, 4]`": {
    gradients: of([3, 4]),
    theirs: tell`${l2([3, 4])}, the norm before clipping`,
    ours: ({ report }) => tell`${report.norm}, the norm before clipping`,
  },
  "Its epsilon, for `[3, 4]`": { gradients: of([3, 4]), theirs: pytorch([3, 4], 5) },
  "`norm_type`, for `[3, 4]`": { gradients: of([3, 4]), theirs: pytorch([3, 4], 2, 4) },
  "Its test's `[1, ..., 100]` and ten `0.001`": {
    gradients: of(...FIXTURE),
    theirs: FIXTURE.flat().reduce((sum, g) => sum + Math.sqrt(g), 0) ** 2,
    ours: norm,
  },
  "`norm_type=0`, for `[3, 0]`, `[4, 5]`": {
    gradients: of([3, 0], [4, 5]),
    theirs: tell`${zeroNorm(
      [
        [3, 0],
        [4, 5],
      ].map(zeroNorm),
    )}, the number of tensors`,
  },
  "A negative `norm_type`, for `[3, 4]`": { gradients: of([3, 4]), theirs: 1 / (1 / 3 + 1 / 4) },
  "A parameter without a gradient, beside `[3, 4]`": leftOut,
  "No gradients at all": { gradients: of(), theirs: l2([]), ours: norm },
  "NaN as an error, for `[NaN, 1]`": {
    gradients: of([Number.NaN, 1]),
    theirs: "`RuntimeError`, before scaling, after waiting for the GPU",
    ours: async (step) => `${await asError(step)}, after the step, which left ${tell`${first(step)}`}`,
  },
  "The same with the gradients kept": {
    gradients: of([Number.NaN, 1]),
    theirs: [Number.NaN, 1],
    ours: async (step) => `${await asError(step)} and ${tell`${first(step)}`}`,
  },
  "NaN passed on, for `[NaN, 1]`": { gradients: of([Number.NaN, 1]), theirs: pytorch([Number.NaN, 1], 1) },
  "Infinity passed on, for `[Infinity, 1]`": { gradients: of([Infinity, 1]), theirs: pytorch([Infinity, 1], 1) },
  "The same without a bound": { gradients: of([Infinity, 1]), theirs: pytorch([Infinity, 1], Infinity) },
  "By value, for `[NaN, Infinity, -3, 1]`": {
    gradients: of([Number.NaN, Infinity, -3, 1]),
    theirs: pytorchValue([Number.NaN, Infinity, -3, 1], 2),
  },
  "A negative limit, for `[3, 4]`": { gradients: of([3, 4]), theirs: pytorchValue([3, 4], -1) },
  "The norm of 220 ones in bfloat16": {
    gradients: halves("bf16", 0x3f80, 220).gradients,
    theirs: round16("bf16", l2(Array(220).fill(1))),
    ours: norm,
  },
  "`[60000, 60000]` in float16": {
    gradients: large.gradients,
    theirs: tell`${pytorch([60000, 60000], 1, l2([60000, 60000]) > largestHalf ? Infinity : 0)}, as the norm is no float16`,
    ours: () => large.values(),
  },
  "AMP, `[3072, 4096]` scaled by 1024": {
    gradients: of([3072, 4096]),
    theirs: scaled(pytorch([3072, 4096], 10), 1 / 1024),
  },
  "AMP, `[Infinity, 1]`": {
    gradients: of([Infinity, 1]),
    theirs: "skips the step",
    ours: ({ report }) => (report.skippedSteps === 1 ? "sets the skip flag" : "does not skip"),
  },
};
