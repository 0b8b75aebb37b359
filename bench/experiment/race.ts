// The recorded experiment as a race: lanes of networks, and where each one is at a step. Nothing here needs a page.

import type { Outcome } from "./cell.ts";
import type { Mode } from "./plan.ts";
import type { Summary } from "./summary.ts";

/** Not clipped, not clipped at the best rate for that, clipped by norm, and by value. */
export const laneNames = ["none", "best", "norm", "value"] as const;
export type LaneName = (typeof laneNames)[number];

/** What the race shows of a network. */
export type Runner = Pick<Outcome, "explodedAt" | "stepsToGoal" | "accuracy" | "loss">;

export interface LanePlan {
  mode: Mode;
  learningRate: number;
}

export const raceSteps = 1500;
/** The step whose counts are the headline. */
export const headlineStep = 900;
const stepsPerExam = 50;
const lossOfGuessing = Math.log(10);

/** The lanes at a learning rate. The second and the last keep the best rate of their kind. */
export function lanesAt({ findings }: Summary, learningRate: number): Record<LaneName, LanePlan> {
  return {
    none: { mode: "none", learningRate },
    best: { mode: "none", learningRate: findings.none.bestRate },
    norm: { mode: "norm", learningRate },
    value: { mode: "value", learningRate: findings.value.bestRate },
  };
}

export function runnersOf({ cells }: Summary, { mode, learningRate }: LanePlan): readonly Runner[] {
  return cells.find((cell) => cell.mode === mode && cell.learningRate === learningRate)?.outcomes ?? [];
}

/** A network at a step: the accuracy of its last exam, and whether it has exploded or has reached the goal. */
export function runnerAt({ explodedAt, stepsToGoal, accuracy, loss }: Runner, step: number) {
  // A loss far above that of guessing counts as an explosion too. The recording has it for the end only.
  const endedBadly = step >= raceSteps && !(typeof loss === "number" && loss <= 2 * lossOfGuessing);
  const hasExploded = (explodedAt !== null && explodedAt <= step) || endedBadly;
  const hasArrived = !hasExploded && stepsToGoal !== null && stepsToGoal <= step;
  return { hasExploded, hasArrived, accuracy: accuracy[Math.floor(step / stepsPerExam) - 1] ?? 0 };
}

export function countsAt(runners: readonly Runner[], step: number): { arrived: number; exploded: number } {
  const states = runners.map((runner) => runnerAt(runner, step));
  return {
    arrived: states.filter(({ hasArrived }) => hasArrived).length,
    exploded: states.filter(({ hasExploded }) => hasExploded).length,
  };
}

export function headlineOf(summary: Summary): { clipped: string; unclipped: string } {
  const counts = (plan: LanePlan) => {
    const runners = runnersOf(summary, plan);
    return { ...countsAt(runners, headlineStep), of: runners.length };
  };
  const lanes = lanesAt(summary, summary.findings.norm.bestRate);
  const [clipped, best] = [counts(lanes.norm), counts(lanes.best)];
  const none = (count: number) => (count === 0 ? "none" : count);
  return {
    clipped: `Clipped, ${clipped.arrived} of ${clipped.of} networks read 70 % of the digits at step ${headlineStep}, and ${none(clipped.exploded)} exploded.`,
    unclipped: `Not clipped, at its best rate: ${best.arrived} of ${best.of}, and ${none(best.exploded)} exploded.`,
  };
}

/** What the race does not show. */
export function doubtsOn(summary: Summary): string {
  const { value, norm } = lanesAt(summary, Math.max(...summary.configuration.learningRates));
  const byValue = countsAt(runnersOf(summary, value), raceSteps);
  const fastest = countsAt(runnersOf(summary, norm), raceSteps);
  const seeds = summary.configuration.seeds.length;
  return (
    "This does not show that clipping is always a gain. " +
    `Clipped by value, at a rate of its own, ${byValue.arrived} of ${seeds} get there too. ` +
    `Clipping does not make every rate a good one: at ${norm.learningRate} the clipped networks survive, and ${fastest.arrived} of ${seeds} read 70 %.`
  );
}
