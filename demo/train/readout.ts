import { type History, type RunName, stepCount } from "./comparison.ts";

const meanLength = 20;

/** Writes a run's numbers into its card: the latest ones, or those of the step under the cursor. */
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

function verdict(name: RunName, { explodedAt, latest, loss, skipped, clippedSteps }: History): string {
  if (explodedAt) return `exploded at step ${explodedAt}: ${latest?.nonFinite} gradients not finite`;
  if (loss.length === 0) return "";
  if (name === "unclipped") return loss.length >= stepCount ? "survived this time" : "still alive";
  const share = `${Math.round((100 * clippedSteps) / loss.length)} % of steps clipped`;
  return skipped > 0 ? `${share}, ${skipped} skipped as not finite` : share;
}

function lossText({ explodedAt, loss, latest }: History, step: number | undefined): string {
  if (step !== undefined) return number(loss[step - 1]);
  if (explodedAt) return number(latest?.loss);
  const recent = loss.slice(-meanLength).filter((value) => value !== null);
  return number(recent.reduce((sum, value) => sum + value, 0) / recent.length || undefined);
}

function normText({ norm, latest }: History, step: number | undefined): string {
  return number(step !== undefined ? norm[step - 1] : latest?.norm);
}

function accuracyText({ accuracy, explodedAt }: History): string {
  return explodedAt || accuracy === undefined ? "–" : `${Math.round(100 * accuracy)} %`;
}

function number(value: number | null | undefined): string {
  if (value === undefined || value === null) return "–";
  if (!Number.isFinite(value)) return String(value);
  if (value !== 0 && (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3)) return value.toExponential(1);
  return value >= 1000 ? value.toFixed(0) : value.toPrecision(3);
}
