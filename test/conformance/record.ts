/** The record of 96 bytes, read by the offsets in the design and compared with the report that the library made of it. */
import type { ClipReport } from "../../src/index.ts";
import { near, same } from "./expect.ts";
import { FLT_MAX, MIN_NORMAL } from "./numbers.ts";
import type { Expected } from "./types.ts";

export const RECORD_BYTES = 96;

const CLIPPED = 1;
const SKIP = 2;
const NAN_SEEN = 4;
const INFINITY_SEEN = 8;
const SPIKE = 16;

export interface RecordFields {
  factors: readonly [number, number];
  scale: number;
  flags: number;
  normFloat: number;
  norm: number;
  fraction: number;
  nonFinite: number;
  firstPiece: number;
  firstElement: number;
  maxAbs: number;
  steps: number;
  clippedSteps: number;
  skippedSteps: number;
  bound: number;
  nonFiniteSteps: number;
  badStepsInARow: number;
  lastStep: number;
  lastPiece: number;
  lastElement: number;
  spikeSteps: number;
  reserved: readonly number[];
}

export function readRecord(bytes: Uint8Array): RecordFields {
  same(bytes.length, RECORD_BYTES, "bytes in the record");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const f32 = (at: number) => view.getFloat32(at, true);
  const u32 = (at: number) => view.getUint32(at, true);
  return {
    factors: [f32(0), f32(4)],
    scale: f32(0) * f32(4),
    flags: u32(8),
    normFloat: f32(12),
    fraction: f32(16),
    norm: f32(16) * 2 ** view.getInt32(20, true),
    nonFinite: u32(24),
    firstPiece: u32(28),
    firstElement: u32(32),
    maxAbs: f32(36),
    steps: u32(40),
    clippedSteps: u32(44),
    skippedSteps: u32(48),
    bound: f32(52),
    nonFiniteSteps: u32(56),
    badStepsInARow: u32(60),
    lastStep: u32(64),
    lastPiece: u32(68),
    lastElement: u32(72),
    spikeSteps: u32(76),
    reserved: [80, 84, 88, 92].map(u32),
  };
}

/** For a clip that was made for one run. */
export function checkRecord(bytes: Uint8Array, expected: Expected, report: ClipReport): void {
  const record = readRecord(bytes);
  for (const factor of record.factors) {
    const magnitude = Math.abs(factor);
    const subnormal = magnitude > 0 && magnitude < MIN_NORMAL;
    same(subnormal || magnitude > FLT_MAX, false, `record: factor ${factor} not normal`);
  }
  const [factor, second] = record.factors;
  same(
    second === 1 || factor <= second,
    true,
    `record: factor ${factor} is the smaller one, the second being ${second}`,
  );
  same(record.scale, report.scale, "record: product of the factors against report.scale");
  same((record.flags & CLIPPED) !== 0, report.clipped, "record: clipped flag");
  if (expected.skipped !== undefined) same((record.flags & SKIP) !== 0, expected.skipped, "record: skip flag");
  if (expected.sawNaN !== undefined) same((record.flags & NAN_SEEN) !== 0, expected.sawNaN, "record: NaN flag");
  if (expected.sawInfinity !== undefined) {
    same((record.flags & INFINITY_SEEN) !== 0, expected.sawInfinity, "record: infinity flag");
  }
  const spike = expected.spike ? SPIKE : 0;
  same(record.flags & ~(CLIPPED | SKIP | NAN_SEEN | INFINITY_SEEN), spike, "record: other flags");
  if (Number.isFinite(report.norm)) {
    same(record.norm, report.norm, "record: fraction and exponent against report.norm");
    near(record.normFloat, Math.min(report.norm, FLT_MAX), 1, "record: norm as one float", MIN_NORMAL);
    const inRange = record.fraction >= 0.5 && record.fraction < 1;
    same(inRange || report.norm === 0, true, `record: fraction ${record.fraction} in range`);
  }
  same(record.nonFinite, report.nonFinite, "record: nonFinite");
  if (Number.isFinite(report.maxAbs)) same(record.maxAbs, report.maxAbs, "record: maxAbs");
  same(record.steps, 1, "record: steps");
  same(record.clippedSteps, report.clipped ? 1 : 0, "record: clipped steps");
  same(record.skippedSteps, report.skippedSteps, "record: skipped steps");
  if (expected.bound !== undefined) same(record.bound, expected.bound, "record: bound");
  checkCounters(record, report);
  same(record.spikeSteps, spike / SPIKE, "record: spike steps");
}

function checkCounters(record: RecordFields, report: ClipReport): void {
  const isNonFinite = (record.flags & (NAN_SEEN | INFINITY_SEEN)) !== 0;
  same(record.nonFiniteSteps, isNonFinite ? 1 : 0, "record: non-finite steps");
  same(record.nonFiniteSteps, report.nonFiniteSteps, "record: non-finite steps against report.nonFiniteSteps");
  same(record.badStepsInARow, isNonFinite || (record.flags & SKIP) !== 0 ? 1 : 0, "record: bad steps in a row");
  same(record.badStepsInARow, report.badStepsInARow, "record: bad steps in a row against report.badStepsInARow");
  const hasPlace = record.nonFinite > 0;
  same(record.lastStep, hasPlace ? 1 : 0, "record: number of the latest non-finite step");
  same(record.lastPiece, hasPlace ? record.firstPiece : 0, "record: piece of the latest non-finite value");
  same(record.lastElement, hasPlace ? record.firstElement : 0, "record: element of the latest non-finite value");
  for (const word of record.reserved) same(word, 0, "record: reserved word");
}
