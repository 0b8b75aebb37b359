import { readThat } from "../check.ts";
import { l1 } from "./l1.ts";
import { l2 } from "./l2.ts";
import { linf } from "./linf.ts";
import { lp } from "./lp.ts";
import type { NormKind } from "./norm.ts";

/** Below this p the norm of a million equal values exceeds the range of a double. */
const LEAST_POWER = 0.05;
/** A fixed-point number of 23 bits holds no larger p. So large a p gives the largest magnitude. */
const MOST_POWER = 2 ** 22;

/** The kind for PyTorch's `norm_type`: 1, 2, Infinity or another p. */
export function normOf(normType: unknown, subject: string): NormKind {
  const isRight = (p: number) => p === Infinity || (p >= LEAST_POWER && p <= MOST_POWER);
  const what = `1, 2, Infinity or another number from ${LEAST_POWER} to ${MOST_POWER}`;
  const p = readThat(isRight, normType, subject, what);
  return p === 2 ? l2 : p === 1 ? l1 : p === Infinity ? linf : lp(p);
}
