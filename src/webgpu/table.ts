import { type Format, WORD_BYTES, type Word } from "./kernels.ts";
import type { Pass } from "./plan.ts";
import { bytesOf, elementsOf, MOST_SEGMENTS, type Segment } from "./segments.ts";
import type { Slot, Window } from "./slots.ts";

/** As in shaders/shared/table.wgsl and segment.wgsl. */
const TILE_WORDS_A_LANE = 4;
const SEGMENTS_AT = 8;
const SEGMENT_WORDS = 8;

/** What a kernel binds: the words that a dispatch leaves unused may lie over the next table. */
export const TABLE_BYTES = 4 * (SEGMENTS_AT + SEGMENT_WORDS * MOST_SEGMENTS);

export function tilesOf(segment: Segment, word: Word, lanes: number): number {
  return Math.ceil(bytesOf(segment) / (TILE_WORDS_A_LANE * lanes * WORD_BYTES[word]));
}

/** A segment with its place in a dispatch. */
export interface Placed {
  readonly segment: Segment;
  readonly slot: number;
  /** The number of its first tile. */
  readonly tile: number;
}

export interface TableContents {
  readonly pass: Pass;
  readonly format: Format;
  readonly slots: readonly Slot[];
  readonly placed: readonly Placed[];
  readonly tilesPerWorkgroup: number;
  /** NormKind's fixedPower. */
  readonly power: number;
  /** Where the dispatch's partials begin, and whether they replace what is there. */
  readonly firstPartial: number;
  readonly fresh: boolean;
  /** The bits of clamp's limits, and where its gradScale stands. */
  readonly clamp?: readonly [low: number, high: number, gradScaleIndex: number];
}

export function tableOf(contents: TableContents): Uint32Array<ArrayBuffer> {
  const { pass, format, slots, placed, tilesPerWorkgroup, power, firstPartial, fresh, clamp = [] } = contents;
  const table = new Uint32Array(SEGMENTS_AT + SEGMENT_WORDS * placed.length);
  table.set([placed.length, tilesPerWorkgroup, fresh ? 0 : 1, power, firstPartial, ...clamp]);
  for (const [number, { segment, slot, tile }] of placed.entries()) {
    const { source, into } = slots[slot] as Slot;
    const { piece, group } = segment;
    if (pass === "unit norm") {
      const { first, count } = elementsOf(segment, source.offset);
      table.set([first, count, tile, piece, first, slot, group, 0], SEGMENTS_AT + SEGMENT_WORDS * number);
      continue;
    }
    const { first, count, intoFirst, edges } = wordsOf(segment, source, into, WORD_BYTES[format.word]);
    table.set(
      [first, count, tile, segment.examples ?? piece, intoFirst, slot, group, edges],
      SEGMENTS_AT + SEGMENT_WORDS * number,
    );
  }
  return table;
}

/** Whole words are those of the destination; a view of 16-bit elements may begin and end in the middle of one. */
function wordsOf(segment: Segment, source: Window, into: Window | undefined, wordBytes: number) {
  const start = segment.source.byteOffset - source.offset;
  const intoStart = segment.into && into ? segment.into.byteOffset - into.offset : start;
  const intoFirst = Math.ceil(intoStart / wordBytes);
  const intoEnd = intoStart + bytesOf(segment);
  const firstByte = start + intoFirst * wordBytes - intoStart;
  const edges = [intoStart % wordBytes, intoEnd % wordBytes, firstByte % wordBytes];
  return {
    first: Math.floor(firstByte / wordBytes),
    count: Math.floor(intoEnd / wordBytes) - intoFirst,
    intoFirst,
    edges: edges.reduce((bits, bytes, i) => bits | (bytes > 0 ? 1 << i : 0), 0),
  };
}
