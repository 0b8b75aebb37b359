import { type Format, WORD_BYTES, type Word } from "./kernels.ts";
import type { Slot, Window } from "./plan.ts";
import type { Segment } from "./segments.ts";

/** As in shaders/shared/segments.wgsl. */
export const MOST_SEGMENTS = 240;
const TILE_WORDS = 256;
const SEGMENTS_AT = 4;
const SEGMENT_WORDS = 8;

/** What a kernel binds: the words that a dispatch leaves unused may lie over the next table. */
export const TABLE_BYTES = 4 * (SEGMENTS_AT + SEGMENT_WORDS * MOST_SEGMENTS);

export function tilesOf(segment: Segment, word: Word): number {
  return Math.ceil(segment.source.byteLength / (TILE_WORDS * WORD_BYTES[word]));
}

export interface TableContents {
  readonly format: Format;
  readonly slots: readonly Slot[];
  readonly tilesPerWorkgroup: number;
  /** NormKind's fixedPower. */
  readonly power: number;
}

/** The table of a dispatch; `fresh` if its partials replace what is there. */
export function tableOf(
  { format, slots, tilesPerWorkgroup, power }: TableContents,
  fresh: boolean,
): Uint32Array<ArrayBuffer> {
  const table = new Uint32Array(TABLE_BYTES / 4);
  const { word } = format;
  let number = 0;
  let tile = 0;
  for (const [slot, { source, into, segments }] of slots.entries()) {
    for (const segment of segments) {
      const { first, count, intoFirst, edges } = wordsOf(segment, source, into, WORD_BYTES[word]);
      table.set([first, count, tile, segment.rank, intoFirst, slot, 0, edges], SEGMENTS_AT + SEGMENT_WORDS * number);
      tile += tilesOf(segment, word);
      number += 1;
    }
  }
  table.set([number, tilesPerWorkgroup, fresh ? 1 : 0, power], 0);
  return table.slice(0, SEGMENTS_AT + SEGMENT_WORDS * number);
}

/** Whole words are those of the destination; a view of 16-bit elements may begin and end in the middle of one. */
function wordsOf(segment: Segment, source: Window, into: Window | undefined, wordBytes: number) {
  const start = segment.source.byteOffset - source.offset;
  const intoStart = segment.into && into ? segment.into.byteOffset - into.offset : start;
  const intoFirst = Math.ceil(intoStart / wordBytes);
  const intoEnd = intoStart + segment.source.byteLength;
  const firstByte = start + intoFirst * wordBytes - intoStart;
  const edges = [intoStart % wordBytes, intoEnd % wordBytes, firstByte % wordBytes];
  return {
    first: Math.floor(firstByte / wordBytes),
    count: Math.floor(intoEnd / wordBytes) - intoFirst,
    intoFirst,
    edges: edges.reduce((bits, bytes, i) => bits | (bytes > 0 ? 1 << i : 0), 0),
  };
}
