import { LARGEST } from "../floats.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { CLIPPED, type Counters, INFINITY_SEEN, NAN_SEEN, recordAt, SKIP, SPIKE } from "../record.ts";
import type { Decider } from "../rules/rule.ts";
import type { Found } from "./norm.ts";

/** The finish pass's input besides the findings of the passes before. */
export interface Settings {
  readonly method: ClipMethod;
  readonly decider: Decider;
  readonly nonFinite: CheckedOptions["nonFinite"];
  readonly totalNorm: number | undefined;
  readonly maxNorm: number;
  readonly gradScale: number;
  /** What the skip rule says of the step. */
  readonly isSpike: boolean;
  /** The number of the norm, where there are several; undefined for that of everything. */
  readonly normNumber?: number;
}

/** The decision for the values that share a norm; twin of shaders/shared/decide.wgsl. */
export interface Decision {
  readonly norm: number;
  readonly scale: number;
  readonly flags: number;
  readonly bound: number;
}

export function decide(found: Found, weight: number, parameterNorm: number, settings: Settings): Decision {
  const flags = flagsOf(found, settings);
  if (settings.method.limits) return decideForEach(found, flags, settings);
  if (settings.isSpike) {
    return { norm: normOf(found, settings), scale: 0, flags: flags | SKIP | SPIKE, bound: settings.maxNorm };
  }
  return flags === 0 ? decideFinite(found, weight, parameterNorm, settings) : decideNonFinite(flags, settings);
}

export type NormSettings = Pick<Settings, "method" | "totalNorm" | "gradScale">;

/** As the report has it: after gradScale, NaN or Infinity where a gradient is. */
export function normOf(found: Found, settings: NormSettings): number {
  const faults = flagsOf(found, settings) & (NAN_SEEN | INFINITY_SEEN);
  if (faults !== 0) return nonFiniteOf(faults);
  if (settings.totalNorm !== undefined) return rounded(settings.totalNorm);
  return rounded(rounded(settings.method.norm.norm(found.sum, found.largest)) * settings.gradScale);
}

function flagsOf({ flags }: Found, { totalNorm }: NormSettings): number {
  if (Number.isNaN(totalNorm)) return flags | NAN_SEEN;
  return totalNorm === Infinity ? flags | INFINITY_SEEN : flags;
}

/** Clipped by value: the pass before has decided for each. */
function decideForEach(found: Found, flags: number, settings: Settings): Decision {
  return { norm: normOf(found, settings), scale: settings.gradScale, flags, bound: settings.maxNorm };
}

function decideNonFinite(flags: number, { nonFinite, maxNorm }: Settings): Decision {
  const norm = nonFiniteOf(flags);
  const propagated = Number.isNaN(norm) ? Number.NaN : 0;
  const scale = { zero: 0, keep: 1, propagate: propagated }[nonFinite];
  return { norm, scale, flags: nonFinite === "zero" ? flags | SKIP : flags, bound: maxNorm };
}

function nonFiniteOf(flags: number): number {
  return (flags & NAN_SEEN) !== 0 ? Number.NaN : Infinity;
}

function decideFinite(found: Found, weight: number, parameterNorm: number, settings: Settings): Decision {
  const { maxNorm, gradScale, decider, normNumber } = settings;
  const { norm: kind, eps = 0 } = settings.method;
  const norm = normOf(found, settings);
  const bound = rounded(decider.boundFor({ norm, maxNorm, weight, parameterNorm, normNumber }));
  const divisor = norm + eps;
  const cancels = settings.totalNorm === undefined && eps === 0; // gradScale does
  const exactNorm = kind.norm(found.sum, found.largest);
  const scaled = rounded(cancels ? bound / exactNorm : gradScale * rounded(bound / divisor));
  const { isScaled } = settings.method.rule;
  const clipped = isScaled ? isScaled(norm, bound, scaled, gradScale) : divisor > bound;
  const scale = clipped ? Math.min(scaled, LARGEST) : gradScale;
  // As on the GPU, a scale that is not the product of two normal factors becomes 0.
  return { norm, scale: scale < 2 ** -252 ? 0 : scale, flags: clipped ? CLIPPED : 0, bound };
}

