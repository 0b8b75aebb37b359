import { numberIn, readAddress, writeAddress } from "../shared/address.ts";
import type { MethodName } from "./descent.ts";
import { view } from "./surface.ts";

export interface Settings {
  w: number;
  b: number;
  rate: number;
  method: MethodName;
  bound: number;
  /** The step under the cursor and in slow motion. */
  step: number;
}

export const stepCount = 300;
export const rates = [0.02, 0.05, 0.1, 0.2, 0.5];
export const boundExponents = { least: -2, most: 3 } as const;

/** On this path the largest gradient is at step 103. */
export const defaults: Settings = { w: 5.5, b: -2.5, rate: 0.2, method: "norm", bound: 0.5, step: 103 };

const methods: readonly MethodName[] = ["norm", "value", "none"];

export function settingsFromAddress(): Settings {
  const address = readAddress();
  const within = ([least, most]: readonly [number, number], value: number) => Math.min(most, Math.max(least, value));
  const number = (name: Exclude<keyof Settings, "method">) => numberIn(address, name, defaults[name]);
  return {
    w: within(view.w, number("w")),
    b: within(view.b, number("b")),
    rate: within([1e-4, 10], number("rate")),
    method: methods.find((method) => method === address.get("method")) ?? defaults.method,
    bound: within([10 ** boundExponents.least, 10 ** boundExponents.most], number("bound")),
    step: within([0, stepCount], Math.round(number("step"))),
  };
}

export function toAddress(settings: Settings): void {
  writeAddress({ ...settings });
}

/** Two digits are enough for a bound that is dragged. */
export function roundBound(value: number): number {
  const { least, most } = boundExponents;
  return Number(Math.min(10 ** most, Math.max(10 ** least, value)).toPrecision(2));
}
