/** What shaders/finish.wgsl makes of a step, from the definitions, and to the bit: shaders/shared/soft_float.wgsl says how many digits count. */
import { range } from "./build.ts";
import { product24, quotient24, root28, sum32 } from "./digits.ts";
import { bitsOf, FLT_MAX, floatOf, MIN_NORMAL, round24, ulp24 } from "./numbers.ts";

export const [CLIPPED, SKIP, NAN_SEEN, INFINITY_SEEN, SPIKE, TAKEN] = [1, 2, 4, 8, 16, 32] as const;
export const [ZERO, KEEP, PROPAGATE, EACH] = [0, 1, 2, 3] as const;
export const [ONE, NAN, INFINITY] = [0x3f800000, 0x7fc00000, 0x7f800000] as const;
export const NONE = 0xffffffff;
export const HISTORY_STEPS = 3;

/** What one workgroup found. */
export interface Found {
  readonly sum: number;
  readonly largest: number;
  readonly nonFinite: number;
  readonly piece: number;
  readonly element: number;
  readonly flags: number;
}

/** What finish.wgsl goes by. */
export interface Step {
  readonly nonFinite: number;
  /** Bits, and whether they are in a buffer. */
  readonly gradScale: number;
  readonly isHeld: boolean;
  /** Bits in a buffer, a number that is given with its flags, or none. */
  readonly total?: number | { readonly norm: number; readonly flags: number };
  readonly eps: number;
  readonly groups: number;
  /** Bits. */
  readonly maxNorm: number;
  /** Bits of the norm above which a step is skipped. */
  readonly most: number;
  /** steps, clippedSteps, skippedSteps, nonFiniteSteps, badStepsInARow, spikeSteps, and the last fault's step, piece and element. */
  readonly before: readonly number[];
  /** How many of what was found count. */
  readonly count: number;
  readonly found: readonly Found[];
}

/** Rounded to 24 bits before, at most the largest float32. */
const floatBits = (x: number) => bitsOf(Math.min(x, FLT_MAX));

export interface Decision {
  readonly scale: readonly [number, number];
  readonly flags: number;
  readonly norm: number;
  readonly fraction: number;
  readonly power: number;
  readonly bound: number;
}

/** Two normal factors; below 2^-252 nothing but 0 can come out. */
export function factorsOf(scale: number): [number, number] {
  if (scale < 2 ** -252) return [0, ONE];
  return scale < MIN_NORMAL ? [bitsOf(MIN_NORMAL), bitsOf(scale / MIN_NORMAL)] : [bitsOf(scale), ONE];
}

function faultsOf({ gradScale, total }: Step, flags: number): number {
  const factor = floatOf(gradScale);
  const isFactor = factor >= MIN_NORMAL && factor < Infinity;
  const norm = typeof total === "number" ? floatOf(total) : 0;
  return (
    (flags & (NAN_SEEN | INFINITY_SEEN)) |
    (typeof total === "object" ? total.flags : 0) |
    (isFactor && norm >= 0 ? 0 : NAN_SEEN) |
    (norm === Infinity ? INFINITY_SEEN : 0)
  );
}

export function decisionOf(step: Step, all: Found): Decision & { isSpike: boolean } {
  const { total, maxNorm } = step;
  const faults = faultsOf(step, all.flags);
  if (faults !== 0) {
    const bits = faults & NAN_SEEN ? NAN : INFINITY;
    const x = step.nonFinite === ZERO ? 0 : step.nonFinite === KEEP ? ONE : faults & NAN_SEEN ? NAN : 0;
    const flags = faults | (step.nonFinite === ZERO ? SKIP : 0);
    return { scale: [x, ONE], flags, norm: bits, fraction: bits, power: 0, bound: maxNorm, isSpike: false };
  }
  const gradScale = floatOf(step.gradScale);
  const exact = root28(all.sum);
  const told = typeof total === "number" ? Math.abs(floatOf(total)) : total?.norm;
  const norm = told ?? product24(round24(exact), gradScale);
  const isSpike = norm > floatOf(step.most);
  const divisor = sum32(norm, step.eps);
  const bound = floatOf(maxNorm);
  const clipped = maxNorm !== INFINITY && divisor > bound;
  const cancels = told === undefined && step.eps === 0;
  const clippedScale = () => (cancels ? quotient24(bound, exact) : product24(gradScale, quotient24(bound, divisor)));
  const power = norm === 0 ? 0 : Math.round(Math.log2(ulp24(norm))) + 24;
  return {
    scale: isSpike ? [0, ONE] : factorsOf(clipped ? clippedScale() : gradScale),
    flags: isSpike ? SKIP | SPIKE : clipped ? CLIPPED : 0,
    norm: floatBits(norm),
    fraction: norm === 0 ? 0 : bitsOf(norm / 2 ** power),
    power: power >>> 0,
    bound: maxNorm,
    isSpike,
  };
}

