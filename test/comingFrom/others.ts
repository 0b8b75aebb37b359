import { type Check, first, leftOut, norm, of, tell } from "./checks.ts";
import { adaGC, adaGCSquared, adaptive, caffe, deepspeed, l2, megatron, opacus, scaled } from "./formulas.ts";

export const caffeChecks: Record<string, Check> = {
  "Off, for `[3, 4]`": { gradients: of([3, 4]), theirs: caffe([3, 4], -1) },
  "What it says, for `[3, 4]`": {
    gradients: of([3, 4]),
    theirs: [l2([3, 4]), 1 / l2([3, 4])],
    ours: ({ report }) => [report.norm, report.scale],
  },
  "`iter_size: 2`, a sum of `[6, 8]`": {
    gradients: of([6, 8]),
    theirs: tell`${scaled(caffe([6, 8], 1), 1 / 2)}, the sum is clipped, then halved`,
    ours: (step) => tell`${first(step)}, the mean is clipped`,
  },
  "The same by Caffe's rule": { gradients: of([6, 8]), theirs: scaled(caffe([6, 8], 1), 1 / 2) },
  "NaN passed on, for `[NaN, 1]`": { gradients: of([Number.NaN, 1]), theirs: caffe([Number.NaN, 1], 1) },
  "A blob without a diff, beside `[3, 4]`": { ...leftOut, theirs: "counts as 0" },
  "Weight decay 0.5 of weights `[1, 1]`, for `[3, 4]`": {
    gradients: of([3, 4]),
    theirs: tell`${decayed(caffe([3, 4], 1))}, added after clipping`,
    ours: (step) => decayed(first(step)),
  },
};

function decayed(gradients: readonly number[]): number[] {
  return gradients.map((g) => Math.fround(g + 0.5 * 1));
}

const matrix = () => [
  { buffer: Float32Array.of(0, 3, 0, 4), shape: [2, 2], parameter: { buffer: Float32Array.of(30, 40, 40, 30) } },
];
const rows = [...adaptive([0, 3], [30, 40], 0.01), ...adaptive([0, 4], [40, 30], 0.01)];

export const otherChecks: Record<string, Check> = {
  "timm: `[0, 3, 0, 4]`, 2 by 2, its parameter `[30, 40, 40, 30]`": {
    gradients: matrix,
    theirs: rows,
  },
  "timm: the same by its axes": { gradients: matrix, theirs: rows },
  "Opacus: an example at the bound, `[3, 4]`": { gradients: of([3, 4]), theirs: opacus([[3, 4]], 5) },
  "Apex: `[NaN, 1]`, the largest magnitude": {
    gradients: of([Number.NaN, 1]),
    // fmaxf gives the other one where one is NaN.
    theirs: tell`${[Number.NaN, 1].reduce((most, g) => (Math.abs(g) > most ? Math.abs(g) : most), 0)}, the NaN is lost`,
    ours: norm,
  },
  "Megatron-LM: `[NaN, 1]`": { gradients: of([Number.NaN, 1]), theirs: megatron([Number.NaN, 1], 1) },
  "Megatron-LM: 0, for `[3, 4]`": { gradients: of([3, 4]), theirs: megatron([3, 4], 0) },
  "Megatron-LM: above a threshold, `[30, 40]`": {
    gradients: of([30, 40]),
    theirs: "skips the step",
    ours: ({ report }) => tell`${report.skippedSteps}: skips the step`,
  },
  "DeepSpeed: `[Infinity, 1]`": { gradients: of([Infinity, 1]), theirs: deepspeed([Infinity, 1], 1) },
  "DeepSpeed: `[1e20, 1e20]`": { gradients: of([1e20, 1e20]), theirs: deepspeed([1e20, 1e20], 1) },
  "DeepSpeed: 0, for `[3, 4]`": { gradients: of([3, 4]), theirs: deepspeed([3, 4], 0) },
  "AdaGC: `[30, 40]` at the first step": {
    gradients: of([30, 40]),
    theirs: tell`${adaGCSquared([30, 40], 1)}, by the squared norm`,
  },
  "AdaGC: `[3, 4]` after a warm-up of zeros": {
    gradients: of([3, 4]),
    theirs: tell`${adaGC([3, 4], 0)}, as at every later step`,
  },
};
