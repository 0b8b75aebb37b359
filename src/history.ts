import type { CheckedOptions } from "./options.ts";
import { normAt, recordAt, scaleAt } from "./record.ts";

/** A row begins as a record does. */
export const HISTORY_ROW_BYTES = 32;
export const rowAt = { bound: 24, step: 28 } as const;

/**
 * The steps since the last call of `Clip.history`, the oldest first: the arrays have one number for each. Two steps under
 * `clipByGlobalNorm(1)` with `[0.3, 0.4]` and then `[3, 4]` give steps `[1, 2]`, norms `[0.5, 5]`, scales `[1, 0.2]`, bounds `[1, 1]`,
 * flags `[0, 1]` and lost 0.
 */
export interface ClipHistory {
  /** Their numbers, from 1 since prepare, modulo 2^32. */
  readonly steps: Uint32Array;
  /** As `ClipReport.norm`: before clipping, after `gradScale`. */
  readonly norms: Float64Array;
  /** As `ClipReport.scale`: NaN for methods with several norms. */
  readonly scales: Float64Array;
  /** The bounds that were used, `maxNorm` or what an adaptive method made of it; NaN for named groups. */
  readonly bounds: Float64Array;
  /** 1 clipped, 2 skipped, 4 NaN seen, 8 infinity seen, 16 a spike; added up, as in the record. */
  readonly flags: Uint32Array;
  /** How many older steps since the last call are gone: more passed than are kept. */
  readonly lost: number;
}

export function historyBytes({ history = 0 }: Pick<CheckedOptions, "history">): number {
  return HISTORY_ROW_BYTES * history;
}

/** @param since the number of the last step that is known. */
export function readHistory(rows: DataView, since: number): ClipHistory {
  const numberAt = (row: number) => rows.getUint32(row + rowAt.step, true);
  // Numbers go round after 2^32; a row without a step has number 0.
  const after = (row: number) => (numberAt(row) === 0 ? 0 : (numberAt(row) - since) >>> 0);
  const starts = Array.from({ length: rows.byteLength / HISTORY_ROW_BYTES }, (_, i) => i * HISTORY_ROW_BYTES);
  const found = starts.filter((row) => after(row) > 0 && after(row) < 2 ** 31).sort((a, b) => after(a) - after(b));
  const newest = found.at(-1);
  return {
    steps: Uint32Array.from(found, numberAt),
    norms: Float64Array.from(found, (row) => normAt(rows, row)),
    scales: Float64Array.from(found, (row) => scaleAt(rows, row)),
    bounds: Float64Array.from(found, (row) => rows.getFloat32(row + rowAt.bound, true)),
    flags: Uint32Array.from(found, (row) => rows.getUint32(row + recordAt.flags, true)),
    lost: newest === undefined ? 0 : after(newest) - found.length,
  };
}
