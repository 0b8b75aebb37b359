import type { numpy as np } from "@jax-js/jax";
import { type ClippingTransformation, clipUpdates } from "../../src/adapters/jax.ts";
import type { ClipMethod, ClipReport } from "../../src/index.ts";

type Gradients = Record<string, np.Array>;

/** NaN and infinity stay what they are, so that an explosion shows. */
export function clippingBy(method: ClipMethod): ClippingTransformation {
  return clipUpdates(method, { nonFinite: "propagate" });
}

/** Between gradients and update, wherever jax-js computes. The report is asked for at once and arrives when it may. */
export function clipped<T extends Gradients>(
  clipping: ClippingTransformation,
  gradients: T,
  parameters: T,
): { gradients: T; report: Promise<ClipReport> } {
  const [updates] = clipping.update(gradients, [], parameters);
  return { gradients: updates, report: clipping.report() };
}
