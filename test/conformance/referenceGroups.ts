/** Methods with several norms, computed in float64 and independently of src/: units along axes, tensors, members. */
import { FLT_MAX, MIN_NORMAL, round24, ulp24, valuesOf } from "./numbers.ts";
import { scalar, summarise } from "./reference.ts";
import type { Content, Expected, Tensor, Unit } from "./types.ts";

export interface Groups {
  /** Which values share a norm: a name for each element. */
  readonly groupOf: (tensor: Tensor, index: number) => (element: number) => string;
  /** From the norm of the parameter's values in that place, and how many they are. */
  readonly boundOf: (parameterNorm: number, count: number) => number;
}

interface Group {
  count: number;
  squared: number;
  parameterSquared: number;
  bad: number[];
}

interface Verdict {
  readonly norm: number;
  readonly scale: number;
  readonly clipped: boolean;
  readonly zeroed: boolean;
}

/** The unit of an element: its position along the axes that are kept, by the definition. */
export function unitAlong(shape: readonly number[], axes: readonly number[]): (element: number) => string {
  const reduced = new Set(axes.map((axis) => (axis < 0 ? axis + shape.length : axis)));
  return (element) => {
    const position: number[] = [];
    let rest = element;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const length = shape[axis] as number;
      position[axis] = reduced.has(axis) ? 0 : rest % length;
      rest = Math.floor(rest / length);
    }
    return position.join();
  };
}

export function referenceGroups(unit: Unit, { groupOf, boundOf }: Groups): Expected {
  const { options = {} } = unit;
  const gradScale = scalar(options.gradScale, Math.fround) ?? 1;
  const names = unit.tensors.map((tensor, index) => (tensor ? groupOf(tensor, index) : () => ""));
  const groups = collect(unit.tensors, names);
  const verdicts = new Map(
    [...groups].map(([name, group]) => [name, verdictOf(unit, group, boundOf, gradScale)] as const),
  );
  const all = [...verdicts.values()];
  const summary = summarise(unit.tensors);
  const sawNaN = all.some(({ norm }) => Number.isNaN(norm));
  const norm = sawNaN ? Number.NaN : summary.sawInfinity ? Infinity : gradScale * Math.sqrt(summary.sumOfSquares);
  return {
    norm,
    clipped: all.some(({ clipped }) => clipped),
    skipped: all.some(({ zeroed }) => zeroed),
    nonFinite: summary.nonFinite,
    first: summary.first,
    maxAbs: Number.isFinite(norm) ? Math.min(FLT_MAX, summary.largest * gradScale) : norm,
    sawNaN,
    sawInfinity: summary.sawInfinity,
    contents: unit.tensors.map((tensor, index) => {
      if (!tensor) return null;
      if (options.apply === "record") return { bits: tensor.bits };
      return contentOf(tensor, (element) => verdicts.get(names[index]?.(element) ?? "") as Verdict);
    }),
  };
}

function collect(tensors: Unit["tensors"], names: readonly ((element: number) => string)[]): Map<string, Group> {
  const groups = new Map<string, Group>();
  tensors.forEach((tensor, index) => {
    if (!tensor) return;
    const parameter = tensor.parameter && valuesOf(tensor.parameter);
    valuesOf(tensor).forEach((value: number, element: number) => {
      const name = names[index]?.(element) ?? "";
      const group = groups.get(name) ?? { count: 0, squared: 0, parameterSquared: 0, bad: [] };
      groups.set(name, group);
      group.count += 1;
      if (Number.isFinite(value)) group.squared += value * value;
      else group.bad.push(value);
      const of = parameter?.[element] ?? 0;
      group.parameterSquared += of * of;
      if (!Number.isFinite(of)) group.bad.push(Number.NaN);
    });
  });
  return groups;
}

function verdictOf(unit: Unit, group: Group, boundOf: Groups["boundOf"], gradScale: number): Verdict {
  const { nonFinite = "zero" } = unit.options ?? {};
  if (group.bad.length > 0) {
    const norm = group.bad.some(Number.isNaN) ? Number.NaN : Infinity;
    const scale = { zero: 0, keep: 1, propagate: Number.isNaN(norm) ? Number.NaN : 0 }[nonFinite];
    return { norm, scale, clipped: false, zeroed: nonFinite === "zero" };
  }
  const norm = gradScale * Math.sqrt(group.squared);
  const bound = boundOf(Math.sqrt(group.parameterSquared), group.count);
  if (!unit.exact && bound > 0 && bound < Infinity && norm > 0 && Math.abs(norm - bound) <= 4 * ulp24(bound)) {
    throw new Error(`${unit.label}: a norm ${norm} this near to the bound ${bound} may fall on either side of it`);
  }
  const clipped = round24(norm) > bound;
  const scale = clipped ? (bound / norm) * gradScale : gradScale;
  return { norm, scale: scale < MIN_NORMAL * MIN_NORMAL ? 0 : scale, clipped, zeroed: false };
}

function contentOf(tensor: Tensor, verdictAt: (element: number) => Verdict): Content {
  return {
    values: Float64Array.from(valuesOf(tensor), (value, element) => {
      const { scale, zeroed } = verdictAt(element);
      return zeroed ? 0 : value * scale;
    }),
    kept: (element) => verdictAt(element).scale === 1,
  };
}

/** Of each tensor, NaN where there is none. */
export function tensorNormsOf({ tensors, options }: Unit): number[] {
  const gradScale = scalar(options?.gradScale, Math.fround) ?? 1;
  return tensors.map((tensor) => {
    if (!tensor || tensor.bits.length === 0) return Number.NaN;
    const values = Float64Array.from(valuesOf(tensor));
    const parameter = tensor.parameter ? Float64Array.from(valuesOf(tensor.parameter)) : [];
    if (values.some(Number.isNaN) || parameter.some((value) => !Number.isFinite(value))) return Number.NaN;
    return gradScale * Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  });
}
