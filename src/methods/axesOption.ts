import { shown } from "../check.ts";
import type { Grouping } from "../pieces.ts";
import type { Axes } from "../units.ts";
import { unitKernels } from "./unitKernels.ts";

/** The grouping for an `axes` option: a list for all gradients, or a function of their shapes. */
export function unitsGrouping(
  axes: unknown,
  subject: string,
  fallback?: (shape: readonly number[], label: string) => readonly number[],
): Grouping {
  if (axes === undefined && fallback) return { kind: "units", axesOf: fallback, kernels: unitKernels };
  if (typeof axes === "function") {
    const ofShape = axes as Exclude<Axes, readonly number[]>;
    return { kind: "units", axesOf: (shape) => ofShape(shape), kernels: unitKernels };
  }
  const list = Array.isArray(axes) ? [...axes] : undefined;
  if (!list?.every(Number.isInteger)) {
    throw new TypeError(
      `${subject} is ${shown(axes)}; pass a list of the axes to reduce, or a function from a shape to one.`,
    );
  }
  return { kind: "units", axesOf: () => list, kernels: unitKernels };
}
