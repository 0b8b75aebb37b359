/** The record's layout, in bytes: what the GPU writes, what optimizer kernels bind and what a report is read from. */
export const RECORD_BYTES = 64;

export const recordAt = {
  scale: 0,
  secondScale: 4,
  flags: 8,
  norm: 12,
  fraction: 16,
  power: 20,
  nonFinite: 24,
  firstPiece: 28,
  firstElement: 32,
  maxAbs: 36,
  steps: 40,
  clippedSteps: 44,
  skippedSteps: 48,
  maxNorm: 52,
} as const;

/** One for each group where there are several norms: the beginning of a record. */
export const ENTRY_BYTES = 32;

export const CLIPPED = 1;
export const SKIP = 2;
export const NAN_SEEN = 4;
export const INFINITY_SEEN = 8;

/** What a clip found and did, as of the last step that was submitted before the report was asked for. */
export interface ClipReport {
  /** The norm before clipping, after `gradScale`. A double: it may exceed float32's range. NaN or Infinity if a gradient is. */
  norm: number;
  /** What the gradients were multiplied by, `gradScale` included. */
  scale: number;
  /** Whether the norm exceeded the bound. */
  clipped: boolean;
  /** How many values were NaN or infinite. */
  nonFinite: number;
  /** The first of them in the order of the list: which gradient, which of its elements. */
  firstNonFinite?: { index: number; name?: string; element: number };
  /** The largest magnitude after `gradScale`; NaN or Infinity if a gradient is. */
  maxAbs: number;
  /** Steps since the last report: all, those that clipped, those that were skipped for non-finite gradients. */
  steps: number;
  clippedSteps: number;
  skippedSteps: number;
  /** Methods with a norm for each tensor: by place in the list, NaN where there is no gradient. */
  tensorNorms?: Float64Array;
  /** Methods with `members`: the norm and the scale of each, and how many were clipped. `scale` is NaN then. */
  memberNorms?: Float64Array;
  memberScales?: Float64Array;
  clippedMembers?: number;
}

/** The running counters, as the record holds them: they wrap at 2^32. */
export interface Counters {
  steps: number;
  clippedSteps: number;
  skippedSteps: number;
}

export function readCounters(record: DataView): Counters {
  const at = (offset: number) => record.getUint32(offset, true);
  return {
    steps: at(recordAt.steps),
    clippedSteps: at(recordAt.clippedSteps),
    skippedSteps: at(recordAt.skippedSteps),
  };
}

export function readReport(
  record: DataView,
  since: Counters,
  locate: (piece: number, element: number) => ClipReport["firstNonFinite"],
): ClipReport {
  const u32 = (offset: number) => record.getUint32(offset, true);
  const f32 = (offset: number) => record.getFloat32(offset, true);
  const counters = readCounters(record);
  const passed = (key: keyof Counters) => (counters[key] - since[key]) >>> 0;
  const nonFinite = u32(recordAt.nonFinite);
  return {
    norm: normAt(record, 0),
    scale: scaleAt(record, 0),
    clipped: (u32(recordAt.flags) & CLIPPED) !== 0,
    nonFinite,
    firstNonFinite: nonFinite > 0 ? locate(u32(recordAt.firstPiece), u32(recordAt.firstElement)) : undefined,
    maxAbs: f32(recordAt.maxAbs),
    steps: passed("steps"),
    clippedSteps: passed("clippedSteps"),
    skippedSteps: passed("skippedSteps"),
  };
}

function normAt(view: DataView, start: number): number {
  return view.getFloat32(start + recordAt.fraction, true) * 2 ** view.getInt32(start + recordAt.power, true);
}

function scaleAt(view: DataView, start: number): number {
  return view.getFloat32(start + recordAt.scale, true) * view.getFloat32(start + recordAt.secondScale, true);
}

/** What became of each group. */
export function readEntries(entries: DataView): { norms: Float64Array; scales: Float64Array; clipped: number } {
  const starts = Array.from({ length: entries.byteLength / ENTRY_BYTES }, (_, group) => group * ENTRY_BYTES);
  return {
    norms: Float64Array.from(starts, (start) => normAt(entries, start)),
    scales: Float64Array.from(starts, (start) => scaleAt(entries, start)),
    clipped: starts.filter((start) => (entries.getUint32(start + recordAt.flags, true) & CLIPPED) !== 0).length,
  };
}
