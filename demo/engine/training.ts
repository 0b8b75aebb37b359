import { classCount, type Digits } from "../../bench/training/digits.ts";
import { uniformNumbers } from "../../bench/training/random.ts";
import { type Batch, drawBatch } from "./batch.ts";
import { initialWeights } from "./network.ts";
import type { Trainer } from "./trainer.ts";

export const exampleCount = 32;
/** The page reads results back once in so many steps. The trainer itself waits for nothing. */
export const stepsPerReading = 2;

/** The last of a few steps. */
export interface Reading {
  step: number;
  loss: number;
  /** How many gradients were not finite. */
  nonFinite: number;
  /** The fault that the visitor put into the last batch, if any. */
  fault?: Fault;
}

/** Every step of the run: gradclip keeps them on the GPU, and one copy brings those since the reading before. */
export interface Curve {
  steps: number[];
  norms: number[];
  bounds: number[];
  /** 1 clipped, 2 skipped, 4 NaN, 8 infinity. */
  flags: number[];
}

const notFinite = 4 | 8;

export type Fault = "wild" | "nan";
export type TrainingState = "training" | "paused" | "finished";

export interface Run {
  seed: number;
  bound: number;
  steps: number;
}

interface Events {
  onState(state: TrainingState): void;
  onReading(reading: Reading): void | Promise<void>;
  onError(error: unknown): void;
}

/** Runs one training after the other on one trainer: starts, pauses, and takes readings. */
export class Training {
  readings: Reading[] = [];
  curve: Curve = noSteps();
  initial: readonly Float32Array<ArrayBuffer>[] = [];
  readonly #trainer: Trainer;
  readonly #digits: Digits;
  readonly #events: Events;
  #run: Run = { seed: 0, bound: 1, steps: 0 };
  #uniform: () => number = () => 0;
  #fault: Fault | undefined;
  #loop: Promise<void> = Promise.resolve();
  #restarts = 0;
  #isStopping = false;

  constructor(trainer: Trainer, digits: Digits, events: Events) {
    this.#trainer = trainer;
    this.#digits = digits;
    this.#events = events;
  }

  get step(): number {
    return this.readings.at(-1)?.step ?? 0;
  }

  async restart(run: Run): Promise<void> {
    const restart = ++this.#restarts;
    await this.pause();
    // The visitor may have restarted meanwhile.
    if (restart !== this.#restarts) return;
    this.#run = run;
    this.#uniform = uniformNumbers(run.seed);
    this.#fault = undefined;
    this.readings = [];
    this.curve = noSteps();
    this.initial = initialWeights(this.#uniform);
    this.#trainer.load(this.initial);
    this.setBound(run.bound);
    this.resume();
  }

  /** Takes effect at the next step. Nothing is compiled or allocated again. */
  setBound(bound: number): void {
    this.#run.bound = bound;
    this.#trainer.clip.set({ maxNorm: bound });
  }

  /** Spoils the last batch before the next reading. */
  spoil(fault: Fault): void {
    this.#fault = fault;
  }

  async pause(): Promise<void> {
    this.#isStopping = true;
    await this.#loop;
  }

  resume(): void {
    this.#isStopping = false;
    this.#loop = this.#train().catch(this.#events.onError);
  }

  /** Frames set the pace: a hidden tab pauses by itself. */
  async #train(): Promise<void> {
    this.#events.onState("training");
    while (this.step < this.#run.steps && !this.#isStopping) {
      await nextFrame();
      const reading = await this.#advance();
      this.readings.push(reading);
      await this.#events.onReading(reading);
    }
    this.#events.onState(this.step < this.#run.steps ? "paused" : "finished");
  }

  async #advance(): Promise<Reading> {
    const fault = this.#fault;
    this.#fault = undefined;
    for (let i = 1; i <= stepsPerReading; i++) {
      const batch = drawBatch(this.#digits, exampleCount, this.#uniform);
      this.#trainer.step(fault && i === stepsPerReading ? spoiled(batch, fault) : batch);
    }
    const { clip } = this.#trainer;
    const [loss, history] = await Promise.all([this.#trainer.loss(), clip.history()]);
    const { steps, norms, bounds, flags } = this.curve;
    norms.push(...history.norms);
    bounds.push(...history.bounds);
    flags.push(...history.flags);
    while (steps.length < norms.length) steps.push(steps.length + 1);
    const isBad = ((flags.at(-1) ?? 0) & notFinite) !== 0;
    const nonFinite = isBad ? (await clip.report()).nonFinite : 0;
    return { step: steps.length, loss, nonFinite, fault };
  }
}

function noSteps(): Curve {
  return { steps: [], norms: [], bounds: [], flags: [] };
}

export function nextFrame(): Promise<number> {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}

/** A wild batch is 1,000 times too bright, and every label is that of the next example. */
function spoiled({ inputs, targets }: Batch, fault: Fault): Batch {
  if (fault === "wild") {
    const shifted = targets.map((_, at) => targets[(at + classCount) % targets.length] as number);
    return { inputs: inputs.map((level) => 1000 * level), targets: shifted };
  }
  const copy = inputs.slice();
  copy[0] = Number.NaN;
  return { inputs: copy, targets };
}
