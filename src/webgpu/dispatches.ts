import { elementsInWord, FORMATS, type Format, WORD_BYTES, type Word } from "./format.ts";
import type { GridRow } from "./grid.ts";
import { apartByWord, bytesOf, MOST_SEGMENTS, type Segment, wideningOf, wordOf } from "./segments.ts";
import { type Buffers, batched, conflictsIn, type FilledSlot, sharesBuffer, slotsOf } from "./windows.ts";

/** The limits of a device. */
export interface Limits {
  /** The number of gradient bindings in a dispatch with one other storage buffer. */
  readonly slots: number;
  /** The most bytes in a binding. */
  readonly maxBinding: number;
  readonly grid: GridRow;
}

/** How a kernel works through its segments. */
export interface Walk {
  readonly writes: boolean;
  /** The number of storage buffers besides the gradients and one more; default 0. */
  readonly extraStorage?: number;
  readonly mostWorkgroups: (grid: GridRow) => number;
  /** The most segments in a dispatch; default MOST_SEGMENTS. */
  readonly mostSegments?: number;
  /** Whether a workgroup must stay within one group. */
  readonly grouped?: boolean;
  /** The word to read a segment in; default wordOf. */
  readonly wordOf?: (segment: Segment) => Word;
  /** The number of tiles in a segment. By default a tile has four words for each lane. */
  readonly tilesOf?: (segment: Segment) => number;
  /** The most tiles of these segments that a workgroup may take: see loopLimit.ts. */
  readonly mostTiles: (segments: readonly Segment[], elementsInWord: number) => number;
}

/** The work of one dispatch. */
export interface Batch {
  readonly format: Format;
  /** Whether results replace the gradients or go elsewhere; "shared" where the dispatch reads and writes one buffer. */
  readonly target: "in-place" | "into" | "shared";
  readonly writes: boolean;
  /** The number of bindings for sources; there are as many for destinations if results go elsewhere. Some may be unused. */
  readonly bindings: number;
  readonly slots: readonly FilledSlot[];
  readonly placed: readonly Placed[];
  readonly tilesPerWorkgroup: number;
  readonly workgroups: number;
}

/** A segment with its place in a dispatch. */
export interface Placed {
  readonly segment: Segment;
  readonly slot: number;
  /** The number of its first tile. */
  readonly tile: number;
  readonly tiles: number;
}

/** As in shaders/shared/workgroup.wgsl. */
const TILE_WORDS_A_LANE = 4;

/** Makes as few dispatches as the limits allow, each for one format. */
export function batchesOf(
  walk: Walk,
  segments: readonly Segment[],
  target: "in-place" | "into",
  limits: Limits,
  buffers: Buffers,
): Batch[] {
  const { writes, extraStorage = 0, mostSegments = MOST_SEGMENTS, wordOf: wordFor = wordOf } = walk;
  const slotCount = limits.slots - extraStorage;
  const bindings = target === "into" ? Math.floor(slotCount / 2) : slotCount;
  return FORMATS.flatMap((format) => {
    const alike = segments.filter(
      (segment) =>
        segment.dtype === format.dtype && wideningOf(segment) === format.widening && wordFor(segment) === format.word,
    );
    return (writes ? apartByWord(alike) : [alike]).flatMap((together) => {
      const slots = slotsOf(together, buffers, { maxBinding: limits.maxBinding, mostSegments });
      const conflict = writes ? conflictsIn(slots) : () => false;
      return batched(slots, bindings, mostSegments, conflict).map((batch) => ({
        format,
        target: target === "into" && sharesBuffer(batch) ? ("shared" as const) : target,
        writes,
        bindings,
        slots: batch,
        ...spread(walk, batch, format, limits.grid),
      }));
    });
  });
}

/** Spreads the tiles of a dispatch over the grid's workgroups, or over more if a workgroup would get too many tiles. */
function spread(walk: Walk, slots: readonly FilledSlot[], format: Format, grid: GridRow) {
  const segments = sized(walk, slots, format, grid.lanes);
  const tilesPerWorkgroup = Math.min(
    evenShare(segments, grid.minTiles, walk.mostWorkgroups(grid)),
    walk.mostTiles(
      segments.map(({ segment }) => segment),
      elementsInWord(format),
    ),
  );
  const { placed, end } = placedFrom(segments, tilesPerWorkgroup, walk.grouped === true);
  return { placed, tilesPerWorkgroup, workgroups: Math.ceil(end / tilesPerWorkgroup) };
}

type Sized = Omit<Placed, "tile">;

/** Orders segments by binding: a workgroup goes through the bindings in turn, so the segments of one must be neighbours. */
function sized({ grouped, tilesOf }: Walk, slots: readonly FilledSlot[], { word }: Format, lanes: number): Sized[] {
  const tileBytes = TILE_WORDS_A_LANE * lanes * WORD_BYTES[word];
  const segments = slots.flatMap((slot, number) =>
    slot.segments.map((segment) => ({
      segment,
      slot: number,
      tiles: tilesOf?.(segment) ?? Math.ceil(bytesOf(segment) / tileBytes),
    })),
  );
  return grouped ? segments.sort((a, b) => a.segment.group - b.segment.group) : segments;
}

function evenShare(segments: readonly Sized[], minTiles: number, mostWorkgroups: number): number {
  const tiles = segments.reduce((sum, { tiles }) => sum + tiles, 0);
  return Math.ceil(tiles / Math.min(Math.ceil(tiles / minTiles), mostWorkgroups));
}

function placedFrom(segments: readonly Sized[], tilesPerWorkgroup: number, grouped: boolean) {
  let end = 0;
  let group: number | undefined;
  const placed = segments.map((sized) => {
    if (grouped && sized.segment.group !== group) end = Math.ceil(end / tilesPerWorkgroup) * tilesPerWorkgroup;
    group = sized.segment.group;
    const tile = end;
    end += sized.tiles;
    return { segment: sized.segment, slot: sized.slot, tiles: sized.tiles, tile };
  });
  return { placed, end };
}
