// Two networks from one initialisation, trained on the same batches: one with its gradients clipped, one without.

import type { numpy as np } from "@jax-js/jax";
import type { Digits } from "../digits.ts";
import { uniformNumbers } from "../random.ts";
import type { Backend } from "./backend.ts";
import { clipOnCpu } from "./clipOnCpu.ts";
import { clipOnGpu } from "./clipOnGpu.ts";
import { measureOnly } from "./measureOnly.ts";
import { drawInitialValues, type Parameters } from "./rnn.ts";
import { type Measurement, Run } from "./training.ts";

export const stepCount = 600;
export const batchSize = 16;
const stepsPerExam = 25;

/** Steps that are queued before the oldest one's numbers are awaited: the device never idles, and a pause is prompt. */
const queueLength = 4;

export interface Settings {
  learningRate: number;
  bound: number;
  seed: number;
}

/** Digits that are never trained on, on the device, and what they are. */
export interface Exam {
  inputs: np.Array[];
  labels: Uint8Array;
}

/** What all comparisons share. */
export interface Setup {
  backend: Backend;
  digits: Digits;
  exam: Exam;
  /** Gradients of the network, as an example of their number, sizes and names. */
  gradients: Parameters;
}

/** What is known about one run, step by step; loss and norm are null where they were not finite. */
export interface History {
  loss: (number | null)[];
  norm: (number | null)[];
  latest?: Measurement;
  explodedAt?: number;
  clippedSteps: number;
  skipped: number;
  guesses?: ArrayLike<number>;
  accuracy?: number;
}

export type RunName = "clipped" | "unclipped";

export class Comparison {
  readonly histories: Record<RunName, History> = {
    clipped: { loss: [], norm: [], clippedSteps: 0, skipped: 0 },
    unclipped: { loss: [], norm: [], clippedSteps: 0, skipped: 0 },
  };
  readonly #runs: Record<RunName, Run>;
  readonly #digits: Digits;
  readonly #exam: Exam;
  readonly #uniform: () => number;
  readonly #queue: Promise<void>[] = [];
  #queued = 0;

  private constructor({ digits, exam }: Setup, runs: Record<RunName, Run>, uniform: () => number) {
    this.#digits = digits;
    this.#exam = exam;
    this.#runs = runs;
    this.#uniform = uniform;
  }

  /** Takes seconds where gradclip's kernels are not compiled yet. */
  static async prepare(setup: Setup, { learningRate, bound, seed }: Settings): Promise<Comparison> {
    const { clipper, device } = setup.backend;
    const uniform = uniformNumbers(seed);
    const initial = drawInitialValues(uniform);
    const [clipping, measuring] = await Promise.all([
      device ? clipOnGpu(clipper, device, bound, setup.gradients) : clipOnCpu(clipper, bound, setup.gradients),
      measureOnly(clipper, setup.gradients),
    ]);
    const clipped = new Run(initial, clipping, learningRate);
    const unclipped = new Run(initial, measuring, learningRate);
    return new Comparison(setup, { clipped, unclipped }, uniform);
  }

  /** Steps whose numbers have arrived. */
  get step(): number {
    return this.histories.clipped.loss.length;
  }

  get isFinished(): boolean {
    return this.step >= stepCount;
  }

  /** Queues one more step of both runs, or waits for the oldest one where enough are queued. */
  async advance(): Promise<void> {
    if (this.#queued < stepCount) {
      const step = this.#step(++this.#queued);
      // It is awaited when its turn comes; until then its failure is not an unhandled one.
      step.catch(() => {});
      this.#queue.push(step);
    }
    if (this.#queue.length >= queueLength || this.#queued === stepCount) await this.#queue.shift();
  }

  async dispose(): Promise<void> {
    await Promise.allSettled(this.#queue);
    for (const run of Object.values(this.#runs)) run.dispose();
  }

  async #step(step: number): Promise<void> {
    const batch = this.#digits.draw(batchSize, this.#uniform);
    const isExam = step % stepsPerExam === 0;
    const names = (["clipped", "unclipped"] as const).filter((name) => !this.histories[name].explodedAt);
    await Promise.all(
      names.map(async (name) => {
        const run = this.#runs[name];
        const measurement = run.step(batch);
        const guesses = isExam ? run.guess(this.#exam.inputs) : undefined;
        this.#record(name, step, await measurement);
        if (guesses) this.#grade(name, await guesses);
      }),
    );
  }

  #record(name: RunName, step: number, measurement: Measurement): void {
    const history = this.histories[name];
    history.latest = measurement;
    history.loss.push(finite(measurement.loss));
    history.norm.push(finite(measurement.norm));
    if (measurement.clipped) history.clippedSteps++;
    if (measurement.nonFinite === 0 && Number.isFinite(measurement.loss)) return;
    // gradclip turns non-finite gradients into zeros: its run loses the step and keeps its weights.
    if (name === "clipped") history.skipped++;
    else history.explodedAt ??= step;
  }

  #grade(name: RunName, guesses: ArrayLike<number>): void {
    const history = this.histories[name];
    const { labels } = this.#exam;
    const right = labels.filter((label, index) => label === guesses[index]).length;
    history.guesses = guesses;
    history.accuracy = right / labels.length;
  }
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
