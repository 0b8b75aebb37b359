import { type Dtype, ELEMENT_BYTES, idOf, isSame, type Range, type Tensor } from "../gradients.ts";
import type { Word } from "./kernels.ts";

/** A run of bytes that one pass works on: a gradient, a piece of a large one, or several that follow each other. */
export interface Segment {
  readonly dtype: Dtype;
  readonly source: Range;
  readonly into?: Range;
  /** Its number when every gradient is cut into pieces: what comes first in the caller's order is smaller. */
  readonly rank: number;
}

/** The ranks depend on the lengths alone, so that a record can be read whatever buffers made it. */
export function ranksOf(tensors: readonly Tensor[], pieceElements: number): number[] {
  const ranks: number[] = [];
  let next = 0;
  for (const { length } of tensors) {
    ranks.push(next);
    next += Math.ceil(length / pieceElements);
  }
  return ranks;
}

/** Cuts what is larger than a binding and joins neighbours: fewer segments, and more that are whole 16-byte words. */
export function segmentsOf(
  tensors: readonly Tensor[],
  ranks: ReadonlyMap<Tensor, number>,
  pieceElements: number,
  withInto: boolean,
): Segment[] {
  const segments: Segment[] = [];
  for (const tensor of tensors) {
    const { source, dtype } = tensor;
    const pieceBytes = pieceElements * ELEMENT_BYTES[dtype];
    const into = withInto ? tensor.into : undefined;
    const rank = ranks.get(tensor) ?? 0;
    for (let start = 0; start < source.byteLength; start += pieceBytes) {
      const byteLength = Math.min(pieceBytes, source.byteLength - start);
      const piece = (range: Range) => ({ ...range, byteOffset: range.byteOffset + start, byteLength });
      const segment = { dtype, source: piece(source), into: into && piece(into), rank: rank + start / pieceBytes };
      const joined = start === 0 ? join(segments.at(-1), segment, pieceBytes) : undefined;
      if (joined) segments[segments.length - 1] = joined;
      else segments.push(segment);
    }
  }
  return segments;
}

function join(a: Segment | undefined, b: Segment, pieceBytes: number): Segment | undefined {
  if (!a || a.dtype !== b.dtype || !follows(a.source, b.source)) return undefined;
  if (a.source.byteLength + b.source.byteLength > pieceBytes) return undefined;
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

/**
 * For dispatches that write: 16-bit elements of two segments may share a 32-bit word, which two invocations must not
 * write at once. A word is shared by no more than two, so that every other one in a second batch keeps them apart.
 */
export function apartByWord(segments: readonly Segment[]): Segment[][] {
  const batches: [Segment[], Segment[]] = [[], []];
  const batchAt = new Map<string, 0 | 1>();
  const written = ({ source, into }: Segment) => into ?? source;
  for (const segment of [...segments].sort((a, b) => written(a).byteOffset - written(b).byteOffset)) {
    const { memory, byteOffset, byteLength } = written(segment);
    const wordAt = (byte: number) => `${idOf(memory)},${byte - (byte % 4)}`;
    const end = byteOffset + byteLength;
    const batch = byteOffset % 4 > 0 && batchAt.get(wordAt(byteOffset)) === 0 ? 1 : 0;
    if (end % 4 > 0) batchAt.set(wordAt(end), batch);
    batches[batch].push(segment);
  }
  return batches;
}
