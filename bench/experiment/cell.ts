import { type ClipMethod, clipByGlobalNorm, clipByValue } from "../../src/index.ts";
import type { Backend } from "../training/backend.ts";
import type { Digits } from "../training/digits.ts";
import { type Exam, type Measured, Networks } from "../training/networks.ts";
import { adam, descent } from "../training/rnn.ts";
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

/** Trains all seeds of a cell at once. */
export async function runCell(
  cell: Cell,
  backend: Backend,
  digits: Digits,
  exam: Exam,
  onStep: (step: number) => void,
): Promise<CellResult> {
  const start = performance.now();
  const members = seeds.map((seed) => ({ seed, learningRate: cell.learningRate }));
  const networks = new Networks(
    digits,
    members,
    methods[cell.mode](seeds.length),
    optimizers[cell.optimizer ?? "descent"],
  );
  const outcomes = seeds.map(startOf);
  const clippedSteps = seeds.map(() => 0);
  let step = 0;
  while (step < cell.steps && !isOver(cell, outcomes)) {
    step++;
    note(await networks.step(), step, outcomes, clippedSteps);
    if (step % stepsPerExam === 0) {
      const { accuracy, losses } = await networks.examine(exam);
      outcomes.forEach((outcome, index) => {
        const right = outcome.explodedAt === null ? (accuracy[index] as number) : 0.1;
        outcome.accuracy.push(Number(right.toFixed(4)));
        outcome.loss = written(losses[index] as number);
        if (right >= goal) outcome.stepsToGoal ??= step;
      });
    }
    onStep(step);
  }
  outcomes.forEach((outcome, index) => {
    if (cell.mode === "value") outcome.clippedShare = null;
    else outcome.clippedShare = Number(((clippedSteps[index] as number) / (outcome.explodedAt ?? step)).toFixed(4));
  });
  networks.dispose();
  const seconds = Math.round((performance.now() - start) / 1000);
  return { ...cell, backend: backend.badge, stepsRun: step, seconds, outcomes };
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
