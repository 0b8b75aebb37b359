import { Comparison, type Settings, type Setup } from "./comparison.ts";

export type TrainingState = "training" | "paused" | "finished";

interface Events {
  onState(state: TrainingState): void;
  onFrame(comparison: Comparison, stepsPerSecond: number): void;
  onError(error: unknown): void;
}

/** Main-thread milliseconds for training in each frame; the rest of it is for drawing and the visitor. */
const frameBudget = 12;

/** Where less motion is wanted, the curves move on once a second. */
const calmInterval = 1000;
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** Starts, pauses and replaces the comparison in training: never more than one. */
export class Trainer {
  readonly #setup: Setup;
  readonly #events: Events;
  #comparison: Comparison | undefined;
  #loop: Promise<void> = Promise.resolve();
  #restarts = 0;
  #isStopping = false;

  constructor(setup: Setup, events: Events) {
    this.#setup = setup;
    this.#events = events;
  }

  async restart(settings: Settings): Promise<void> {
    const restart = ++this.#restarts;
    await this.pause();
    const previous = this.#comparison;
    this.#comparison = undefined;
    await previous?.dispose();
    const comparison = await Comparison.prepare(this.#setup, settings);
    // A control may have asked again in the meantime.
    if (restart !== this.#restarts) return comparison.dispose();
    this.#comparison = comparison;
    this.resume();
  }

  async pause(): Promise<void> {
    this.#isStopping = true;
    await this.#loop;
  }

  resume(): void {
    if (!this.#comparison) return;
    this.#isStopping = false;
    this.#loop = this.#train(this.#comparison).catch(this.#events.onError);
  }

  /** Paced by frames, so that a hidden tab pauses by itself. */
  async #train(comparison: Comparison): Promise<void> {
    this.#events.onState("training");
    const [firstStep, startTime] = [comparison.step, performance.now()];
    const report = () => {
      const seconds = (performance.now() - startTime) / 1000;
      this.#events.onFrame(comparison, (comparison.step - firstStep) / seconds);
    };
    let reported = 0;
    while (!comparison.isFinished && !this.#isStopping) {
      const frame = await nextFrame();
      do await comparison.advance();
      while (performance.now() - frame < frameBudget && !comparison.isFinished);
      if (reducedMotion.matches && frame - reported < calmInterval) continue;
      reported = frame;
      report();
    }
    report();
    this.#events.onState(comparison.isFinished ? "finished" : "paused");
  }
}

/** After the next frame has been painted, if called before a long task. */
export function nextFrame(): Promise<number> {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}
