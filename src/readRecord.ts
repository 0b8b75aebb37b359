import { counted, kindOf, wrongValue } from "./check.ts";
import type { Clip } from "./clip.ts";
import { type ClipReport, countsOf, type Place, RECORD_BYTES, readReport } from "./record.ts";

/**
 * Decodes a record that was copied from `clip.record` in the caller's own encoder: no submit and no wait of gradclip's. It says
 * what a report says, except that all counters are running ones: since prepare, modulo 2^32, and all 0 before the first step. It
 * changes nothing of what `clip.report()` counts from. Norms of single tensors, members or groups stand in `clip.scales`, not here.
 *
 * @example
 * ```ts
 * encoder.copyBufferToBuffer(clip.record, 0, staging, 0, 96);
 * // after the submit and mapAsync:
 * const { norm, totals } = readRecord(staging.getMappedRange(), clip);
 * ```
 * @param bytes all 96, or more of which they are the first.
 * @param clip whose record it is: without it `firstNonFinite` and `lastNonFinite` are undefined.
 * @throws TypeError for what are no bytes and for what is no clip; RangeError for fewer bytes, and for a place that no
 * gradient of the clip has.
 */
export function readRecord(bytes: ArrayBuffer | ArrayBufferView, clip?: Clip): ClipReport {
  const { locate } = (clip ?? {}) as { locate?: (piece: number, element: number) => Place };
  if (clip !== undefined && typeof locate !== "function") {
    throw wrongValue(clip, "readRecord's clip", "what prepare returned, or leave it out");
  }
  return readReport(
    recordIn(bytes),
    countsOf(() => 0),
    locate?.bind(clip),
  );
}

function recordIn(bytes: unknown): DataView {
  const isView = ArrayBuffer.isView(bytes);
  if (!isView && kindOf(bytes) !== "ArrayBuffer") {
    throw wrongValue(bytes, "readRecord's bytes", "an ArrayBuffer, or a view of its bytes");
  }
  const { byteLength } = bytes as ArrayBuffer | ArrayBufferView;
  if (byteLength < RECORD_BYTES) {
    throw new RangeError(
      `readRecord's bytes has ${counted(byteLength, "byte")}, but a record has ${RECORD_BYTES}; pass all of it while it is mapped.`,
    );
  }
  return isView ? new DataView(bytes.buffer, bytes.byteOffset) : new DataView(bytes as ArrayBuffer);
}
