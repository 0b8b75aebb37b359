import type { numpy as np } from "@jax-js/jax";
import { type ClippingTransformation, clipUpdates } from "../../src/adapters/jax.ts";
import type { ClipMethod } from "../../src/index.ts";

type Gradients = Record<string, np.Array>;

/**
 * NaN and infinity are not zeroed: an explosion must show. The last steps of the history stay on the device until
 * `history()` asks for them.
 */
export function clippingBy(method: ClipMethod, history?: number): ClippingTransformation {
  return clipUpdates(method, { nonFinite: "propagate", history });
}

/** Runs between gradients and update, on every backend of jax-js. Nothing is read back. */
export function clipped<T extends Gradients>(clipping: ClippingTransformation, gradients: T, parameters: T): T {
  const [updates] = clipping.update(gradients, [], parameters);
  return updates;
}
