import type { Segment } from "./segments.ts";

/**
 * lavapipe silently ends every loop once an invocation's loops have run 65,535 iterations in total
 * (LP_MAX_TGSI_LOOP_ITERATIONS in src/gallium/auxiliary/gallivm/lp_bld_limits.h of Mesa; seen with 22.3 and 25.0 in 2026-11;
 * no public report found). It counts one iteration too many for each loop. It also enters each loop of a branch that no lane takes
 * once, even for bindings without a segment. Delete this file when the cases `loops` pass on lavapipe without it.
 */
const MOST_ITERATIONS = 65_535;
/** Iterations of a workgroup: the search for the first segment, and for each of 16 bindings a loop with at most 7 loops in it. */
const OF_WORKGROUP = 264;
/** Iterations of loops that run once in a segment: at most 7, along axes 3 for each of 16 bindings, and a few more. */
const OF_SEGMENT = 132;
/** Iterations over a lane's share of a tile: four words, one by one or all together. */
const OF_TILE = 8;
const WORDS = 4;

/** The most tiles that a workgroup may take if the longest tile needs `iterationsOfTile`. */
export function tilesWithin(iterationsOfTile: number, iterationsBefore = 0): number {
  return Math.max(1, Math.floor((MOST_ITERATIONS - iterationsBefore) / iterationsOfTile));
}

/** The same for tiles of four words a lane, from the iterations for a word. */
export function wordTilesWithin(segments: readonly Segment[], iterationsOfWord: (segment: Segment) => number): number {
  const most = Math.max(...segments.map(iterationsOfWord));
  return tilesWithin(OF_TILE + WORDS * most, OF_WORKGROUP + segments.length * OF_SEGMENT);
}

/** Iterations over a word element by element, as for exceptional values. */
export function iterationsOfElements(elements: number): number {
  return 2 + elements;
}
