import { type Check, first, of, tell } from "./checks.ts";
import { keras, scaled, tfGlobalNorm, tfNorm, tfValue } from "./formulas.ts";
import { runLine, valuesOf } from "./run.ts";

export const tensorflowChecks: Record<string, Check> = {
  "Out of place, for `[3, 4]`": {
    gradients: () => [{ buffer: Float32Array.of(3, 4), into: { buffer: new Float32Array(2) } }],
    theirs: tell`${tfGlobalNorm([3, 4], 1)} in new tensors`,
    ours: (step) => tell`${first(step)} in the other array`,
  },
  "A `None` before `[NaN]`": {
    gradients: () => [null, Float32Array.of(Number.NaN)],
    theirs: "keeps its place in the result",
    ours: ({ report }) => tell`${report.firstNonFinite?.index ?? -1}: keeps its place`,
  },
  "A norm of your own, 10, for `[3, 4]`": { gradients: of([3, 4]), theirs: tfGlobalNorm([3, 4], 1, 10) },
  "A norm of your own, NaN, for `[3, 4]`": { gradients: of([3, 4]), theirs: tfGlobalNorm([3, 4], 1, Number.NaN) },
  "`[3, 4]`, listed twice": {
    gradients: () => {
      const shared = Float32Array.of(3, 4);
      return [shared, shared];
    },
    theirs: tfGlobalNorm([3, 4, 3, 4], 1).slice(0, 2),
    ours: (step) => tell`${first(step)}, counted twice and scaled once`,
  },
  "No list": { gradients: () => Float32Array.of(3, 4) as never, theirs: "`TypeError`" },
  "`[Infinity, 1]` beside `[3, 4]`": {
    gradients: of([Infinity, 1], [3, 4]),
    theirs: [tfNorm([Infinity, 1], 1), tfNorm([3, 4], 1)],
  },
  "The columns of `[3, 0, 4, 1]`, 2 by 2": {
    gradients: () => [{ buffer: Float32Array.of(3, 0, 4, 1), shape: [2, 2] }],
    theirs: transposed(tfNorm([3, 4], 1), tfNorm([0, 1], 1)),
  },
  "Limits that cross, for `[3, 4]`": { gradients: of([3, 4]), theirs: tfValue([3, 4], 2, -2) },
  "By value, for `[NaN, Infinity, -Infinity]`": {
    gradients: of([Number.NaN, Infinity, -Infinity]),
    theirs: tfValue([Number.NaN, Infinity, -Infinity], -1, 2),
  },
  "Keras: each variable, `[3]` and `[4]`": {
    gradients: of([3], [4]),
    theirs: [keras(tfNorm, [3], 1), keras(tfNorm, [4], 1)],
  },
  "Keras: all variables, `[3]` and `[4]`": {
    gradients: of([3], [4]),
    theirs: keras(tfGlobalNorm, [3, 4], 1).map((value) => [value]),
  },
  "Keras: 0, for `[3, 4]`": { gradients: of([3, 4]), theirs: keras(tfNorm, [3, 4], 0) },
  "Keras: negative, for `[3, 4]`": { gradients: of([3, 4]), theirs: keras(tfNorm, [3, 4], -1) },
  "Keras: two at once, for `[3, 4]`": {
    gradients: of([3, 4]),
    theirs: "`ValueError`",
    ours: async ({ gradients, code }) => {
      await runLine(code.slice(1), gradients);
      return valuesOf(gradients);
    },
  },
  "Keras: 2 steps that add up to `[6, 8]`": {
    gradients: of([6, 8]),
    theirs: keras(tfGlobalNorm, scaled([6, 8], 1 / 2), 1),
  },
  "Keras: `LossScaleOptimizer`, `[3072, 4096]`": {
    gradients: of([3072, 4096]),
    theirs: keras(tfGlobalNorm, scaled([3072, 4096], 1 / 1024), 1),
  },
};

/** Two columns as a matrix, row by row. */
export function transposed(left: readonly number[], right: readonly number[]): number[] {
  return left.flatMap((value, row) => [value, right[row] as number]);
}
