import type { Segment } from "./segments.ts";

/**
 * lavapipe silently ends every loop once an invocation's loops have run 65,535 iterations in total
 * (LP_MAX_TGSI_LOOP_ITERATIONS in src/gallium/auxiliary/gallivm/lp_bld_limits.h of Mesa; seen with 22.3 and 25.0 in 2026-11;
 * no public report found). It counts one more for each loop than the loop has iterations, and goes once through the loops in
 * branches that no lane takes: through those of bindings without a segment too. Delete this file when the cases `loops`
 * pass on lavapipe without it.
 */
const MOST_ITERATIONS = 65_535;
/** The search for the first segment, and a loop for each of 16 bindings with at most 7 in it. */
const OF_WORKGROUP = 264;
/** The loops that are met once in a segment: at most 7, along axes 3 for each of 16 bindings, and some beside them. */
const OF_SEGMENT = 132;
/** Loops over what a lane has of a tile: four words, one by one or all at once. */
const OF_TILE = 8;
const WORDS = 4;

/** How many tiles a workgroup may take, of which the longest needs so many iterations. */
export function tilesWithin(iterationsOfTile: number, iterationsBefore = 0): number {
  return Math.max(1, Math.floor((MOST_ITERATIONS - iterationsBefore) / iterationsOfTile));
}

/** The same for tiles of four words a lane, from the iterations of a word. */
export function wordTilesWithin(segments: readonly Segment[], iterationsOfWord: (segment: Segment) => number): number {
  const most = Math.max(...segments.map(iterationsOfWord));
  return tilesWithin(OF_TILE + WORDS * most, OF_WORKGROUP + segments.length * OF_SEGMENT);
}

/** Element by element, as where values are out of the ordinary; each with so many more. */
export function iterationsOfElements(elements: number, ofElement = 0): number {
  return 2 + elements * (1 + ofElement);
}
