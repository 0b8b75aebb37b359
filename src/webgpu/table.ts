import { type Struct, struct } from "../struct.ts";
import type { Batch, Placed } from "./dispatches.ts";
import { WORD_BYTES } from "./format.ts";
import { bytesOf, MOST_SEGMENTS } from "./segments.ts";
import type { Slot } from "./windows.ts";

/** As in shaders/shared/table.wgsl. */
export const tableHead = struct(
  "segmentCount",
  "tilesPerWorkgroup",
  "accumulates",
  "power",
  "firstPartial",
  "low",
  "high",
  "gradScaleIndex",
);

/** As in shaders/shared/segment.wgsl. */
export const segmentStruct = struct("first", "count", "tile", "piece", "into", "slot", "group", "edges");

/** The size of a table's binding. It may be longer than the table and overlap the next one; those words are not read. */
export const TABLE_BYTES = 4 * (tableHead.words + segmentStruct.words * MOST_SEGMENTS);

type Head = Parameters<typeof tableHead.write>[2];

/** The table of a dispatch: a head, then a struct of eight words for each segment. */
export function tableOf<Field extends string>(
  { placed, slots, tilesPerWorkgroup }: Batch,
  head: Head,
  segment: Struct<Field>,
  fieldsOf: (placed: Placed, slot: Slot) => Readonly<Partial<Record<Field, number>>>,
): Uint32Array {
  const table = new Uint32Array(tableHead.words + segment.words * placed.length);
  tableHead.write(table, 0, { segmentCount: placed.length, tilesPerWorkgroup, ...head });
  for (const [number, one] of placed.entries()) {
    const fields = fieldsOf(one, slots[one.slot] as Slot);
    segment.write(table, tableHead.words + segment.words * number, fields);
  }
  return table;
}

/** The table of a kernel that imports shared/segment.wgsl. */
export function segmentTableOf(batch: Batch, head: Head = {}): Uint32Array {
  return tableOf(batch, head, segmentStruct, (placed, slot) => {
    const { first, count, into, edges } = wordsOf(batch, placed, slot);
    const { piece, group } = placed.segment;
    return { first, count, tile: placed.tile, piece, into, slot: placed.slot, group, edges };
  });
}

/** Whole words are counted in the destination, and so are the bytes of the source. A view of 16-bit elements may begin and end in the middle of a word. */
export function wordsOf({ format }: Batch, { segment }: Placed, { source, into }: Slot) {
  const wordBytes = WORD_BYTES[format.word];
  const start = format.widening * (segment.source.byteOffset - source.offset);
  const intoStart = segment.into && into ? segment.into.byteOffset - into.offset : start;
  const intoFirst = Math.ceil(intoStart / wordBytes);
  const intoEnd = intoStart + bytesOf(segment);
  const firstByte = start + intoFirst * wordBytes - intoStart;
  const edge = (byte: number, bit: number) => (byte % wordBytes > 0 ? bit : 0);
  return {
    first: Math.floor(firstByte / wordBytes),
    count: Math.floor(intoEnd / wordBytes) - intoFirst,
    into: intoFirst,
    edges: edge(intoStart, 1) | edge(intoEnd, 2) | edge(firstByte, 4),
  };
}
