import { shown } from "../check.ts";
import type { Grouping } from "../pieces.ts";
import { idOf } from "../ranges.ts";
import { refuseMissing } from "../requirements.ts";
import { type Axes, unitsAlong } from "../units.ts";
import type { Tensor } from "../view.ts";

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
    throw new TypeError(
      `${subject} is ${shown(axes)}; pass a list of the axes to reduce, or a function from a shape to one.`,
    );
  }
  return along(() => list);
}

function along(axesOf: (shape: readonly number[], label: string) => readonly number[]): Grouping {
  const unitsOf = (shape: readonly number[], label: string) => unitsAlong(shape, axesOf(shape, label), label);
  const check = (tensors: readonly Tensor[], name: string) => {
    refuseMissing(tensors, name, "shape", "its dimensions");
    refuseTwoShapes(tensors);
    for (const { shape = [], label } of tensors) unitsOf(shape, label);
  };
  return { kind: "units", unitsOf, check };
}

/** A range that is listed twice is scaled once, and therefore has one set of units. */
function refuseTwoShapes(tensors: readonly Tensor[]): void {
  const first = new Map<string, Tensor>();
  for (const tensor of tensors) {
    const key = `${idOf(tensor.source.buffer)},${tensor.source.byteOffset}`;
    const other = first.get(key) ?? tensor;
    first.set(key, other);
    if (String(other.shape) !== String(tensor.shape)) {
      throw new RangeError(
        `${other.label} and ${tensor.label} are the same bytes with shapes [${other.shape}] and [${tensor.shape}]; pass one shape.`,
      );
    }
  }
}
