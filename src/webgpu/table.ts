import { WORD_BYTES, type Word } from "./kernels.ts";
import type { Slot } from "./plan.ts";
import type { Segment } from "./segments.ts";

/** As in shaders/shared/segments.wgsl. */
export const MOST_SEGMENTS = 240;
const TILE_WORDS = 256;
const SEGMENTS_AT = 8;
const SEGMENT_WORDS = 8;

/** What a kernel binds: the words that a dispatch leaves unused may lie over the next table. */
export const TABLE_BYTES = 4 * (SEGMENTS_AT + SEGMENT_WORDS * MOST_SEGMENTS);

export function tilesOf(segment: Segment, word: Word): number {
  return Math.ceil(segment.source.byteLength / (TILE_WORDS * WORD_BYTES[word]));
}

/** A segment with its place in a dispatch. */
export interface Placed {
  readonly segment: Segment;
  readonly slot: number;
  /** The number of its first tile. */
  readonly tile: number;
}

export interface TableContents {
  readonly word: Word;
  readonly slots: readonly Slot[];
  readonly placed: readonly Placed[];
  readonly tilesPerWorkgroup: number;
  /** NormKind's fixedPower. */
  readonly power: number;
  /** Where the dispatch's partials begin, and whether they replace what is there. */
  readonly firstPartial: number;
  readonly fresh: boolean;
}

export function tableOf(contents: TableContents): Uint32Array<ArrayBuffer> {
  const { word, slots, placed, tilesPerWorkgroup, power, firstPartial, fresh } = contents;
  const table = new Uint32Array(SEGMENTS_AT + SEGMENT_WORDS * placed.length);
  const wordsIn = (bytes: number) => bytes / WORD_BYTES[word];
  table.set([placed.length, tilesPerWorkgroup, fresh ? 1 : 0, power, firstPartial]);
  for (const [number, { segment, slot, tile }] of placed.entries()) {
    const { source, into } = slots[slot] as Slot;
    const first = wordsIn(segment.source.byteOffset - source.offset);
    const intoFirst = segment.into && into ? wordsIn(segment.into.byteOffset - into.offset) : first;
    const { rank, group } = segment;
    const row = [first, wordsIn(segment.source.byteLength), tile, rank, intoFirst, slot, group];
    table.set(row, SEGMENTS_AT + SEGMENT_WORDS * number);
  }
  return table;
}
