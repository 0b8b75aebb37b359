/**
 * The answers, computed in float64 and independently of src/. Squares of float32 numbers are exact in float64 and neither
 * overflow nor underflow there, so that the plain sum is within 2^-28 of the truth for 2^25 elements.
 */
import { FLT_MAX, MIN_NORMAL, mapped, round24, ulp24, valuesOf } from "./numbers.ts";
import type { Content, Expected, Held, Tensor, Unit, UnitOptions } from "./types.ts";

export interface Summary {
  sumOfSquares: number;
  nonFinite: number;
  sawNaN: boolean;
  sawInfinity: boolean;
  first: { index: number; element: number } | null;
  largest: number;
}

/** A range that is listed twice is counted twice. */
export function summarise(tensors: Unit["tensors"]): Summary {
  const summary: Summary = {
    sumOfSquares: 0,
    nonFinite: 0,
    sawNaN: false,
    sawInfinity: false,
    first: null,
    largest: 0,
  };
  tensors.forEach((tensor, index) => {
    if (tensor) addTensor(summary, tensor, index);
  });
  return summary;
}

function addTensor(summary: Summary, tensor: Tensor, index: number): void {
  const values = valuesOf(tensor);
  // A local sum for each tensor: two levels lose less than one long chain.
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (Number.isFinite(value)) {
      sum += value * value;
      if (Math.abs(value) > summary.largest) summary.largest = Math.abs(value);
      continue;
    }
    summary.nonFinite++;
    if (Number.isNaN(value)) summary.sawNaN = true;
    else summary.sawInfinity = true;
    summary.first ??= { index, element: i };
  }
  summary.sumOfSquares += sum;
}

/** The value that an option has, wherever it is held: in a buffer it is one float32. */
export function scalar(option: number | Held | undefined, rounding: (value: number) => number): number | undefined {
  if (option === undefined) return undefined;
  return typeof option === "number" ? rounding(option) : Math.fround(option.held);
}

interface Factors {
  summary: Summary;
  gradScale: number;
  norm: number;
}

function measure(tensors: Unit["tensors"], options: UnitOptions): Factors {
  const summary = summarise(tensors);
  const gradScale = scalar(options.gradScale, Math.fround) ?? 1;
  // As a number it may come from a report, whose norms exceed float32's range.
  const totalNorm = scalar(options.totalNorm, round24);
  const usable = gradScale >= MIN_NORMAL && gradScale <= FLT_MAX;
  if (totalNorm !== undefined) {
    if (summary.nonFinite > 0 || !usable) throw new Error("the reference has no answer for totalNorm over bad values");
    return { summary, gradScale, norm: totalNorm };
  }
  if (summary.sawNaN || !usable) return { summary, gradScale, norm: Number.NaN };
  if (summary.sawInfinity) return { summary, gradScale, norm: Number.POSITIVE_INFINITY };
  return { summary, gradScale, norm: gradScale * Math.sqrt(summary.sumOfSquares) };
}

/** The fields that follow from the gradients alone. */
function observed({ summary, gradScale, norm }: Factors, options: UnitOptions) {
  const heldGradScale = typeof options.gradScale === "object";
  const valid = gradScale >= MIN_NORMAL && gradScale <= FLT_MAX;
  // What a rejected gradScale buffer adds to the count, and what else is measured beside a totalNorm, the design leaves open.
  if ((heldGradScale && !valid) || options.totalNorm !== undefined) return {};
  let maxAbs = Math.min(FLT_MAX, summary.largest * gradScale);
  if (summary.sawInfinity) maxAbs = Number.POSITIVE_INFINITY;
  if (Number.isNaN(norm)) maxAbs = Number.NaN;
  return {
    nonFinite: summary.nonFinite,
    first: summary.first,
    maxAbs,
    sawNaN: summary.sawNaN,
    sawInfinity: summary.sawInfinity,
  };
}

function unchanged(tensors: Unit["tensors"]): (Content | null)[] {
  return tensors.map((tensor) => (tensor ? { bits: tensor.bits } : null));
}

function scaled(tensors: Unit["tensors"], scale: number): (Content | null)[] {
  return tensors.map((tensor) => (tensor ? { values: mapped(valuesOf(tensor), (value) => value * scale) } : null));
}

/** Nothing is written, whatever was found. */
export function referenceMeasure(unit: Unit): Expected {
  const options = unit.options ?? {};
  const factors = measure(unit.tensors, options);
  const finite = Number.isFinite(factors.norm);
  // What a scale means for gradients that nobody scales is left open, and whether a step without a write can be skipped.
  const settled = { ...(finite && factors.gradScale === 1 ? { scale: 1 } : {}), ...(finite ? { skipped: false } : {}) };
  return {
    norm: factors.norm,
    ...settled,
    clipped: false,
    ...observed(factors, options),
    contents: unchanged(unit.tensors),
  };
}

/** Clipping by the L2 norm over all tensors. */
/** @param lengthens whether what is shorter is scaled too. */
export function referenceGlobalNorm(unit: Unit, maxNorm: number, lengthens = false): Expected {
  const options = unit.options ?? {};
  const factors = measure(unit.tensors, options);
  const common = { norm: factors.norm, bound: Math.fround(maxNorm), ...observed(factors, options) };
  const onlyRecord = options.apply === "record";
  if (!Number.isFinite(factors.norm)) {
    const verdict = nonFiniteVerdict(unit, factors.norm, options.nonFinite ?? "zero");
    return { ...common, ...verdict, contents: onlyRecord ? unchanged(unit.tensors) : verdict.contents };
  }

  const { norm, gradScale } = factors;
  const bound = common.bound;
  // A norm beside the length can have a scale of 1.
  const isScaled = options.totalNorm !== undefined || Math.fround((bound / norm) * gradScale) !== gradScale;
  const clipped = lengthens ? norm > 0 && round24(norm) !== bound && isScaled : round24(norm) > bound;
  if (!unit.exact && bound > 0 && norm > 0 && Number.isFinite(bound) && Math.abs(norm - bound) <= 2 * ulp24(bound)) {
    throw new Error(`${unit.label}: a norm ${norm} this near to the bound ${bound} may fall on either side of it`);
  }
  const scale = clipped ? Math.min(representable((bound / norm) * gradScale), FLT_MAX) : gradScale;
  const untouched = onlyRecord || scale === 1;
  const comparable = options.totalNorm === undefined && scale > 0;
  return {
    ...common,
    scale,
    clipped,
    skipped: false,
    contents: untouched ? unchanged(unit.tensors) : scaled(unit.tensors, scale),
    ...(clipped && !onlyRecord && comparable && scale < FLT_MAX ? { normAfter: bound } : {}),
  };
}

/** The record holds a scale as two normal factors: what is smaller than any product of two is 0. */
function representable(scale: number): number {
  return scale < MIN_NORMAL * MIN_NORMAL ? 0 : scale;
}

function nonFiniteVerdict(unit: Unit, norm: number, policy: "zero" | "keep" | "propagate") {
  if (policy === "keep") return { scale: 1, clipped: false, skipped: false, contents: unchanged(unit.tensors) };
  if (policy === "zero") {
    const contents = unit.tensors.map((tensor) => (tensor ? { bits: tensor.bits.slice().fill(0) } : null));
    return { scale: 0, clipped: false, skipped: true, contents };
  }
  // As PyTorch: the coefficient is NaN for a NaN norm and 0 for an infinite one, and multiplies everything.
  const scale = Number.isNaN(norm) ? Number.NaN : 0;
  return { scale, skipped: false, contents: scaled(unit.tensors, scale) };
}
