import { HISTORY_ROW_BYTES, rowAt } from "../history.ts";
import { recordAt } from "../record.ts";

/** Keeps the record of a step among the rows, in the place of the oldest; as shaders/finish.wgsl does. */
export function keepStep(rows: DataView, record: DataView): void {
  const steps = record.getUint32(recordAt.steps, true);
  const start = (((steps - 1) >>> 0) % (rows.byteLength / HISTORY_ROW_BYTES)) * HISTORY_ROW_BYTES;
  const copy = (to: number, from: number) => rows.setUint32(start + to, record.getUint32(from, true), true);
  for (let at = 0; at < rowAt.bound; at += 4) copy(at, at);
  copy(rowAt.bound, recordAt.maxNorm);
  copy(rowAt.step, recordAt.steps);
}
