import { type ClipMethod, clipByGlobalNorm, clipByValue } from "../../src/index.ts";
import type { Backend } from "../training/backend.ts";
import type { Digits } from "../training/digits.ts";
import type { Exam } from "../training/networks.ts";
import { adam, descent } from "../training/rnn.ts";
import { Ensemble, type Measured } from "./ensemble.ts";
import { bounds, type Cell, goal, type Mode, seeds, stepsPerExam } from "./plan.ts";

/** The outcome of one seed. */
export interface Outcome {
  seed: number;
  firstNorm: number | string;
  /** The step whose gradient or loss was not finite. */
  explodedAt: number | null;
  stepsToGoal: number | null;
  /** The share of clipped steps up to the explosion, for methods that know it for each seed. */
  clippedShare: number | null;
  /** On held-out digits, at each exam. */
  accuracy: number[];
  loss: number | string;
}

export interface CellResult extends Cell {
  backend: string;
  stepsRun: number;
  seconds: number;
  outcomes: Outcome[];
}

const methods: Record<Mode, (members: number) => ClipMethod | undefined> = {
  none: () => undefined,
  value: () => clipByValue(bounds.value),
  norm: (members) => clipByGlobalNorm(bounds.norm, { members }),
};

const optimizers = { adam, descent };

/** All seeds of a cell, trained at once, step by step. */
export class CellTraining {
  readonly outcomes: Outcome[] = seeds.map(startOf);
  readonly #cell: Cell;
  readonly #exam: Exam;
  readonly #networks: Ensemble;
  readonly #clippedSteps = seeds.map(() => 0);
  #step = 0;

  constructor(cell: Cell, digits: Digits, exam: Exam) {
    this.#cell = cell;
    this.#exam = exam;
    const members = seeds.map((seed) => ({ seed, learningRate: cell.learningRate }));
    const method = methods[cell.mode](seeds.length);
    this.#networks = new Ensemble(digits, members, method, optimizers[cell.optimizer ?? "descent"]);
  }

  get step(): number {
    return this.#step;
  }

  get isOver(): boolean {
    return this.#step >= this.#cell.steps || isOver(this.#cell, this.outcomes);
  }

  async advance(): Promise<void> {
    const step = ++this.#step;
    note(await this.#networks.step(), step, this.outcomes, this.#clippedSteps);
    if (step % stepsPerExam > 0) return;
    const { accuracy, losses } = await this.#networks.examine(this.#exam);
    this.outcomes.forEach((outcome, index) => {
      const right = outcome.explodedAt === null ? (accuracy[index] as number) : 0.1;
      outcome.accuracy.push(Number(right.toFixed(4)));
      outcome.loss = written(losses[index] as number);
      if (right >= goal) outcome.stepsToGoal ??= step;
    });
  }

  /** Of the steps up to the explosion, where the method knows it for each seed. */
  noteClippedShares(): void {
    if (this.#cell.mode === "value") return;
    this.outcomes.forEach((outcome, index) => {
      const steps = outcome.explodedAt ?? this.#step;
      outcome.clippedShare = Number(((this.#clippedSteps[index] as number) / steps).toFixed(4));
    });
  }

  dispose(): void {
    this.#networks.dispose();
  }
}

/** Trains a whole cell. */
export async function runCell(
  cell: Cell,
  backend: Backend,
  digits: Digits,
  exam: Exam,
  onStep: (step: number) => void,
): Promise<CellResult> {
  const start = performance.now();
  const training = new CellTraining(cell, digits, exam);
  while (!training.isOver) {
    await training.advance();
    onStep(training.step);
  }
  training.noteClippedShares();
  training.dispose();
  const seconds = Math.round((performance.now() - start) / 1000);
  return { ...cell, backend: backend.badge, stepsRun: training.step, seconds, outcomes: training.outcomes };
}

function startOf(seed: number): Outcome {
  return { seed, firstNorm: 0, explodedAt: null, stepsToGoal: null, clippedShare: null, accuracy: [], loss: 0 };
}

function isOver({ untilGoal }: Cell, outcomes: readonly Outcome[]): boolean {
  return outcomes.every(({ explodedAt, stepsToGoal }) => explodedAt !== null || (untilGoal && stepsToGoal !== null));
}

function note({ losses, norms, clipped }: Measured, step: number, outcomes: Outcome[], clippedSteps: number[]): void {
  outcomes.forEach((outcome, index) => {
    const [loss, norm] = [losses[index] as number, norms[index] as number];
    if (step === 1) outcome.firstNorm = written(norm);
    if (outcome.explodedAt !== null) return;
    if (clipped?.[index]) clippedSteps[index] = (clippedSteps[index] as number) + 1;
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) outcome.explodedAt = step;
  });
}

/** JSON has no NaN and no infinity. */
function written(value: number): number | string {
  return Number.isFinite(value) ? Number(value.toPrecision(5)) : String(value);
}
