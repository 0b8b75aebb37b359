import { readNumber, shown } from "../check.ts";
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
  const p = readNumber(normType, subject);
  if (p === 2) return l2;
  if (p === 1) return l1;
  if (p === Infinity) return linf;
  if (!(p >= LEAST_POWER && p <= MOST_POWER)) {
    throw new RangeError(
      `${subject} is ${shown(p)}; pass 1, 2, Infinity or another number from ${LEAST_POWER} to ${MOST_POWER}.`,
    );
  }
  return lp(p);
}
