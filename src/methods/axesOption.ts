import { wrongValue } from "../check.ts";
import { refuseTwo } from "../overlaps.ts";
import type { CheckedGradients, Grouping } from "../pieces.ts";
import { refuseMissing } from "../requirements.ts";
import { type Axes, unitsAlong } from "../units.ts";

/** The grouping for an `axes` option, which is a list for all gradients or a function of their shapes. */
export function unitsGrouping(
  axes: unknown,
  subject: string,
  fallback?: (shape: readonly number[], label: string) => readonly number[],
): Grouping {
  if (axes === undefined && fallback) return along(fallback);
  if (typeof axes === "function") {
    const ofShape = axes as Exclude<Axes, readonly number[]>;
    return along((shape) => ofShape(shape));
  }
  const list = Array.isArray(axes) ? [...axes] : undefined;
  if (!list?.every(Number.isInteger)) {
    throw wrongValue(axes, subject, "a list, or a function from a shape to one");
  }
  return along(() => list);
}

function along(axesOf: (shape: readonly number[], label: string) => readonly number[]): Grouping {
  const unitsOf = (shape: readonly number[], label: string) => unitsAlong(shape, axesOf(shape, label), label);
  const check = ({ tensors, declared }: CheckedGradients, name: string) => {
    refuseMissing(declared, name, "shape", "its dimensions");
    refuseTwo(tensors, "shape", ({ shape }) => `[${shape}]`);
    for (const { shape = [], label } of declared) unitsOf(shape, label);
  };
  return { kind: "units", unitsOf, check };
}
