import { ELEMENT_BYTES } from "../ranges.ts";
import { type Format, WORD_BYTES } from "./kernels.ts";
import type { Pass } from "./plan.ts";
import type { Segment } from "./segments.ts";
import type { Shape } from "./unitShapes.ts";

/**
 * lavapipe silently ends every loop once an invocation's loops have run 65,535 iterations in total
 * (LP_MAX_TGSI_LOOP_ITERATIONS in src/gallium/auxiliary/gallivm/lp_bld_limits.h of Mesa; seen with 22.3 and 25.0 in 2026-11;
 * no public report found). It counts one more for each loop than the loop has iterations, and goes once through the loops in
 * branches that no lane takes: through those of bindings without a segment too. Delete this file when the cases `loops`
 * pass on lavapipe without it.
 */
const MOST_TRIPS = 65_535;
/** The search for the first segment, and a loop for each of 16 bindings with at most 7 in it. */
const TRIPS_OF_WORKGROUP = 264;
/** The loops that are met once in a segment: at most 7, along axes 3 for each of 16 bindings, and some beside them. */
const TRIPS_OF_SEGMENT = 132;
/** Loops over what a lane has of a tile: four words, one by one or all at once. */
const TRIPS_OF_TILE = 8;
const WORDS = 4;
/** In a job of unit_norm.wgsl: finding its segment, folding its lanes, four loops for each of the other bindings. */
const TRIPS_OF_JOB = 100;

/** How many tiles, or jobs of unit_norm.wgsl, a workgroup of a dispatch may take. */
export function mostTiles(
  pass: Pass,
  { dtype, word }: Format,
  segments: readonly { readonly segment: Segment }[],
  shapes: ReadonlyMap<Segment, Shape> | undefined,
): number {
  const elements = WORD_BYTES[word] / ELEMENT_BYTES[dtype];
  const tripsOf = ({ segment }: { readonly segment: Segment }) => {
    const shape = shapes?.get(segment);
    return shape ? tripsOfJob(shape) : TRIPS_OF_TILE + WORDS * tripsOfWord(pass, segment, elements);
  };
  const left = MOST_TRIPS - (shapes ? 0 : TRIPS_OF_WORKGROUP + segments.length * TRIPS_OF_SEGMENT);
  return Math.max(1, Math.floor(left / Math.max(...segments.map(tripsOf))));
}

/** Element by element, as where values are out of the ordinary. */
function tripsOfWord(pass: Pass, { units, examples = 0 }: Segment, elements: number): number {
  if (pass === "sum examples") return 2 * (elements + 3) + 2 * examples * (elements + 3);
  const axes = pass === "scale" && units ? units.axes.length + 1 : 0;
  return 2 + elements * (1 + axes);
}

/** Each value twice, the second time with care, and through the axes each time. */
function tripsOfJob({ units, team, chunks }: Shape): number {
  const values = Math.ceil(Math.ceil(units.size / chunks) / team);
  return TRIPS_OF_JOB + units.axes.length + 2 * values * (units.axes.length + 3);
}
