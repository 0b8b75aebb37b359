/**
 * The record's layout, in bytes: what the GPU writes, what optimizer kernels bind and what a report is read from. Kernels
 * may bind the first 64 bytes alone; what is not named here is reserved and 0.
 */
export const RECORD_BYTES = 96;

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
  nonFiniteSteps: 56,
  badStepsInARow: 60,
  lastStep: 64,
  lastPiece: 68,
  lastElement: 72,
  spikeSteps: 76,
} as const;

/** One for each group where there are several norms: the beginning of a record. */
export const ENTRY_BYTES = 32;

export const CLIPPED = 1;
export const SKIP = 2;
export const NAN_SEEN = 4;
export const INFINITY_SEEN = 8;

/** How many steps there were, and how many of each kind. */
export interface Counters {
  steps: number;
  /** Those that clipped. */
  clippedSteps: number;
  /** Those that were skipped for non-finite gradients: `nonFinite: "zero"`. */
  skippedSteps: number;
  /** Those that saw a NaN or an infinity, whatever `nonFinite` says: in a gradient, a parameter, gradScale or totalNorm. */
  nonFiniteSteps: number;
  /** Those whose norm a skip rule called a spike; 0 without such a rule. */
  spikeSteps: number;
}

/**
 * What a clip found and did, as of the last step that was submitted before the report was asked for. Of `[3, NaN]` and then
 * `[3, 4]` under `clipByGlobalNorm(1)`: norm 5, scale 0.2, nonFinite 0, steps 2, clippedSteps 1, skippedSteps 1,
 * nonFiniteSteps 1, lastNonFinite `{ step: 1, index: 0, element: 1 }`.
 */
export interface ClipReport extends Counters {
  /** The norm before clipping, after `gradScale`. A double: it may exceed float32's range. NaN or Infinity if a gradient is. */
  norm: number;
  /**
   * What the gradients were multiplied by, `gradScale` included. NaN for methods with several norms (each tensor, unit, member
   * or example by its own): each has a scale in `Clip.scales`, and those of members are in `memberScales` too.
   */
  scale: number;
  /** Whether the norm exceeded the bound; with several norms, whether one of them did. */
  clipped: boolean;
  /** How many values were NaN or infinite. */
  nonFinite: number;
  /** The first of them in the order of the list: which gradient, which of its elements. */
  firstNonFinite?: Place;
  /** The largest magnitude after `gradScale`; NaN or Infinity if a gradient is. */
  maxAbs: number;
  /** Steps since the last report, as are `clippedSteps`, `skippedSteps`, `nonFiniteSteps` and `spikeSteps`. */
  steps: number;
  /** How many steps up to the last one were skipped or not finite, without a good one between them; 0 after a good one. */
  badStepsInARow: number;
  /** The first NaN or infinite value of the latest step that had one, however long ago; `step` counts from 1 since prepare. */
  lastNonFinite?: Place & { step: number };
  /** The same counts since the clip was prepared. */
  totals: Counters;
  /** Methods with a norm for each tensor: by place in the list, NaN where there is no gradient. */
  tensorNorms?: Float64Array;
  /** Methods with `members`: the norm and the scale of each, and how many were clipped. */
  memberNorms?: Float64Array;
  memberScales?: Float64Array;
  clippedMembers?: number;
}

/** Which gradient, by its place in the list, and which of its elements. */
export interface Place {
  index: number;
  name?: string;
  element: number;
}

/**
 * `since` are the totals of the report before. The record's own counters wrap at 2^32; what is counted here does not. Without
 * `locate` a report names no gradient.
 */
export function readReport(
  record: DataView,
  since: Counters,
  locate?: (piece: number, element: number) => Place,
): ClipReport {
  const u32 = (offset: number) => record.getUint32(offset, true);
  const passed = (key: keyof Counters) => (u32(recordAt[key]) - since[key]) >>> 0;
  const counted = countsOf(passed);
  const totals = countsOf((key) => since[key] + counted[key]);
  const nonFinite = u32(recordAt.nonFinite);
  const lastStep = u32(recordAt.lastStep);
  const stepsAgo = (u32(recordAt.steps) - lastStep) >>> 0;
  return {
    norm: normAt(record, 0),
    scale: scaleAt(record, 0),
    clipped: (u32(recordAt.flags) & CLIPPED) !== 0,
    nonFinite,
    firstNonFinite: locate && nonFinite > 0 ? locate(u32(recordAt.firstPiece), u32(recordAt.firstElement)) : undefined,
    maxAbs: record.getFloat32(recordAt.maxAbs, true),
    ...counted,
    badStepsInARow: u32(recordAt.badStepsInARow),
    lastNonFinite:
      locate && lastStep > 0
        ? { step: totals.steps - stepsAgo, ...locate(u32(recordAt.lastPiece), u32(recordAt.lastElement)) }
        : undefined,
    totals,
  };
}

export function countsOf(count: (key: keyof Counters) => number): Counters {
  return {
    steps: count("steps"),
    clippedSteps: count("clippedSteps"),
    skippedSteps: count("skippedSteps"),
    nonFiniteSteps: count("nonFiniteSteps"),
    spikeSteps: count("spikeSteps"),
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
