import type { CellResult, Outcome } from "./cell.ts";
import { bounds, type Cell, configuration, learningRates, type Mode, stepsPerExam } from "./plan.ts";

/** A number with its 95 % interval; null if fewer than half of the seeds reached it. */
export interface Estimate {
  value: number | null;
  interval: [number | null, number | null];
}

export interface CellSummary {
  mode: Mode;
  learningRate: number;
  bound: number | null;
  steps: number;
  stepsRun: number;
  seconds: number;
  backend: string;
  seeds: number;
  exploded: number;
  /** As shares. */
  explodedInterval: [number, number];
  /** Seeds that did not explode and end at most twice as good as guessing. */
  stuck: number;
  accuracy: Estimate;
  arrived: number;
  stepsToGoal: Estimate;
  clippedShare: number | null;
  outcomes: Outcome[];
}

export interface Summary {
  configuration: typeof configuration;
  cells: CellSummary[];
  longRuns: CellSummary[];
  /** By Adam, without clipping and by norm. */
  adam: CellSummary[];
  /** Cells of the plan that are not trained. */
  missing: Cell[];
  crossCheck: { webgpu: CellSummary; wasm: CellSummary };
  findings: Record<
    Mode,
    { largestSafeRate: number | null; bestRate: number; accuracy: number | null; steps: number | null }
  >;
}

const lossOfGuessing = Math.log(10);

export function summarise(
  { main, long, adam }: Record<"main" | "long" | "adam", CellResult[]>,
  gpu: CellResult,
  missing: Cell[],
): Summary {
  const cells = main.map(summaryOf);
  const twin = main.find(
    ({ mode, learningRate }) => mode === gpu.mode && learningRate === gpu.learningRate,
  ) as CellResult;
  return {
    configuration,
    cells,
    longRuns: long.map(summaryOf),
    adam: adam.map(summaryOf),
    missing,
    crossCheck: { webgpu: summaryOf(gpu), wasm: summaryOf(until(twin, gpu.steps)) },
    findings: { none: findings(cells, "none"), value: findings(cells, "value"), norm: findings(cells, "norm") },
  };
}

function summaryOf({ mode, learningRate, steps, stepsRun, seconds, backend, outcomes }: CellResult): CellSummary {
  const hasExploded = ({ explodedAt, loss }: Outcome) =>
    explodedAt !== null || !(typeof loss === "number" && loss <= 2 * lossOfGuessing);
  const count = outcomes.length;
  const exploded = outcomes.filter(hasExploded).length;
  const last = (outcome: Outcome) => (hasExploded(outcome) ? 0.1 : (outcome.accuracy.at(-1) ?? 0));
  const shares = outcomes.map(({ clippedShare }) => clippedShare).filter((share) => share !== null);
  return {
    mode,
    learningRate,
    bound: mode === "none" ? null : bounds[mode],
    steps,
    stepsRun,
    seconds,
    backend,
    seeds: count,
    exploded,
    explodedInterval: wilson(exploded, count),
    stuck: outcomes.filter((outcome) => !hasExploded(outcome) && last(outcome) < 0.2).length,
    accuracy: median(outcomes.map(last)),
    arrived: outcomes.filter(({ stepsToGoal }) => stepsToGoal !== null).length,
    stepsToGoal: median(outcomes.map(({ stepsToGoal }) => stepsToGoal ?? Infinity)),
    clippedShare: shares.length > 0 ? median(shares).value : null,
    outcomes,
  };
}

/** The same cell after so many steps. The loss of that time is not known, so only the step shows an explosion. */
function until(cell: CellResult, steps: number): CellResult {
  const outcomes = cell.outcomes.map((outcome) => ({
    ...outcome,
    explodedAt: outcome.explodedAt !== null && outcome.explodedAt <= steps ? outcome.explodedAt : null,
    stepsToGoal: outcome.stepsToGoal !== null && outcome.stepsToGoal <= steps ? outcome.stepsToGoal : null,
    accuracy: outcome.accuracy.slice(0, steps / stepsPerExam),
  }));
  return { ...cell, steps, stepsRun: steps, outcomes };
}

function findings(cells: readonly CellSummary[], mode: Mode): Summary["findings"][Mode] {
  const own = cells.filter((cell) => cell.mode === mode);
  const safe = own
    .filter(({ exploded, stuck }) => exploded === 0 && stuck === 0)
    .map(({ learningRate }) => learningRate);
  const best = own.reduce((best, cell) => ((cell.accuracy.value ?? 0) > (best.accuracy.value ?? 0) ? cell : best));
  return {
    largestSafeRate: learningRates.filter((rate) => safe.includes(rate)).at(-1) ?? null,
    bestRate: best.learningRate,
    accuracy: best.accuracy.value,
    steps: best.stepsToGoal.value,
  };
}

/** Wilson's interval of a share, 95 %. */
export function wilson(successes: number, count: number): [number, number] {
  const z = 1.96;
  const share = successes / count;
  const centre = (share + z ** 2 / (2 * count)) / (1 + z ** 2 / count);
  const half = (z / (1 + z ** 2 / count)) * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2));
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

/** The median, and the order statistics between which the true one lies in 95 % of all samples (binomial). */
export function median(values: readonly number[]): Estimate {
  const sorted = [...values].sort((a, b) => a - b);
  const count = sorted.length;
  const middle = ((sorted[Math.floor((count - 1) / 2)] as number) + (sorted[Math.ceil((count - 1) / 2)] as number)) / 2;
  // The most values below which the true median lies in at most 2.5 % of all samples.
  let [below, tail, probability] = [0, 0, 0.5 ** count];
  while (tail + probability <= 0.025) {
    tail += probability;
    below++;
    probability *= (count - below + 1) / below;
  }
  const rank = Math.max(0, below - 1);
  const finite = (value: number | undefined) => (Number.isFinite(value) ? Number((value as number).toFixed(4)) : null);
  return { value: finite(middle), interval: [finite(sorted[rank]), finite(sorted[count - 1 - rank])] };
}
