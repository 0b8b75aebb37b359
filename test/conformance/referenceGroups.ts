/** Methods with several norms, computed in float64 and independently of src/: units along axes, tensors, members. */
import { FLT_MAX, MIN_NORMAL, mapped, round24, ulp24, valuesOf } from "./numbers.ts";
import { scalar, summarise } from "./reference.ts";
import type { Content, Expected, Tensor, Unit } from "./types.ts";

export interface Groups {
  /** Which values share a norm: the number of an element's group among those of its tensor. */
  readonly groupOf: (tensor: Tensor) => (element: number) => number;
  /** Groups of the same number are one, whatever tensor they are in. */
  readonly areShared?: true;
  /** From the norm of the parameter's values in that place, how many they are, and the number of the group. */
  readonly boundOf: (parameterNorm: number, count: number, number: number) => number;
}

interface Group {
  count: number;
  squared: number;
  parameterSquared: number;
  sawNaN: boolean;
  sawInfinity: boolean;
}

interface Verdict {
  readonly norm: number;
  readonly scale: number;
  readonly clipped: boolean;
  readonly zeroed: boolean;
}

/** The unit of an element: its position along the axes that are kept, by the definition, as one number. */
export function unitAlong(shape: readonly number[], axes: readonly number[]): (element: number) => number {
  const reduced = new Set(axes.map((axis) => (axis < 0 ? axis + shape.length : axis)));
  const isKept = shape.map((_, axis) => !reduced.has(axis));
  return (element) => {
    let unit = 0;
    let units = 1;
    let rest = element;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const length = shape[axis] as number;
      if (isKept[axis]) {
        unit += units * (rest % length);
        units *= length;
      }
      rest = Math.floor(rest / length);
    }
    return unit;
  };
}

export function referenceGroups(
  unit: Unit,
  { groupOf, areShared, boundOf }: Groups,
): Expected & { readonly verdicts: readonly Verdict[] } {
  const { options = {} } = unit;
  const gradScale = scalar(options.gradScale, Math.fround) ?? 1;
  const groups: Group[] = [];
  const numbers = unit.tensors.map((tensor) => {
    if (!tensor) return new Uint32Array();
    const numberOf = groupOf(tensor);
    const first = areShared ? 0 : groups.length;
    const groupsOfTensor = new Uint32Array(tensor.bits.length);
    for (let element = 0; element < groupsOfTensor.length; element++)
      groupsOfTensor[element] = first + numberOf(element);
    addTensor(groups, tensor, groupsOfTensor);
    return groupsOfTensor;
  });
  const verdicts = groups.map((group, number) => {
    return verdictOf(unit, group, (norm, count) => boundOf(norm, count, number), gradScale);
  });
  const summary = summarise(unit.tensors);
  const zeroed = verdicts.filter((verdict) => verdict.zeroed).length;
  const sawNaN = verdicts.some(({ norm }) => Number.isNaN(norm));
  const norm = sawNaN ? Number.NaN : summary.sawInfinity ? Infinity : gradScale * Math.sqrt(summary.sumOfSquares);
  return {
    verdicts,
    norm,
    clipped: verdicts.some(({ clipped }) => clipped),
    // Members are independent: the step is skipped only where all of them are.
    skipped: zeroed > 0 && (unit.rule.method.grouping.kind !== "members" || zeroed === verdicts.length),
    nonFinite: summary.nonFinite,
    first: summary.first,
    // Each has its own.
    bound: Number.NaN,
    maxAbs: Number.isFinite(norm) ? Math.min(FLT_MAX, summary.largest * gradScale) : norm,
    sawNaN,
    sawInfinity: summary.sawInfinity,
    contents: unit.tensors.map((tensor, index) => {
      if (!tensor) return null;
      if (options.apply === "record") return { bits: tensor.bits };
      return contentOf(tensor, (element) => verdicts[numbers[index]?.[element] as number] as Verdict);
    }),
  };
}

function addTensor(groups: Group[], tensor: Tensor, numbers: Uint32Array): void {
  const parameter = tensor.parameter && valuesOf(tensor.parameter);
  const values = valuesOf(tensor);
  for (let element = 0; element < values.length; element++) {
    const number = numbers[element] as number;
    groups[number] ??= { count: 0, squared: 0, parameterSquared: 0, sawNaN: false, sawInfinity: false };
    const group = groups[number];
    const value = values[element] as number;
    group.count += 1;
    if (Number.isFinite(value)) group.squared += value * value;
    else if (Number.isNaN(value)) group.sawNaN = true;
    else group.sawInfinity = true;
    const of = parameter?.[element] ?? 0;
    group.parameterSquared += of * of;
    if (!Number.isFinite(of)) group.sawNaN = true;
  }
}

function verdictOf(
  unit: Unit,
  group: Group,
  boundOf: (parameterNorm: number, count: number) => number,
  gradScale: number,
): Verdict {
  const { nonFinite = "zero" } = unit.options ?? {};
  if (group.sawNaN || group.sawInfinity) {
    const norm = group.sawNaN ? Number.NaN : Infinity;
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
    values: mapped(valuesOf(tensor), (value, element) => {
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
    const values = valuesOf(tensor);
    const parameter = tensor.parameter ? valuesOf(tensor.parameter) : [];
    for (let i = 0; i < parameter.length; i++) if (!Number.isFinite(parameter[i])) return Number.NaN;
    let squared = 0;
    for (let i = 0; i < values.length; i++) squared += (values[i] as number) * (values[i] as number);
    return gradScale * Math.sqrt(squared);
  });
}
