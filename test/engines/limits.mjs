// The limits of everything that waits in the checks. A limit ends what hangs, and says nothing of how fast anything is. So it is
// ample for a quiet machine, and longer by how much slower this one is, which is measured once, where the checks begin.

import process from "node:process";

/** What the work below takes on a quiet machine with 2 cores. */
const QUIET_MS = 105;
/** For a machine that gets busy later than here. */
const MARGIN = 3;

function work() {
  const values = new Float64Array(1024);
  for (let round = 0; round < 40_000; round++) {
    for (let i = 0; i < values.length; i++) values[i] = Math.sqrt((values[i] ?? 0) + i);
  }
}

/** What is slower than this ends, so that a check that hangs does not hold up a slow machine for hours. */
const MOST_SLOWNESS = 4;

/** How many times as long as on a quiet machine, at least 1. The processes that this one starts do not measure again. */
function slowness() {
  const { GRADCLIP_SLOWNESS: known } = process.env;
  if (known) return Number(known);
  const start = performance.now();
  work();
  const measured = Math.min(MOST_SLOWNESS, Math.max(1, (performance.now() - start) / QUIET_MS));
  process.env.GRADCLIP_SLOWNESS = measured.toFixed(2);
  return measured;
}

/** @param {number} seconds ample on a quiet machine @returns {number} milliseconds */
export function limit(seconds) {
  return Math.ceil(1000 * seconds * MARGIN * slowness());
}

/** Of one test, and of what is done before and after it. */
export const testLimit = limit(200);
/** Of one wait inside of a test, so that the test says what it waited for. */
export const waitLimit = limit(40);
