import { written } from "../shared/text.ts";
import { type Histories, type History, type RunName, stepCount } from "./history.ts";

const meanLength = 20;

/** Writes a run's numbers into its card: the latest, or all those of the step under the cursor. */
export function showRun(name: RunName, histories: Histories, hoveredStep: number | undefined): void {
  const card = document.getElementById(name);
  if (!card) return;
  const history = histories[name];
  card.classList.toggle("exploded", (history.explodedAt ?? Infinity) <= (hoveredStep ?? stepCount));
  const texts = hoveredStep === undefined ? latest(history) : atStep(history, hoveredStep);
  const all = { verdict: hoveredStep === undefined ? verdictOn(name, histories) : `at step ${hoveredStep}`, ...texts };
  for (const [quantity, text] of Object.entries(all)) {
    const target = card.querySelector(`[data-value=${quantity}]`);
    if (target && target.textContent !== text) target.textContent = text;
  }
}

/** What became of the run, and what clipping had to do for it. */
export function verdictOn(name: RunName, histories: Histories): string {
  const { explodedAt, loss, clipped } = histories[name];
  if (explodedAt) return `exploded at step ${explodedAt}`;
  if (loss.length === 0) return "";
  if (name === "none") return loss.length >= stepCount ? "survived this time" : "still alive";
  const count = clipped.filter(Boolean).length;
  const without = histories.none.explodedAt;
  return `${count} of ${loss.length} steps clipped${count > 0 && without ? `; without them: dead at step ${without}` : ""}`;
}

interface Texts {
  loss: string;
  norm: string;
  accuracy: string;
}

function latest({ loss, norm, explodedAt, exams }: History): Texts {
  if (explodedAt) return { loss: "NaN", norm: "NaN", accuracy: "–" };
  const recent = loss.slice(-meanLength).filter((value) => value !== null);
  const mean = recent.reduce((sum, value) => sum + value, 0) / recent.length || undefined;
  return { loss: written(mean), norm: written(norm.at(-1)), accuracy: share(exams.at(-1)?.accuracy) };
}

/** All of that step; the accuracy is of the last exam before it. */
function atStep({ loss, norm, explodedAt, exams }: History, step: number): Texts {
  if (explodedAt && step >= explodedAt) return { loss: "NaN", norm: "NaN", accuracy: "–" };
  const exam = exams.filter((each) => each.step <= step).at(-1);
  return { loss: written(loss[step - 1]), norm: written(norm[step - 1]), accuracy: share(exam?.accuracy) };
}

function share(accuracy: number | undefined): string {
  return accuracy === undefined ? "–" : `${Math.round(100 * accuracy)} %`;
}
