/** What the methods with several norms promise, each by its definition in float64. */
import {
  type Axes,
  adaptiveGradClip,
  type ClipMethod,
  clipByBlockRms,
  clipByGlobalNorm,
  clipByGroupNorm,
  clipByNorm,
  clipPerExample,
} from "../../src/index.ts";
import { range } from "./build.ts";
import { norm64, ulp24, valuesOf } from "./numbers.ts";
import { scalar, summarise } from "./reference.ts";
import { type Groups, referenceGroups, tensorNormsOf, unitAlong } from "./referenceGroups.ts";
import type { Content, Expected, Rule, Tensor, Unit } from "./types.ts";

/** Each tensor by its own norm. */
function byTensor(method: ClipMethod, boundOf: Groups["boundOf"]): Rule {
  return {
    method,
    expected: (unit) => ({
      ...referenceGroups(unit, { groupOf: () => () => 0, boundOf }),
      tensorNorms: tensorNormsOf(unit),
    }),
  };
}

export function perTensor(maxNorm: number): Rule {
  return byTensor(clipByNorm(maxNorm), () => Math.fround(maxNorm));
}

export function perTensorRms(threshold: number): Rule {
  return byTensor(clipByBlockRms(threshold), (_, count) => Math.fround(threshold) * Math.sqrt(count));
}

/** Networks trained at once: the leading axis of every tensor. */
export function perMember(maxNorm: number, members: number): Rule {
  return {
    method: clipByGlobalNorm(maxNorm, { members }),
    expected: (unit) =>
      referenceGroups(unit, {
        groupOf: ({ bits }) => {
          const length = bits.length / members;
          return (element) => Math.floor(element / length);
        },
        areShared: true,
        boundOf: () => Math.fround(maxNorm),
      }),
  };
}

/** Named groups of tensors; a group that no tensor is in has norm 0. */
export function perGroup(bounds: Readonly<Record<string, number>>, others?: number): Rule {
  const all = { ...bounds, ...(others === undefined ? {} : { others }) };
  const [names, limits] = [Object.keys(all), Object.values(all).map(Math.fround)];
  return {
    method: clipByGroupNorm(bounds, { others }),
    expected: (unit) => {
      const { verdicts, ...expected } = referenceGroups(unit, {
        groupOf:
          ({ group = "others" }) =>
          () =>
            names.indexOf(group),
        areShared: true,
        boundOf: (_, __, number) => limits[number] as number,
      });
      const scale = scalar(unit.options?.gradScale, Math.fround) ?? 1;
      const empty = { norm: 0, scale, clipped: false };
      const groups = Object.fromEntries(names.map((name, i) => [name, verdicts[i] ?? empty]));
      return { ...expected, scale: Number.NaN, groups };
    },
  };
}

export function alongAxes(maxNorm: number, axes: Axes): Rule {
  const axesOf = (shape: readonly number[]) => (typeof axes === "function" ? axes(shape) : axes);
  return {
    method: clipByNorm(maxNorm, { axes }),
    expected: (unit) => ({
      ...referenceGroups(unit, {
        groupOf: ({ shape = [] }) => unitAlong(shape, axesOf(shape)),
        boundOf: () => Math.fround(maxNorm),
      }),
      tensorNorms: tensorNormsOf(unit),
    }),
  };
}

/** As Optax has them: its table, not its code. */
const OPTAX: Record<number, readonly number[]> = { 0: [], 1: [0], 2: [0], 3: [0], 4: [0, 1, 2], 5: [0, 1, 2, 3] };

function optaxAxes(shape: readonly number[]): readonly number[] {
  const isVector = shape.filter((length) => length > 1).length < 2;
  return isVector ? range(shape.length) : (OPTAX[shape.length] as readonly number[]);
}

interface Given {
  readonly clipping?: number;
  readonly eps?: number;
  readonly axes?: Axes;
}

export function agc(given: Given = {}): Rule {
  const { clipping = 0.01, eps = 1e-3, axes = optaxAxes } = given;
  const axesOf = (shape: readonly number[]) => (typeof axes === "function" ? axes(shape) : axes);
  return {
    method: adaptiveGradClip(given),
    expected: (unit) => ({
      ...referenceGroups(unit, {
        groupOf: ({ shape = [] }) => unitAlong(shape, axesOf(shape)),
        boundOf: (parameterNorm) => Math.fround(clipping) * Math.max(parameterNorm, Math.fround(eps)),
      }),
      tensorNorms: tensorNormsOf(unit),
      // The parameter's norm and its product with the clipping are rounded too.
      ulps: 4,
    }),
  };
}

/** The same step, left out as a spike. */
export function skipped({ method, expected }: Rule): Rule {
  return { method, expected: (given) => zeroed(given, expected(given)) };
}