/** Writes the record. With several norms each group's result is in its entry. */
export function finish(
  record: DataView,
  all: Found,
  together: Decision,
  groups: readonly Decision[],
  gradScale: number,
  areIndependent = false,
) {
  const several = groups.length > 0;
  const isTaken = areIndependent && groups.some(({ flags, norm }) => (flags & SKIP) === 0 && norm >= 0);
  const union = several ? groups.reduce((flags, group) => flags | group.flags, all.flags) : together.flags;
  const flags = isTaken ? union & ~SKIP : union;
  const norm = several && (flags & NAN_SEEN) !== 0 ? Number.NaN : together.norm;
  writeEntry(record, 0, { ...together, norm, flags });
  put(record, "nonFinite", all.nonFinite);
  put(record, "firstPiece", all.firstPiece);
  put(record, "firstElement", all.firstElement);
  const isNonFinite = (flags & (NAN_SEEN | INFINITY_SEEN)) !== 0;
  record.setFloat32(
    recordAt.maxAbs,
    isNonFinite ? nonFiniteOf(flags) : Math.min(all.largest * gradScale, LARGEST),
    true,
  );
  record.setFloat32(recordAt.maxNorm, together.bound, true);
  countStep(record, flags);
  if (all.nonFinite > 0) keepPlace(record, all);
}

function countStep(record: DataView, flags: number): void {
  const isNonFinite = (flags & (NAN_SEEN | INFINITY_SEEN)) !== 0;
  const isSkipped = (flags & SKIP) !== 0;
  count(record, "steps");
  if ((flags & CLIPPED) !== 0) count(record, "clippedSteps");
  if (isSkipped) count(record, "skippedSteps");
  if (isNonFinite) count(record, "nonFiniteSteps");
  if ((flags & SPIKE) !== 0) count(record, "spikeSteps");
  if (isNonFinite || isSkipped) count(record, "badStepsInARow");
  else put(record, "badStepsInARow", 0);
}

function keepPlace(record: DataView, { firstPiece, firstElement }: Found): void {
  const steps = record.getUint32(recordAt.steps, true);
  // 0 means that there is none: step 2^32 counts as step 2^32 - 1.
  put(record, "lastStep", steps === 0 ? 0xffffffff : steps);
  put(record, "lastPiece", firstPiece);
  put(record, "lastElement", firstElement);
}

/** Writes the first 24 bytes of a record, or the entry of a group. */
export function writeEntry(view: DataView, start: number, { norm, scale, flags }: Decision): void {
  const f32 = (at: number, value: number) => view.setFloat32(start + at, value, true);
  const power = norm > 0 && norm < Infinity ? exponentOf(norm) + 1 : 0;
  f32(recordAt.norm, Number.isFinite(norm) ? Math.min(norm, LARGEST) : norm);
  f32(recordAt.fraction, norm * 2 ** -power);
  view.setInt32(start + recordAt.power, power, true);
  const isSmall = scale > 0 && exponentOf(scale) < -126;
  f32(recordAt.scale, isSmall ? 2 ** -126 : scale);
  f32(recordAt.secondScale, isSmall ? scale * 2 ** 126 : 1);
  view.setUint32(start + recordAt.flags, flags, true);
}

/** Rounds to 24 bits as float32 does, with any exponent: the precision of the record. */
function rounded(value: number): number {
  // The total of a caller may be -0: a norm has no sign.
  if (value === 0) return 0;
  const power = exponentOf(value);
  return Math.fround(value * 2 ** -power) * 2 ** power;
}

const bits = new DataView(new ArrayBuffer(8));

/** The e in value = m * 2^e with m in [1, 2). */
function exponentOf(value: number): number {
  bits.setFloat64(0, value);
  return ((bits.getUint32(0) >>> 20) & 0x7ff) - 1023;
}

function put(record: DataView, key: keyof typeof recordAt, value: number): void {
  record.setUint32(recordAt[key], value, true);
}

function count(record: DataView, key: keyof Counters | "badStepsInARow"): void {
  put(record, key, record.getUint32(recordAt[key], true) + 1);
}
