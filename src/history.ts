import { normAt, recordAt, scaleAt } from "./record.ts";

/** The words of a step: the first six are those of the record. */
export const HISTORY_WORDS = 8;
const BOUND_AT = 24;
const STEP_AT = 28;

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
  /** The bounds that were used, `maxNorm` or what an adaptive method made of it; NaN with several norms. */
  readonly bounds: Float64Array;
  /** 1 clipped, 2 skipped, 4 NaN seen, 8 infinity seen, 16 a spike; added up, as in the record. */
  readonly flags: Uint32Array;
  /** How many older steps since the last call are gone: more passed than are kept. */
  readonly lost: number;
}

/** @param since the number of the last step that is known. */
export function readHistory(rows: DataView, since: number): ClipHistory {
  // Numbers go round after 2^32. A row without a step has number 0.
  const after = (row: number) => (rows.getUint32(row + STEP_AT, true) - since) | 0;
  const found: number[] = [];
  for (let row = 0; row < rows.byteLength; row += 4 * HISTORY_WORDS) if (after(row) > 0) found.push(row);
  found.sort((a, b) => after(a) - after(b));
  return {
    steps: Uint32Array.from(found, (row) => since + after(row)),
    norms: Float64Array.from(found, (row) => normAt(rows, row)),
    scales: Float64Array.from(found, (row) => scaleAt(rows, row)),
    bounds: Float64Array.from(found, (row) => rows.getFloat32(row + BOUND_AT, true)),
    flags: Uint32Array.from(found, (row) => rows.getUint32(row + recordAt.flags, true)),
    lost: found.length && after(found.at(-1) as number) - found.length,
  };
}
