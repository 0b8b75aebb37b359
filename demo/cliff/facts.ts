// What clipping does to the descent on the page, in four facts.

import { byId, written } from "../shared/text.ts";
import { countOf, type Ending, startCount } from "./field.ts";
import { angleBetween } from "./oneStep.ts";
import type { Path } from "./path.ts";
import { defaults, type Settings } from "./settings.ts";

export function showFacts(settings: Settings, { unclipped, clipped }: { unclipped: Path; clipped: Path }): void {
  const { rate, bound, method } = settings;
  const turn = Math.round(largest(clipped, (before, after) => Math.abs(angleBetween(before, after))));
  byId("fact-direction-title").textContent = turn > 0 ? "Direction turned" : "Direction kept";
  byId("fact-direction").textContent =
    turn > 0 ? `By up to ${turn}°: each value is cut by itself.` : "Clipping turned no step.";

  const length = (path: Path) => written(rate * largest(path, (_, after) => Math.hypot(...after)));
  byId("fact-length-title").textContent = method === "none" ? "Step not bounded" : "Step bounded";
  byId("fact-length").textContent =
    method === "none"
      ? `The longest step is ${length(unclipped)}.`
      : `The longest step is ${length(clipped)}. Without clipping: ${length(unclipped)}.`;

  byId("fact-bound").textContent = bound === defaults.bound ? "" : ` Here: ${written(bound)}.`;
}

export function showStartsFact(unclipped: readonly Ending[], clipped: readonly Ending[]): void {
  byId("fact-starts-title").textContent = `Works from ${countOf(clipped, "arrived")} of ${startCount} starts`;
  byId("fact-starts").textContent = `Without clipping: from ${countOf(unclipped, "arrived")}.`;
}

type Pair = [number, number];

/** The largest of what is measured on each step's gradient, before and after. */
function largest({ before, after }: Path, measure: (before: Pair, after: Pair) => number): number {
  const pair = (values: Float32Array, at: number): Pair => [values[at] as number, values[at + 1] as number];
  let most = 0;
  // The gradient at the last place takes no step.
  for (let at = 0; at < before.length - 2; at += 2) most = Math.max(most, measure(pair(before, at), pair(after, at)));
  return most;
}
