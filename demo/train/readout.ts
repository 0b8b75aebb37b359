import { written } from "../shared/text.ts";
import { type History, type RunName, stepCount } from "./history.ts";

const meanLength = 20;

/** Writes a run's numbers into its card: the latest, or those of the step under the cursor. */
export function showRun(name: RunName, history: History, hoveredStep: number | undefined): void {
  const card = document.getElementById(name);
  if (!card) return;
  card.classList.toggle("exploded", history.explodedAt !== undefined);
  const write = (selector: string, text: string) => {
    const target = card.querySelector(selector);
    if (target && target.textContent !== text) target.textContent = text;
  };
  write(".verdict", verdict(name, history));
  write("[data-value=loss]", lossText(history, hoveredStep));
  write("[data-value=norm]", normText(history, hoveredStep));
  write("[data-value=accuracy]", accuracyText(history));
}

function verdict(name: RunName, { explodedAt, loss, clippedSteps }: History): string {
  if (explodedAt) return `exploded at step ${explodedAt}`;
  if (loss.length === 0) return "";
  if (name === "none") return loss.length >= stepCount ? "survived this time" : "still alive";
  return `${Math.round((100 * clippedSteps) / loss.length)} % of steps clipped`;
}

function lossText({ explodedAt, loss }: History, step: number | undefined): string {
  if (step !== undefined) return written(loss[step - 1]);
  if (explodedAt) return "NaN";
  const recent = loss.slice(-meanLength).filter((value) => value !== null);
  return written(recent.reduce((sum, value) => sum + value, 0) / recent.length || undefined);
}

function normText({ norm, explodedAt }: History, step: number | undefined): string {
  if (step === undefined && explodedAt) return "NaN";
  return written(step !== undefined ? norm[step - 1] : norm.at(-1));
}

function accuracyText({ accuracy, explodedAt }: History): string {
  return explodedAt || accuracy === undefined ? "–" : `${Math.round(100 * accuracy)} %`;
}
