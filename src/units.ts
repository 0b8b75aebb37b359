/** The axes to reduce: one list for all gradients, or a function that returns the list for a shape. */
export type Axes = readonly number[] | ((shape: readonly number[]) => readonly number[]);

/** How one tensor is divided into units along its axes. The values of a unit share a norm. */
export interface Units {
  /** The number of units: the product of the kept axes. */
  readonly count: number;
  /** The number of values in a unit: the product of the reduced axes. */
  readonly size: number;
  /**
   * From the innermost axis out. Neighbours of one kind are merged and axes of length 1 left out. The stride is what a step
   * along the axis adds to the unit's number; 0 where the axis is reduced.
   */
  readonly axes: readonly Axis[];
}

export interface Axis {
  readonly length: number;
  readonly stride: number;
}

/** The shaders have room for so many axes. Axes that alternate more often are refused. */
export const MOST_AXES = 8;

/** Units are numbered row by row through the kept axes. Negative axes count from the last one. */
export function unitsAlong(shape: readonly number[], axes: readonly number[], label: string): Units {
  const reduced = checkedAxes(shape, axes, label);
  const merged: { length: number; stride: number }[] = [];
  let [count, size] = [1, 1];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis] as number;
    if (length === 1) continue;
    const kept = !reduced.has(axis);
    const last = merged.at(-1);
    if (last && last.stride > 0 === kept) last.length *= length;
    else merged.push({ length, stride: kept ? count : 0 });
    if (kept) count *= length;
    else size *= length;
  }
  if (merged.length > MOST_AXES) {
    throw new RangeError(
      `${label} has axes [${[...reduced]}] of shape [${shape}] to reduce, which alternate with the others ${merged.length - 1} times; transpose it to at most ${MOST_AXES - 1}.`,
    );
  }
  return { count, size, axes: merged };
}

function checkedAxes(shape: readonly number[], axes: readonly number[], label: string): Set<number> {
  if (!Array.isArray(axes)) throw new TypeError(`The axes for ${label} are no list; pass a list of whole numbers.`);
  const positive = axes.map((axis) => (axis < 0 ? axis + shape.length : axis));
  positive.forEach((axis, i) => {
    if (shape.length === 0) {
      throw new RangeError(
        `${label} has shape [] and so no axis ${axes[i]}; pass axes as a function that gives none for it.`,
      );
    }
    if (!Number.isInteger(axis) || axis < 0 || axis >= shape.length) {
      throw new RangeError(
        `${label} has shape [${shape}], and axis ${axes[i]} is none of its ${shape.length}; pass axes from ${-shape.length} to ${shape.length - 1}.`,
      );
    }
  });
  const distinct = new Set(positive);
  if (distinct.size < positive.length) {
    throw new RangeError(`The axes [${axes}] for ${label} name an axis twice; name each once.`);
  }
  return distinct;
}