function zeroed({ tensors, options }: Unit, { normAfter: _, groups, ...expected }: Expected): Expected {
  const left = Object.entries(groups ?? {}).map(([name, { norm }]) => [name, { norm, scale: 0, clipped: false }]);
  return {
    ...expected,
    scale: 0,
    clipped: false,
    skipped: true,
    spike: true,
    ...(groups && { groups: Object.fromEntries(left) }),
    contents: tensors.map((tensor) => {
      if (!tensor) return null;
      return { bits: options?.apply === "record" ? tensor.bits : tensor.bits.slice().fill(0) };
    }),
  };
}

export interface Examples {
  readonly automatic?: number;
  readonly perLayer?: boolean;
}

export function perExample(maxNorm: number, examples: number, options: Examples = {}): Rule {
  return {
    method: clipPerExample(maxNorm, { examples, ...options }),
    expected: (given) => referenceExamples(given, Math.fround(maxNorm), examples, options),
  };
}

interface Part {
  readonly norm: number;
  readonly scale: number;
  readonly clipped: boolean;
  readonly left: boolean;
}

/** By the definition, in float64. */
function referenceExamples(
  given: Unit,
  maxNorm: number,
  examples: number,
  { automatic, perLayer = false }: Examples,
): Expected {
  const { present = examples } = given;
  const tensors = given.tensors.map((one) => one && firstOf(one, present / examples));
  const summary = summarise(tensors);
  const layers = tensors.filter((one) => one !== null && one !== undefined);
  const bound = perLayer ? maxNorm / Math.sqrt(layers.length + (given.absent?.length ?? 0)) : maxNorm;
  const partsOf = (list: Unit["tensors"]) =>
    range(present).map((example) => partFor(given, list, example, { examples: present, bound, automatic }));
  const whole = partsOf(tensors);
  // What is absent has no norm.
  const each = tensors.map((one) => (!perLayer ? whole : one ? partsOf([one]) : []));
  const norms = whole.map(({ norm }) => norm);
  const entries = (perLayer ? each : [whole]).flatMap((parts) => range(examples).map((example) => parts[example]));
  return {
    norm: norms.some(Number.isNaN) ? Number.NaN : norm64(norms),
    clipped: entries.some((part) => part?.clipped),
    skipped: present > 0 && each.flat().every(({ left }) => left),
    nonFinite: summary.nonFinite,
    first: summary.first,
    bound: Number.NaN,
    memberNorms: entries.map((part) => part?.norm ?? Number.NaN),
    memberScales: entries.map((part) => part?.scale ?? 1),
    clippedMembers: entries.filter((part) => part?.clipped).length,
    contents: given.tensors.map((one, k) => {
      if (!one) return null;
      return present === 0 && !one.into ? { bits: one.bits } : contentOf(one, each[k] as Part[], examples);
    }),
  };
}

function firstOf(one: Tensor, part: number): Tensor {
  return { ...one, bits: one.bits.subarray(0, one.bits.length * part) };
}

function partFor(
  { options }: Unit,
  tensors: Unit["tensors"],
  example: number,
  { examples, bound, automatic }: { examples: number; bound: number; automatic: number | undefined },
): Part {
  const { gradScale: option, nonFinite = "zero" } = options ?? {};
  const gradScale = scalar(option, Math.fround) ?? 1;
  const values = tensors.flatMap((one) => (one ? [...exampleOf(one, example, examples)] : []));
  const bad = values.filter((value) => !Number.isFinite(value));
  const norm = bad.some(Number.isNaN) ? Number.NaN : bad.length > 0 ? Infinity : gradScale * norm64(values);
  const clipped = norm < Infinity && (automatic !== undefined || norm > bound);
  const finite = clipped ? (bound / (norm + (automatic ?? 0))) * gradScale : gradScale;
  const propagated = Number.isNaN(norm) ? Number.NaN : 0;
  const scale = bad.length > 0 ? { zero: 0, keep: 1, propagate: propagated }[nonFinite] : finite;
  return { norm, scale, clipped, left: bad.length > 0 && nonFinite === "zero" };
}

function exampleOf(one: Tensor, example: number, examples: number): Float32Array | Float64Array {
  const length = one.bits.length / examples;
  return valuesOf(one).subarray(example * length, (example + 1) * length);
}

/** The sum in the first place, or alone in `into`; whatever else is there stays. */
function contentOf(one: Tensor, parts: readonly Part[], examples: number): Content {
  const length = one.bits.length / examples;
  const [sum, magnitudes] = [new Float64Array(length), new Float64Array(length)];
  parts.forEach(({ scale, left }, example) => {
    if (left) return;
    exampleOf(one, example, examples).forEach((value: number, i: number) => {
      sum[i] = (sum[i] as number) + value * scale;
      magnitudes[i] = (magnitudes[i] as number) + Math.abs(value * scale);
    });
  });
  const values = new Float64Array(one.into ? sum : valuesOf(one));
  values.set(sum);
  return {
    values,
    // Each term is off by its scale, and each addition by half a unit of what has been added up.
    off: (i) => {
      const magnitude = i < length ? (magnitudes[i] as number) : 0;
      return Number.isFinite(magnitude) ? (2 + Math.sqrt(examples)) * ulp24(magnitude) : 0;
    },
  };
}
