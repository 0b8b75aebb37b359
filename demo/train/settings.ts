// The controls, and the address that mirrors them: any situation is a link.

import type { Settings } from "./comparison.ts";

/** The sliders' stops: learning rates and bounds are thought of in factors. */
const stops = {
  learningRate: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1],
  bound: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100],
};

// Seed 8's unclipped run lives long enough to be watched; the page says so.
export const defaults: Settings = { learningRate: 0.1, bound: 1, seed: 8 };

const names = { learningRate: "rate", bound: "bound", seed: "seed" } as const;

export function readAddress(): Settings {
  const address = new URLSearchParams(location.hash.slice(1));
  const number = (name: keyof Settings) => {
    const text = address.get(names[name]);
    const value = Number(text);
    return text && Number.isFinite(value) ? value : defaults[name];
  };
  return {
    learningRate: nearest(stops.learningRate, number("learningRate")),
    bound: nearest(stops.bound, number("bound")),
    seed: Math.max(0, Math.trunc(number("seed"))),
  };
}

function writeAddress({ learningRate, bound, seed }: Settings): void {
  history.replaceState(null, "", `#rate=${learningRate}&bound=${bound}&seed=${seed}`);
}

/** Calls `onChange` with the new settings whenever a control or the address changes. */
export function connectControls(form: HTMLFormElement, onChange: (settings: Settings) => void): void {
  const rate = form.elements.namedItem("rate") as HTMLInputElement;
  const bound = form.elements.namedItem("bound") as HTMLInputElement;
  const seed = form.elements.namedItem("seed") as HTMLInputElement;
  rate.max = String(stops.learningRate.length - 1);
  bound.max = String(stops.bound.length - 1);

  const show = (settings: Settings) => {
    rate.value = String(stops.learningRate.indexOf(settings.learningRate));
    bound.value = String(stops.bound.indexOf(settings.bound));
    seed.value = String(settings.seed);
    label(rate, settings.learningRate);
    label(bound, settings.bound);
  };
  const read = (): Settings => ({
    learningRate: stops.learningRate[rate.valueAsNumber] ?? defaults.learningRate,
    bound: stops.bound[bound.valueAsNumber] ?? defaults.bound,
    seed: Math.max(0, Math.trunc(seed.valueAsNumber || 0)),
  });
  const apply = (settings: Settings) => {
    show(settings);
    writeAddress(settings);
    onChange(settings);
  };

  show(readAddress());
  form.addEventListener("input", () => {
    label(rate, read().learningRate);
    label(bound, read().bound);
  });
  form.addEventListener("change", () => apply(read()));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("#another-seed")?.addEventListener("click", () => {
    apply({ ...read(), seed: Math.floor(Math.random() * 10_000) });
  });
  addEventListener("hashchange", () => apply(readAddress()));
}

function label(input: HTMLInputElement, value: number): void {
  input.setAttribute("aria-valuetext", String(value));
  const output = input.parentElement?.querySelector("output");
  if (output) output.value = String(value);
}

function nearest(values: readonly number[], wanted: number): number {
  const distance = (value: number) => Math.abs(Math.log(value / Math.max(wanted, Number.MIN_VALUE)));
  return values.reduce((best, value) => (distance(value) < distance(best) ? value : best));
}
