import type { Cut } from "../cuts.ts";
import { isSame, type Range } from "../gradients.ts";
import type { Word } from "./kernels.ts";

/** A run of bytes that one pass works on: a gradient, a piece of a large one, or several that follow each other. */
export interface Segment {
  readonly source: Range;
  readonly into?: Range;
  /** Of its first cut: what comes first in the caller's order is smaller. */
  readonly rank: number;
  readonly group: number;
  /** Of its first gradient, for messages. */
  readonly label: string;
}

export interface RankedCut extends Cut {
  readonly rank: number;
}

/** Joins neighbours of one group: fewer segments, and more that are whole 16-byte words. */
export function segmentsOf(cuts: readonly RankedCut[], pieceBytes: number, withInto: boolean): Segment[] {
  const segments: Segment[] = [];
  for (const { tensor, first, length, group, rank } of cuts) {
    const part = (range: Range) => ({ ...range, byteOffset: range.byteOffset + 4 * first, byteLength: 4 * length });
    const into = withInto && tensor.into ? part(tensor.into) : undefined;
    const segment = { source: part(tensor.source), into, rank, group, label: tensor.label };
    const last = segments.at(-1);
    const joined = first === 0 ? join(last, segment, pieceBytes) : undefined;
    if (joined && !(wordOf(joined) === "u32" && [last, segment].some(isLargeAndWhole)))
      segments[segments.length - 1] = joined;
    else segments.push(segment);
  }
  return segments;
}

/** A word of 4 bytes is read 1.5 to 2.5 times slower than one of 16: not for the sake of one binding less. */
function isLargeAndWhole(segment: Segment | undefined): boolean {
  return segment !== undefined && wordOf(segment) === "vec4" && segment.source.byteLength >= 65_536;
}

function join(a: Segment | undefined, b: Segment, pieceBytes: number): Segment | undefined {
  if (
    !a ||
    a.group !== b.group ||
    !follows(a.source, b.source) ||
    a.source.byteLength + b.source.byteLength > pieceBytes
  )
    return undefined;
  const together = (x: Range, y: Range) => ({ ...x, byteLength: x.byteLength + y.byteLength });
  if (!a.into || !b.into) return a.into || b.into ? undefined : { ...a, source: together(a.source, b.source) };
  if (!follows(a.into, b.into)) return undefined;
  return { ...a, source: together(a.source, b.source), into: together(a.into, b.into) };
}

function follows(a: Range, b: Range): boolean {
  return isSame({ ...a, byteOffset: a.byteOffset + a.byteLength, byteLength: b.byteLength }, b);
}

export function wordOf({ source, into }: Segment): Word {
  const offsets = source.byteOffset | source.byteLength | (into?.byteOffset ?? 0);
  return offsets % 16 === 0 ? "vec4" : "u32";
}
