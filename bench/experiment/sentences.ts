import type { CellSummary, Summary } from "./summary.ts";

/** What the README and the training page say of the result, with its numbers. */
export function sentencesOf({ cells, longRuns, adam, findings }: Summary): string[] {
  const at = (mode: CellSummary["mode"], rate: number) =>
    cells.find((cell) => cell.mode === mode && cell.learningRate === rate);
  const sum = (mode: CellSummary["mode"], quantity: "exploded" | "seeds") =>
    cells.filter((cell) => cell.mode === mode).reduce((total, cell) => total + cell[quantity], 0);
  const rates = (mode: CellSummary["mode"]) =>
    cells
      .filter((cell) => cell.mode === mode)
      .map(({ exploded, learningRate }) => `${exploded} at ${learningRate}`)
      .join(", ");
  const { norm, value, none } = findings;
  const best = at("norm", norm.bestRate);
  const byValue = at("value", value.bestRate);
  const [slow, same] = [at("norm", none.bestRate), at("none", none.bestRate)];
  const seeds = best?.seeds ?? 0;
  const adamRates = [...new Set(adam.map(({ learningRate }) => learningRate))];
  const outcome = (mode: CellSummary["mode"], rate: number) => {
    const cell = adam.find((other) => other.mode === mode && other.learningRate === rate);
    return `${cell?.exploded} of ${seeds} explode, ${cell?.arrived} reach 0.7 and the median accuracy is ${cell?.accuracy.value?.toFixed(2)}`;
  };
  return [
    `Without clipping ${sum("none", "exploded")} of ${sum("none", "seeds")} networks explode (of ${seeds} each: ${rates("none")}); clipped to a norm of 1, ${sum("norm", "exploded")} of ${sum("norm", "seeds")}.`,
    `The largest of these rates at which every network lives and learns is ${norm.largestSafeRate ?? "none"} by norm and ${value.largestSafeRate ?? "none"} by value; without clipping ${none.largestSafeRate === null ? "there is none" : `it is ${none.largestSafeRate}`}.`,
    `By norm at ${norm.bestRate}, ${best?.arrived} of ${seeds} networks reach an accuracy of 0.7, after ${norm.steps} steps (median).`,
    `By value at ${value.bestRate}, ${byValue?.arrived} of ${seeds} do, after ${value.steps} steps: no worse than by norm; but of ${seeds} each, ${rates("value")} explode.`,
    ...longRuns.map(
      ({ learningRate, arrived, exploded, stepsToGoal, steps }) =>
        `Without clipping at ${learningRate}, ${arrived} of ${seeds} do within ${steps} steps, and ${exploded} explode; the median is ${stepsToGoal.value === null ? "never" : `${stepsToGoal.value} steps`}.`,
    ),
    `With Adam it gains little: ${adamRates.map((rate) => `at ${rate} ${outcome("none", rate)} without clipping, ${outcome("norm", rate)} by norm`).join("; ")}.`,
    `At one and the same small rate clipping is slower: at ${none.bestRate} the median accuracy after 1,500 steps is ${slow?.accuracy.value?.toFixed(2)} by norm and ${same?.accuracy.value?.toFixed(2)} without.`,
  ];
}
