import type { numpy as np } from "@jax-js/jax";
import { type ClippingTransformation, clipUpdates } from "../../src/adapters/jax.ts";
import type { ClipMethod, ClipReport } from "../../src/index.ts";

type Gradients = Record<string, np.Array>;

/** NaN and infinity are not zeroed: an explosion must show. */
export function clippingBy(method: ClipMethod): ClippingTransformation {
  return clipUpdates(method, { nonFinite: "propagate" });
}

/** Runs between gradients and update, on every backend of jax-js. The report is requested immediately and arrives later. */
export function clipped<T extends Gradients>(
  clipping: ClippingTransformation,
  gradients: T,
  parameters: T,
): { gradients: T; report: Promise<ClipReport> } {
  const [updates] = clipping.update(gradients, [], parameters);
  return { gradients: updates, report: clipping.report() };
}
