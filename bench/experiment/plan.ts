// The plan of the training; docs/experiment.json repeats it. Its sizes (20 seeds a cell, five rates, 1,500 steps) take under an
// hour on one core. The long runs stop at the goal.

import { batchSize } from "../training/networks.ts";
import { hiddenUnits } from "../training/rnn.ts";

export type Mode = "none" | "value" | "norm";

export const seeds = Array.from({ length: 20 }, (_, index) => index + 1);
export const learningRates = [0.001, 0.0046, 0.0215, 0.1, 0.46];
export const bounds = { value: 0.1, norm: 1 };
export const stepsPerExam = 50;
export const goal = 0.7;

export interface Cell {
  mode: Mode;
  learningRate: number;
  steps: number;
  /** The cell ends when every seed has reached the goal or has exploded. */
  untilGoal?: boolean;
  /** Without it: plain gradient descent. */
  optimizer?: "adam";
}

export const cells: Cell[] = (["norm", "none", "value"] as const).flatMap((mode) =>
  learningRates.map((learningRate) => ({ mode, learningRate, steps: 1500 })),
);

/** What a small learning rate costs: without clipping, until the goal. */
export const longCells: Cell[] = [0.0046, 0.001].map((learningRate) => ({
  mode: "none",
  learningRate,
  steps: 5000,
  untilGoal: true,
}));

/** An optimizer that normalises by itself. */
export const adamCells: Cell[] = [0.001, 0.003].flatMap((learningRate) =>
  (["none", "norm"] as const).map((mode) => ({ mode, learningRate, steps: 1500, optimizer: "adam" })),
);

/** Trained again on WebGPU; compared with the same steps of the cell that ran on wasm. */
export const crossCheck: Cell = { mode: "norm", learningRate: 0.1, steps: 150 };

export const configuration = {
  data: "digits, 8 x 8: 1,400 to train, 384 held out; 32 steps of 2 pixels",
  network: `Elman, ReLU, ${hiddenUnits} hidden units, softmax at the last step`,
  initialisation: "W_hh ~ N(0, 2/32), W_xh ~ N(0, 1/2), W_hy ~ N(0, 1/32), biases 0",
  optimizer:
    "plain stochastic gradient descent; in the cells of `adam`, Adam with decays 0.9 and 0.999 and epsilon 1e-8",
  batchSize,
  seeds,
  learningRates,
  bounds,
  nonFinite: "propagate",
  goal: `held-out accuracy of ${goal}, looked at every ${stepsPerExam} steps`,
  exploded: "a gradient or a loss that is not finite at some step, or a held-out loss above 2 ln 10 at the end",
};
