import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { CLIPPED, INFINITY_SEEN, NAN_SEEN, recordAt, SKIP } from "../record.ts";
import type { Found } from "./norm.ts";

/** What the finish pass needs besides what was found. */
export interface Settings {
  readonly method: ClipMethod;
  readonly nonFinite: CheckedOptions["nonFinite"];
  readonly totalNorm: number | undefined;
  readonly maxNorm: number;
  readonly gradScale: number;
}

const LARGEST = 3.4028234663852886e38;

/** Writes the record and returns the scale in full; twin of shaders/finish.wgsl. */
export function finish(record: DataView, found: Found, settings: Settings): number {
  let { flags } = found;
  if (Number.isNaN(settings.totalNorm)) flags |= NAN_SEEN;
  if (settings.totalNorm === Infinity) flags |= INFINITY_SEEN;
  put(record, "nonFinite", found.nonFinite);
  put(record, "firstRank", found.firstRank);
  put(record, "firstElement", found.firstElement);
  record.setFloat32(recordAt.maxNorm, settings.maxNorm, true);
  count(record, "steps");
  const nonFinite = (flags & (NAN_SEEN | INFINITY_SEEN)) !== 0;
  const scale = nonFinite ? concludeNonFinite(record, flags, settings) : concludeFinite(record, found, settings);
  if (settings.method.clamp) concludeEach(record, flags, settings.gradScale);
  return scale;
}

/** Clipped by value: the pass before has decided for each. */
function concludeEach(record: DataView, flags: number, gradScale: number): void {
  setScale(record, gradScale, 1);
  put(record, "flags", flags);
  if (flags & CLIPPED) count(record, "clippedSteps");
}

function concludeNonFinite(record: DataView, flags: number, { nonFinite }: Settings): number {
  const anyNaN = (flags & NAN_SEEN) !== 0;
  const norm = anyNaN ? Number.NaN : Infinity;
  setNorm(record, norm, norm, 0);
  record.setFloat32(recordAt.maxAbs, norm, true);
  put(record, "flags", nonFinite === "zero" ? flags | SKIP : flags);
  if (nonFinite === "zero") count(record, "skippedSteps");
  const scale = nonFinite === "keep" ? 1 : nonFinite === "propagate" && anyNaN ? Number.NaN : 0;
  setScale(record, scale, 1);
  return scale;
}

function concludeFinite(record: DataView, found: Found, settings: Settings): number {
  const { maxNorm, gradScale } = settings;
  const totalNorm = settings.totalNorm === undefined ? undefined : rounded(settings.totalNorm);
  const { norm: kind, rule, eps = 0 } = settings.method;
  const exactNorm = kind.norm(found.sum, found.largest);
  const norm = totalNorm ?? rounded(rounded(exactNorm) * gradScale);
  const bound = rule.boundFor(norm, maxNorm);
  const divisor = norm + eps;
  const clipped = divisor > bound;
  let scale = gradScale;
  if (clipped && (totalNorm !== undefined || eps > 0)) scale = rounded(gradScale * rounded(bound / divisor));
  else if (clipped) scale = rounded(bound / exactNorm); // gradScale cancels
  const power = norm > 0 ? exponentOf(norm) + 1 : 0;
  setNorm(record, Math.min(norm, LARGEST), norm * 2 ** -power, power);
  record.setFloat32(recordAt.maxAbs, Math.min(found.largest * gradScale, LARGEST), true);
  put(record, "flags", clipped ? CLIPPED : 0);
  if (clipped) count(record, "clippedSteps");
  const halvings = scale > 0 ? Math.min(126, Math.max(0, -126 - exponentOf(scale))) : 0;
  // As on the GPU, a scale that is no two normal factors is 0.
  const kept = scale < 2 ** -252 ? 0 : scale;
  if (exponentOf(scale) < -126) setScale(record, kept * 2 ** halvings, 2 ** -halvings);
  else setScale(record, kept, 1);
  return kept;
}

/** To 24 bits, as float32 rounds, with any exponent: the precision that the record keeps. */
function rounded(value: number): number {
  if (value === 0) return 0;
  const power = exponentOf(value);
  return Math.fround(value * 2 ** -power) * 2 ** power;
}

const bits = new DataView(new ArrayBuffer(8));

/** The e of value = m * 2^e with m in [1, 2). */
function exponentOf(value: number): number {
  bits.setFloat64(0, value);
  return ((bits.getUint32(0) >>> 20) & 0x7ff) - 1023;
}

function setNorm(record: DataView, norm: number, fraction: number, power: number): void {
  record.setFloat32(recordAt.norm, norm, true);
  record.setFloat32(recordAt.fraction, fraction, true);
  record.setInt32(recordAt.power, power, true);
}

function setScale(record: DataView, first: number, second: number): void {
  record.setFloat32(recordAt.scale, first, true);
  record.setFloat32(recordAt.secondScale, second, true);
}

function put(record: DataView, key: keyof typeof recordAt, value: number): void {
  record.setUint32(recordAt[key], value, true);
}

function count(record: DataView, key: "steps" | "clippedSteps" | "skippedSteps"): void {
  put(record, key, record.getUint32(recordAt[key], true) + 1);
}
