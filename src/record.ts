/**
 * The record's size in bytes. The GPU writes the record, optimizer kernels bind it, and a report is read from it. Kernels may
 * bind the first 64 bytes only. Bytes without a name below are reserved and 0.
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

/** The size of an entry. With several norms each group has one; it is laid out as the beginning of a record. */
export const ENTRY_BYTES = 32;

export const CLIPPED = 1;
export const SKIP = 2;
export const NAN_SEEN = 4;
export const INFINITY_SEEN = 8;
export const SPIKE = 16;

/** Stands for no index. */
export const NONE = 0xffffffff;

/** The number of steps, of all kinds and of each. */
export interface Counters {
  steps: number;
  /** Steps that clipped. */
  clippedSteps: number;
  /** Those that were skipped: for non-finite gradients (`nonFinite: "zero"`), or by a skip rule. */
  skippedSteps: number;
  /** Steps with a NaN or an infinity in a gradient, a parameter, gradScale or totalNorm, under every `nonFinite`. */
  nonFiniteSteps: number;
  /** Those that a skip rule called spikes, by their norm or their loss; 0 without such a rule. */
  spikeSteps: number;
}

/**
 * The result of the last step that was submitted before the call. Two steps under `clipByGlobalNorm(1)`, with `[3, NaN]` and
 * then `[3, 4]`, give: norm 5, scale 0.2, nonFinite 0, steps 2, clippedSteps 1, skippedSteps 1, nonFiniteSteps 1, lastNonFinite
 * `{ step: 1, index: 0, element: 1 }`.
 */
export interface ClipReport extends Counters {
  /** The norm before clipping, after `gradScale`. It may exceed float32's range. NaN or Infinity if a gradient has one. */
  norm: number;
  /**
   * The factor of the gradients, `gradScale` included. NaN for methods with several norms (one for each tensor, unit, group, member or
   * example): `Clip.scales` has their scales, and `memberScales` those of members. 0 after a skipped step.
   */
  scale: number;
  /** Whether the norm exceeded the bound; with several norms, whether any did. */
  clipped: boolean;
  /** The number of values that were NaN or infinite. */
  nonFinite: number;
  /** The place of the first such value, in the order of the list. */
  firstNonFinite?: Place;
  /** The largest magnitude after `gradScale`; NaN or Infinity if a gradient has one. */
  maxAbs: number;
  /** Steps since the last report. `clippedSteps`, `skippedSteps`, `nonFiniteSteps` and `spikeSteps` count from there too. */
  steps: number;
  /** The length of the row of skipped or non-finite steps that ends with the last step; 0 after a good step. */
  badStepsInARow: number;
  /** The first NaN or infinite value of the latest step that had one. `step` counts from 1 since prepare. */
  lastNonFinite?: Place & { step: number };
  /** The counts since the clip was prepared. */
  totals: Counters;
  /** For methods with a norm for each tensor, and under `tensorNorms: true`: the norms by place in the list, NaN where there is no gradient. */
  tensorNorms?: Float64Array;
  /** For methods with `members`: the norm and the scale of each member, and how many were clipped. */
  memberNorms?: Float64Array;
  memberScales?: Float64Array;
  clippedMembers?: number;
  /** For `clipByGroupNorm`: each group by its name, in the order of the bounds. A group with no gradient has norm 0. */
  groups?: Readonly<Record<string, { norm: number; scale: number; clipped: boolean }>>;
}

/** A gradient, by its place in the list, and one of its elements. */
export interface Place {
  index: number;
  name?: string;
  element: number;
}

/**
 * @param since the totals of the report before. The record's counters wrap at 2^32; totals do not.
 * @param locate without it the report names no gradient.
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

export function normAt(view: DataView, start: number): number {
  return view.getFloat32(start + recordAt.fraction, true) * 2 ** view.getInt32(start + recordAt.power, true);
}

export function scaleAt(view: DataView, start: number): number {
  return view.getFloat32(start + recordAt.scale, true) * view.getFloat32(start + recordAt.secondScale, true);
}

/** The entries of the groups, by number. */
export interface Entries {
  readonly norms: Float64Array;
  readonly scales: Float64Array;
  readonly clipped: readonly boolean[];
}

export function readEntries(entries: DataView): Entries {
  const starts = Array.from({ length: entries.byteLength / ENTRY_BYTES }, (_, group) => group * ENTRY_BYTES);
  return {
    norms: Float64Array.from(starts, (start) => normAt(entries, start)),
    scales: Float64Array.from(starts, (start) => scaleAt(entries, start)),
    clipped: starts.map((start) => (entries.getUint32(start + recordAt.flags, true) & CLIPPED) !== 0),
  };
}
