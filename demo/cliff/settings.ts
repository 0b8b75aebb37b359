import { nearest, numberIn, readAddress, writeAddress } from "../shared/address.ts";
import type { MethodName } from "./descent.ts";
import { type Point, view } from "./surface.ts";

export interface Settings {
  w: number;
  b: number;
  rate: number;
  method: MethodName;
  bound: number;
  /** The step under the cursor and in slow motion. */
  step: number;
  /** One start with its two paths, or a whole field of starts with their ends. */
  starts: "one" | "all";
}

export const stepCount = 300;
export const rates = [0.02, 0.05, 0.1, 0.2, 0.5];
export const boundExponents = { least: -2, most: 3 } as const;

/** On this path the largest gradient is at step 121. */
export const defaults: Settings = { w: 5.5, b: -2.5, rate: 0.2, method: "norm", bound: 1, step: 121, starts: "one" };

const methods: readonly MethodName[] = ["norm", "value", "none"];

/** What is after `#` since this page read or wrote it last. */
let known = "";

export function settingsFromAddress(): Settings {
  known = location.hash;
  const address = readAddress();
  const { least, most } = boundExponents;
  const number = (name: "w" | "b" | "rate" | "bound" | "step", limits: readonly [number, number]) =>
    numberIn(address, name, defaults[name], limits);
  return {
    ...onMap({ w: number("w", view.w), b: number("b", view.b) }),
    rate: nearest(rates, number("rate", [0, 10])),
    method: methods.find((method) => method === address.get("method")) ?? defaults.method,
    bound: roundBound(number("bound", [10 ** least, 10 ** most])),
    step: Math.round(number("step", [0, stepCount])),
    starts: address.get("starts") === "all" ? "all" : "one",
  };
}

/** Not over a link that was just followed: its event comes after the frame. */
export function toAddress(settings: Settings): void {
  if (location.hash !== known) return;
  writeAddress({ ...settings });
  known = location.hash;
}

/** The nearest start on the map. Two decimals: the address stays short, and a link gives the same paths. */
export function onMap({ w, b }: Point): Point {
  const clamp = (value: number, [least, most]: readonly [number, number]) =>
    Number(Math.min(most, Math.max(least, value)).toFixed(2));
  return { w: clamp(w, view.w), b: clamp(b, view.b) };
}

/** Two digits are enough for a bound that is dragged. */
export function roundBound(value: number): number {
  const { least, most } = boundExponents;
  return Number(Math.min(10 ** most, Math.max(10 ** least, value)).toPrecision(2));
}
