// The controls, and the address that mirrors them: any run is a link.

import { nearest, numberIn, readAddress, tidyAddress } from "../shared/address.ts";
import type { Run } from "./training.ts";

/** The slider's stops, in factors as people think of bounds. */
const bounds = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100, Infinity];
const defaults: Run = { seed: 8, bound: 1, steps: 2000 };

/** Seeds and steps beyond these are taken as these. */
const most = { seed: 999_999, steps: 100_000 };

/** #bound=0.5&seed=3&steps=20, with bound=off for none. */
export function readRun(): Run {
  const address = readAddress();
  if (address.get("bound") === "off") address.set("bound", "Infinity");
  const whole = (name: keyof typeof most) => Math.trunc(numberIn(address, name, defaults[name], [1, most[name]]));
  const bound = numberIn(address, "bound", defaults.bound, [0, Infinity]);
  const run: Run = { seed: whole("seed"), bound: boundNear(bound), steps: whole("steps") };
  tidyAddress({ ...run, bound: nameOf(run.bound) });
  return run;
}

export function connectBound(slider: HTMLInputElement, onChange: (bound: number) => void): (bound: number) => void {
  slider.max = String(bounds.length - 1);
  const show = (bound: number) => {
    slider.value = String(bounds.indexOf(bound));
    slider.setAttribute("aria-valuetext", nameOf(bound));
    const output = slider.parentElement?.querySelector("output");
    if (output) output.value = nameOf(bound);
  };
  slider.addEventListener("input", () => {
    const bound = bounds[slider.valueAsNumber] ?? defaults.bound;
    show(bound);
    const address = readAddress();
    address.set("bound", nameOf(bound));
    history.replaceState(null, "", `#${address}`);
    onChange(bound);
  });
  return show;
}

function nameOf(bound: number): string {
  return Number.isFinite(bound) ? String(bound) : "off";
}

function boundNear(wanted: number): number {
  return wanted === Infinity ? Infinity : nearest(bounds, wanted);
}
