import { type Check, first, leftOut, norm, of, tell } from "./checks.ts";
import { adaptive, l2, optax, optaxBlockRms, optaxPerExample } from "./formulas.ts";
import { valuesOf } from "./run.ts";

export const optaxChecks: Record<string, Check> = {
  "At the bound, `[12, 35]`": { gradients: of([12, 35]), theirs: optax([12, 35], 37) },
  "A leaf that is `None`, beside `[3, 4]`": leftOut,
  "A schedule, for `[3, 4]` each time": {
    gradients: of([3, 4]),
    theirs: [0, 1, 2].map((maxNorm) => optax([3, 4], maxNorm)),
    ours: ({ clip, gradients }) => {
      const results = [valuesOf(gradients)];
      for (const maxNorm of [1, 2]) {
        const again = of([3, 4])();
        clip.set({ maxNorm });
        clip.run(again);
        results.push(valuesOf(again));
      }
      return results.flat();
    },
  },
  "One NaN, `[NaN, 1]`": {
    gradients: of([Number.NaN, 1]),
    theirs: [Number.NaN, 1].map((g) => (Number.isNaN(g) ? 0 : g)),
  },
  "`[NaN, 1]`, three steps in a row": {
    gradients: of([Number.NaN, 1]),
    theirs: "lets the third one through",
    ours: async ({ clip, report }) => {
      for (let step = 1; step < 3; step++) clip.run(of([Number.NaN, 1])());
      return tell`${report.skippedSteps + (await clip.report()).skippedSteps}: skips each`;
    },
  },
  "Zeros, `[0, 0]`": { gradients: of([0, 0]), theirs: optaxBlockRms([0, 0], 0) },
  "Examples `[3, 4]` and `[NaN, 1]`": {
    gradients: of([3, 4, Number.NaN, 1]),
    theirs: optaxPerExample(
      [
        [3, 4],
        [Number.NaN, 1],
      ],
      1,
    ),
    ours: (step) => first(step).slice(0, 2),
  },
  "How many were clipped, of `[3, 4]` and `[0, 1]`": {
    gradients: of([3, 4, 0, 1]),
    theirs: tell`${[l2([3, 4]), l2([0, 1])].filter((each) => 1 / each < 1).length}, beside the sum`,
    ours: ({ report }) => report.clippedMembers ?? -1,
  },
  "`[1e-7, 0]`, its parameter `[0, 0]`": {
    gradients: () => [{ buffer: Float32Array.of(1e-7, 0), shape: [2], parameter: { buffer: new Float32Array(2) } }],
    theirs: adaptive([1e-7, 0], [0, 0], 1e-5),
  },
  "No parameter": { gradients: () => [{ buffer: Float32Array.of(3, 4), shape: [2] }], theirs: "`ValueError`" },
  "Six axes": {
    gradients: () => [
      {
        buffer: new Float32Array(64),
        shape: [2, 2, 2, 2, 2, 2],
        parameter: { buffer: new Float32Array(64) },
      },
    ],
    theirs: "`ValueError`",
  },
  "Other norms, of `[3, 4]`": { gradients: of([3, 4]), theirs: "`ValueError`", ours: norm },
};
