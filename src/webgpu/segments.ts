import { type Piece, partOf } from "../pieces.ts";
import { type Dtype, idOf, type Range } from "../ranges.ts";
import type { Units } from "../units.ts";
import { ALIGNMENT, alignedDown } from "./alignment.ts";
import type { Word } from "./format.ts";

/** The most segments in a dispatch, as in shaders/shared/table.wgsl. */
export const MOST_SEGMENTS = 240;
/** The same along axes, as in shaders/unit_norm.wgsl and shaders/scales/unit.wgsl: a uniform has 16 KiB on a device of compatibility mode. */
export const MOST_UNIT_SEGMENTS = 170;

/**
 * The longest piece of float32 whose window fits a binding at any offset. Pieces of 16-bit gradients have as many elements: the
 * numbers of pieces must depend on the lengths only.
 */
export function pieceElementsOf(maxBinding: number): number {
  return pieceBytesOf(maxBinding) / 4;
}

function pieceBytesOf(maxBinding: number): number {
  return alignedDown(maxBinding) - ALIGNMENT;
}

/** A run of bytes that a pass works on: a gradient, a piece of a large one, or several neighbours. */
export interface Segment {
  readonly dtype: Dtype;
  readonly source: Range;
  readonly into?: Range;
  /** The number of its first piece. Numbers follow the caller's order. */
  readonly piece: number;
  readonly group: number;
  /** Present if its values belong to several units. */
  readonly units?: Units;
  readonly firstElement: number;
  /** The number of consecutive examples to sum over, if any; 0 where the sum of none is written to the source. */
  readonly examples?: number;
  /** The label of its first gradient, for messages. */
  readonly label: string;
}

/**
 * Joins neighbours of one group. That makes fewer segments, and more of them are whole 16-byte words. The pieces must be neighbours
 * in the list too: a record names an element by its distance from a segment's start.
 */
export function segmentsOf(pieces: readonly Piece[], maxBinding: number, withInto = false): Segment[] {
  const pieceBytes = pieceBytesOf(maxBinding);
  const segments: Segment[] = [];
  let previous = -1;
  for (const { tensor, number, first, length, group, units } of pieces) {
    const { dtype, label } = tensor;
    const into = withInto && tensor.into ? partOf(tensor.into, tensor.into.dtype, first, length) : undefined;
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

/** Reading in 4-byte words is 1.5 to 2.5 times slower than in 16-byte words. Saving one binding is not worth that. */
function isLargeAndWhole(segment: Segment | undefined): boolean {
  return segment !== undefined && wordOf(segment) === "vec4" && segment.source.byteLength >= 65_536;
}

function join(a: Segment | undefined, b: Segment, pieceBytes: number): Segment | undefined {
  if (!a || a.dtype !== b.dtype || a.group !== b.group || !follows(a.source, b.source)) return undefined;
  if (wideningOf(a) !== wideningOf(b) || bytesOf(a) + bytesOf(b) > pieceBytes) return undefined;
  const together = (x: Range, y: Range) => ({ ...x, byteLength: x.byteLength + y.byteLength });
  if (!a.into || !b.into) return a.into || b.into ? undefined : { ...a, source: together(a.source, b.source) };
  if (!follows(a.into, b.into)) return undefined;
  return { ...a, source: together(a.source, b.source), into: together(a.into, b.into) };
}

function follows(a: Range, b: Range): boolean {
  return a.buffer === b.buffer && a.byteOffset + a.byteLength === b.byteOffset;
}

/** The bytes of the destination. */
export function bytesOf(segment: Segment): number {
  return (wideningOf(segment) * segment.source.byteLength) / (segment.examples || 1);
}

/** How many bytes the destination has for each that is read of an example: see format.ts. */
export function wideningOf({ source, into, examples = 1 }: Segment): number {
  return into ? (examples * into.byteLength) / source.byteLength : 1;
}

export function wordOf(segment: Segment): Word {
  const { source, into } = segment;
  const offsets = (wideningOf(segment) * source.byteOffset) | bytesOf(segment) | (into?.byteOffset ?? 0);
  return offsets % 16 === 0 ? "vec4" : "u32";
}

/**
 * For dispatches that write. 16-bit elements of two segments may share a 32-bit word, and two invocations must not write it at the
 * same time. At most two segments share a word: putting every other one into a second batch separates them.
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
