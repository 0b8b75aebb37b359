import type { ClipReport, GradientView } from "../../src/index.ts";
import { type Check, first, leftOut, norm, of, tell } from "./checks.ts";
import {
  adaGC,
  adaGCSquared,
  adaptive,
  axlearnSkips,
  caffe,
  deepspeed,
  l2,
  megatron,
  olmoCoreSkips,
  opacus,
  opacusByLayer,
  scaled,
} from "./formulas.ts";
import { valuesOf } from "./run.ts";

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

function said(skips: boolean): string {
  return skips ? "skips the step" : "takes the step";
}

function told({ skippedSteps }: ClipReport): string {
  return tell`${skippedSteps}: ${said(skippedSteps > 0)}`;
}

/** One example, and a place for the sum. */
function sumOf(values: number[]) {
  return { buffer: Float32Array.from(values), into: { buffer: new Float32Array(values.length) } };
}

const matrix = () => [
  { buffer: Float32Array.of(0, 3, 0, 4), shape: [2, 2], parameter: { buffer: Float32Array.of(30, 40, 40, 30) } },
];
const layers = opacusByLayer([[3], [4]], [Math.SQRT1_2, Math.SQRT1_2]) as [number[], number[]];
const rows = [...adaptive([0, 3], [30, 40], 0.01), ...adaptive([0, 4], [40, 30], 0.01)];

export const otherChecks: Record<string, Check> = {
  "timm: `[0, 3, 0, 4]`, 2 by 2, its parameter `[30, 40, 40, 30]`": {
    gradients: matrix,
    theirs: rows,
  },
  "timm: the same by its axes": { gradients: matrix, theirs: rows },
  "Opacus: an example at the bound, `[3, 4]`": { gradients: of([3, 4]), theirs: opacus([[3, 4]], 5) },
  "Opacus: two physical batches, `[3, 4]` and `[0, 0.5]`": {
    gradients: () => [sumOf([3, 4])],
    theirs: opacus(
      [
        [3, 4],
        [0, 0.5],
      ],
      1,
    ),
    ours: (step) => {
      const [{ into }] = step.gradients as [GradientView];
      step.clip.run([{ ...sumOf([0, 0.5]), into }]);
      return first(step);
    },
  },
  "Opacus: two layers `[3]` and `[4]` of one example": {
    gradients: of([3], [4]),
    theirs: tell`${layers[0]} and ${layers[1]}`,
    ours: ({ gradients }) => {
      const [first = [], second = []] = valuesOf(gradients);
      return tell`${first} and ${second}`;
    },
  },
  "Opacus: an empty batch, after a sum of `[3, 4]`": {
    gradients: () => [sumOf([3, 4])],
    theirs: [0, 0],
    ours: (step) => {
      const [view] = step.gradients as [GradientView];
      step.clip.run([{ ...view, length: 0 }]);
      return first(step);
    },
  },
  "OLMo-core: `[30, 40]` after 127 steps of `[3, 4]`": {
    gradients: of([3, 4]),
    theirs: said(olmoCoreSkips([...Array<number>(127).fill(5), 50])),
    ours: async ({ clip }) => {
      for (let step = 1; step < 127; step++) clip.run(of([3, 4])());
      clip.run(of([30, 40])());
      return told(await clip.report());
    },
  },
  "axlearn: above a threshold, `[30, 40]`": {
    gradients: of([30, 40]),
    theirs: said(axlearnSkips([30, 40], 10)),
    ours: ({ report }) => told(report),
  },
  "axlearn: at the threshold, `[3, 4]`": {
    gradients: of([3, 4]),
    theirs: said(axlearnSkips([3, 4], 5)),
    ours: ({ report }) => told(report),
  },
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
    ours: ({ report }) => told(report),
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
