import { type Piece, partOf } from "../pieces.ts";
import { type Dtype, idOf, isSame, type Range } from "../ranges.ts";
import type { Units } from "../units.ts";
import { ALIGNMENT, alignedDown } from "./alignment.ts";
import type { Word } from "./format.ts";

/** In one dispatch, as in shaders/shared/table.wgsl. */
export const MOST_SEGMENTS = 240;
/** The same along axes, as in shaders/shared/units.wgsl: a uniform of a compatibility-mode device has 16 KiB. */
export const MOST_UNIT_SEGMENTS = 170;

/**
 * The longest piece of float32 whose window fits a binding wherever it begins. Pieces of 16-bit gradients have as many
 * elements, because the numbers of pieces must depend on the lengths alone.
 */
export function pieceElementsOf(maxBinding: number): number {
  return pieceBytesOf(maxBinding) / 4;
}

function pieceBytesOf(maxBinding: number): number {
  return alignedDown(maxBinding) - ALIGNMENT;
}

/** A run of bytes that one pass works on: a gradient, a piece of a large one, or several that follow each other. */
export interface Segment {
  readonly dtype: Dtype;
  readonly source: Range;
  readonly into?: Range;
  /** Of its first piece: what comes first in the caller's order is smaller. */
  readonly piece: number;
  readonly group: number;
  /** Where its values fall into several units: how, and which element of the tensor is the first. */
  readonly units?: Units;
  readonly firstElement: number;
  /** Where it is summed over examples, which lie one after the other. */
  readonly examples?: number;
  /** Of its first gradient, for messages. */
  readonly label: string;
}

/**
 * Joins neighbours of one group: fewer segments, and more that are whole 16-byte words. They follow each other in the list too, as a
 * record names an element by its distance from a segment's start.
 */
export function segmentsOf(pieces: readonly Piece[], maxBinding: number, withInto = false): Segment[] {
  const pieceBytes = pieceBytesOf(maxBinding);
  const segments: Segment[] = [];
  let previous = -1;
  for (const { tensor, number, first, length, group, units } of pieces) {
    const { dtype, label } = tensor;
    const into = withInto && tensor.into ? partOf(tensor.into, dtype, first, length) : undefined;
    const source = partOf(tensor.source, dtype, first, length);
    const segment: Segment = { dtype, source, into, piece: number, group, units, firstElement: first, label };
    const last = segments.at(-1);
    const joined = first === 0 && !units && number === previous + 1 ? join(last, segment, pieceBytes) : undefined;
    if (joined && !(wordOf(joined) === "u32" && [last, segment].some(isLargeAndWhole)))
      segments[segments.length - 1] = joined;
    else segments.push(segment);
    previous = number;
  }
  return segments;
}

/** A word of 4 bytes is read 1.5 to 2.5 times slower than one of 16: not for the sake of one binding less. */
function isLargeAndWhole(segment: Segment | undefined): boolean {
  return segment !== undefined && wordOf(segment) === "vec4" && segment.source.byteLength >= 65_536;
}

function join(a: Segment | undefined, b: Segment, pieceBytes: number): Segment | undefined {
  if (!a || a.dtype !== b.dtype || a.group !== b.group || !follows(a.source, b.source)) return undefined;
  if (a.source.byteLength + b.source.byteLength > pieceBytes) return undefined;
  const together = (x: Range, y: Range) => ({ ...x, byteLength: x.byteLength + y.byteLength });
  if (!a.into || !b.into) return a.into || b.into ? undefined : { ...a, source: together(a.source, b.source) };
  if (!follows(a.into, b.into)) return undefined;
  return { ...a, source: together(a.source, b.source), into: together(a.into, b.into) };
}

function follows(a: Range, b: Range): boolean {
  return isSame({ ...a, byteOffset: a.byteOffset + a.byteLength, byteLength: b.byteLength }, b);
}

/** Of the destination; the source has as many for each example. */
export function bytesOf({ source, examples = 1 }: Segment): number {
  return source.byteLength / examples;
}

export function wordOf(segment: Segment): Word {
  const offsets = segment.source.byteOffset | bytesOf(segment) | (segment.into?.byteOffset ?? 0);
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
    const { buffer, byteOffset } = written(segment);
    const wordAt = (byte: number) => `${idOf(buffer)},${byte - (byte % 4)}`;
    const end = byteOffset + bytesOf(segment);
    const batch = byteOffset % 4 > 0 && batchAt.get(wordAt(byteOffset)) === 0 ? 1 : 0;
    if (end % 4 > 0) batchAt.set(wordAt(end), batch);
    batches[batch].push(segment);
  }
  return batches;
}
