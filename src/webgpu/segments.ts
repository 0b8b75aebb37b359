import { isSame, type Range, type Tensor } from "../gradients.ts";
import type { Word } from "./kernels.ts";

/** A run of bytes that one pass works on: a gradient, a piece of a large one, or several that follow each other. */
export interface Segment {
  readonly source: Range;
  readonly into?: Range;
  /** Its number when every gradient is cut into pieces: what comes first in the caller's order is smaller. */
  readonly rank: number;
}

/** The ranks depend on the lengths alone, so that a record can be read whatever buffers made it. */
export function ranksOf(tensors: readonly Tensor[], pieceBytes: number): number[] {
  const ranks: number[] = [];
  let next = 0;
  for (const { source } of tensors) {
    ranks.push(next);
    next += Math.ceil(source.byteLength / pieceBytes);
  }
  return ranks;
}

/** Cuts what is larger than a binding and joins neighbours: fewer segments, and more that are whole 16-byte words. */
export function segmentsOf(
  tensors: readonly Tensor[],
  ranks: ReadonlyMap<Tensor, number>,
  pieceBytes: number,
  withInto: boolean,
): Segment[] {
  const segments: Segment[] = [];
  for (const tensor of tensors) {
    const { source } = tensor;
    const into = withInto ? tensor.into : undefined;
    const rank = ranks.get(tensor) ?? 0;
    for (let start = 0; start < source.byteLength; start += pieceBytes) {
      const byteLength = Math.min(pieceBytes, source.byteLength - start);
      const piece = (range: Range) => ({ ...range, byteOffset: range.byteOffset + start, byteLength });
      const segment = { source: piece(source), into: into && piece(into), rank: rank + start / pieceBytes };
      const joined = start === 0 ? join(segments.at(-1), segment, pieceBytes) : undefined;
      if (joined) segments[segments.length - 1] = joined;
      else segments.push(segment);
    }
  }
  return segments;
}

function join(a: Segment | undefined, b: Segment, pieceBytes: number): Segment | undefined {
  if (!a || !follows(a.source, b.source) || a.source.byteLength + b.source.byteLength > pieceBytes) return undefined;
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
