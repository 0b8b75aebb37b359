import type { CellSummary, Summary } from "./summary.ts";

/** The sentences about the result in docs/experiment.md and on the training page, with its numbers. */
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
    `Without clipping, ${sum("none", "exploded")} of ${sum("none", "seeds")} networks explode (of ${seeds} each: ${rates("none")}). Clipped to a norm of 1, ${sum("norm", "exploded")} of ${sum("norm", "seeds")} do.`,
    `The largest of these rates at which every network survives and learns is ${norm.largestSafeRate ?? "none"} by norm and ${value.largestSafeRate ?? "none"} by value. Without clipping ${none.largestSafeRate === null ? "there is none" : `it is ${none.largestSafeRate}`}.`,
    `By norm at ${norm.bestRate}, ${best?.arrived} of ${seeds} networks reach an accuracy of 0.7. The median network takes ${norm.steps} steps.`,
    `By value at ${value.bestRate}, ${byValue?.arrived} of ${seeds} reach it, in ${value.steps} steps: no worse than by norm. But ${sum("value", "exploded")} of ${sum("value", "seeds")} explode (of ${seeds} each: ${rates("value")}).`,
    ...longRuns.map(
      ({ learningRate, arrived, exploded, stepsToGoal, steps }) =>
        `Without clipping at ${learningRate}, ${arrived} of ${seeds} reach it within ${steps} steps and ${exploded} explode. The median network ${stepsToGoal.value === null ? "never does" : `takes ${stepsToGoal.value} steps`}.`,
    ),
    ...adamRates.map(
      (rate) =>
        `With Adam at ${rate} clipping gains little: without it ${outcome("none", rate)}; by norm ${outcome("norm", rate)}.`,
    ),
    `At the same small rate clipping is slower: at ${none.bestRate} the median accuracy after 1,500 steps is ${slow?.accuracy.value?.toFixed(2)} by norm and ${same?.accuracy.value?.toFixed(2)} without clipping.`,
  ];
}
