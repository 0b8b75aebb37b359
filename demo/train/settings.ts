// The controls, and the address that mirrors them.

import { nearest, numberIn, readAddress, tidyAddress, writeAddress } from "../shared/address.ts";
import { byId } from "../shared/text.ts";
import { choiceOf, choices } from "./choices.ts";
import type { MethodName } from "./methods.ts";
import { raceFromAddress } from "./raceAddress.ts";

export interface Settings {
  rate: number;
  /** The bound of the third run. */
  bound: number;
  /** The limit of the run that is clipped by value. */
  value: number;
  seed: number;
  method: MethodName;
}

/** The sliders' stops, in factors as people think of rates and bounds. */
const stops = {
  rate: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1],
  bound: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100],
  value: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
} as const;
type Stopped = keyof typeof stops;
const sliders = Object.keys(stops) as Stopped[];

/** Any number up to this is a seed. */
const mostSeed = 999_999;

// With seed 8 the run without clipping lasts long enough to watch; the page says so.
const defaults: Settings = { rate: 0.1, bound: 1, value: 0.1, seed: 8, method: "norm" };

export function settingsFromAddress(): Settings {
  const address = readAddress();
  const method = choices.find(({ name }) => name === address.get("method"))?.name ?? defaults.method;
  const usual = { ...defaults, bound: choiceOf(method).usual };
  const at = (name: Stopped) => nearest(stops[name], numberIn(address, name, usual[name], [0, 1000]));
  return {
    rate: at("rate"),
    bound: at("bound"),
    value: at("value"),
    seed: Math.trunc(numberIn(address, "seed", defaults.seed, [0, mostSeed])),
    method,
  };
}

/** Calls `onChange` with the new settings whenever a control or the address changes. */
export function connectControls(onChange: (settings: Settings) => void): void {
  const form = byId<HTMLFormElement>("controls");
  const input = (name: Stopped | "seed") => form.elements.namedItem(name) as HTMLInputElement;
  const method = form.elements.namedItem("method") as HTMLSelectElement;
  for (const { name, label } of choices) method.add(new Option(label, name));
  for (const name of sliders) input(name).max = String(stops[name].length - 1);

  const read = (): Settings => {
    const at = (name: Stopped) => stops[name][input(name).valueAsNumber] ?? defaults[name];
    const seed = Math.min(mostSeed, Math.max(0, Math.trunc(input("seed").valueAsNumber || 0)));
    return { rate: at("rate"), bound: at("bound"), value: at("value"), seed, method: method.value as MethodName };
  };
  const label = (settings: Settings) => {
    for (const name of sliders) {
      input(name).setAttribute("aria-valuetext", String(settings[name]));
      const output = input(name).parentElement?.querySelector("output");
      if (output) output.value = String(settings[name]);
    }
  };
  const show = (settings: Settings) => {
    for (const name of sliders) {
      input(name).valueAsNumber = (stops[name] as readonly number[]).indexOf(settings[name]);
    }
    input("seed").valueAsNumber = settings.seed;
    method.value = settings.method;
    byId("bound-name").textContent = choiceOf(settings.method).slider;
    label(settings);
  };
  const apply = (settings: Settings) => {
    show(settings);
    writeAddress({ ...settings, ...raceFromAddress() });
    onChange(settings);
  };

  const settings = settingsFromAddress();
  tidyAddress({ ...settings, ...raceFromAddress() });
  show(settings);
  form.addEventListener("input", () => label(read()));
  form.addEventListener("change", ({ target }) => {
    const settings = read();
    // Each method has a bound of its own kind.
    apply(target === method ? { ...settings, bound: choiceOf(settings.method).usual } : settings);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("another-seed").addEventListener("click", () => {
    apply({ ...read(), seed: Math.floor(Math.random() * 10_000) });
  });
  addEventListener("hashchange", () => apply(settingsFromAddress()));
}