function together(found: readonly Found[]): Found {
  const order = (one: Found) => one.piece * 2 ** 20 + Math.min(one.element, 2 ** 20 - 1);
  const first = [...found].sort((a, b) => order(a) - order(b))[0];
  return {
    sum: found.reduce((total, { sum }) => total + sum, 0),
    largest: Math.max(0, ...found.map(({ largest }) => largest)),
    nonFinite: found.reduce((total, { nonFinite }) => total + nonFinite, 0),
    piece: first?.piece ?? NONE,
    element: first?.element ?? NONE,
    flags: found.reduce((flags, one) => flags | one.flags, 0),
  };
}

/** With groups or limits others have decided: their flags came with what was found. */
function concluded(step: Step, all: Found, decision: Decision): Decision {
  if (step.nonFinite === EACH) {
    const isNoFactor = faultsOf({ ...step, total: undefined }, 0) !== 0;
    const flags = (step.groups > 0 ? all.flags : decision.flags) & (NAN_SEEN | INFINITY_SEEN);
    const bound = step.groups > 0 ? NAN : decision.bound;
    return {
      ...decision,
      scale: [isNoFactor ? NAN : step.gradScale, ONE],
      flags: flags | (all.flags & CLIPPED),
      bound,
    };
  }
  if (step.groups === 0) return decision;
  const flags = all.flags & TAKEN ? all.flags & ~(TAKEN | SKIP) : all.flags;
  return { ...decision, scale: [NAN, ONE], flags, bound: NAN };
}

/** The words of the record and of the history that finish.wgsl leaves. */
export function recordAfter(step: Step): number[] {
  const all = together(step.found.slice(0, step.count));
  const { isSpike, ...own } = decisionOf(step, all);
  const usual = concluded(step, all, own);
  const { scale, flags, norm, fraction, power, bound } = isSpike
    ? { ...usual, scale: [0, ONE], flags: (usual.flags & ~CLIPPED) | SKIP | SPIKE }
    : usual;
  const faults = flags & (NAN_SEEN | INFINITY_SEEN);
  const largest = Math.fround(Math.min(product24(floatOf(all.largest), floatOf(step.gradScale)), FLT_MAX));
  const maxAbs = faults & NAN_SEEN ? NAN : faults ? INFINITY : bitsOf(largest);
  const [steps = 0, clippedSteps = 0, skippedSteps = 0, faultySteps = 0, bad = 0, spikes = 0, ...last] = step.before;
  const now = (steps + 1) % 2 ** 32;
  const isBad = faults !== 0 || (flags & SKIP) !== 0;
  const first = [all.piece, all.element];
  const row = [...scale, flags, norm, fraction, power, bound, now];
  return [
    ...[...scale, flags, norm, fraction, power, all.nonFinite, ...first, maxAbs, now],
    ...[clippedSteps + (flags & CLIPPED ? 1 : 0), skippedSteps + (flags & SKIP ? 1 : 0), bound],
    ...[faultySteps + (faults ? 1 : 0), isBad ? bad + 1 : 0],
    ...(all.nonFinite > 0 ? [now === 0 ? NONE : now, ...first] : last),
    spikes + (isSpike ? 1 : 0),
    ...range(HISTORY_STEPS).flatMap((k) => (k === HISTORY_STEPS - 1 - (now % HISTORY_STEPS) ? row : row.map(() => 0))),
  ];
}
