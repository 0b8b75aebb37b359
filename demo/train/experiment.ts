import { sentencesOf } from "../../bench/experiment/sentences.ts";
import type { Summary } from "../../bench/experiment/summary.ts";
import results from "../../docs/experiment.json?url";
import { written } from "../shared/text.ts";

const names = { none: "not clipped", value: "by value", norm: "by norm" };

export async function loadExperiment(): Promise<Summary> {
  const response = await fetch(results);
  if (!response.ok) throw new Error(`The experiment could not be loaded: ${response.status}.`);
  return (await response.json()) as Summary;
}

/** Shows the table and the findings of the committed experiment. The page has the figure. */
export function showExperiment(container: HTMLElement, summary: Summary): void {
  // Regions that scroll must be reachable by keyboard.
  for (const region of container.querySelectorAll<HTMLElement>(".scroll")) region.tabIndex = 0;
  (container.querySelector("a.data") as HTMLAnchorElement).href = results;
  const list = container.querySelector("ul") as HTMLUListElement;
  for (const sentence of sentencesOf(summary)) {
    const item = document.createElement("li");
    item.textContent = sentence;
    list.append(item);
  }
  const { cells, missing } = summary;
  const body = container.querySelector("tbody") as HTMLTableSectionElement;
  for (const { mode, learningRate, seeds, exploded, accuracy, arrived, stepsToGoal, clippedShare } of cells) {
    const row = body.insertRow();
    const values = [
      names[mode],
      String(learningRate),
      `${exploded} of ${seeds}`,
      `${written(accuracy.value)} (${written(accuracy.interval[0])} to ${written(accuracy.interval[1])})`,
      `${arrived} of ${seeds}`,
      stepsToGoal.value === null ? "–" : String(stepsToGoal.value),
      clippedShare === null ? "–" : `${Math.round(100 * clippedShare)} %`,
    ];
    for (const value of values) row.insertCell().textContent = value;
  }
  for (const { mode, learningRate, steps } of missing) {
    const row = body.insertRow();
    row.insertCell().textContent = names[mode];
    row.insertCell().textContent = String(learningRate);
    const cell = row.insertCell();
    cell.colSpan = 5;
    cell.textContent = `not trained yet (${steps} steps)`;
  }
}
