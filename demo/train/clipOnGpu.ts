import { numpy as np, tree } from "@jax-js/jax";
import type { ClipMethod, Clipper, ClipReport } from "../../src/index.ts";

type Gradients = Record<string, np.Array>;

/** Clips the gradients where jax-js left them, on its own device: between gradient and update. */
export function clipOnGpu(clipper: Clipper, method: ClipMethod, example: Gradients) {
  const { views, clipped } = outOfPlace(example);
  const clip = clipper.prepare(views, method, { nonFinite: "propagate" });
  tree.dispose(clipped);

  return {
    ready: clip.ready,
    apply(gradients: Gradients): { gradients: Gradients; report: Promise<ClipReport> } {
      const { views, clipped } = outOfPlace(gradients);
      clip.run(views);
      tree.dispose(gradients);
      return { gradients: clipped, report: clip.report() };
    },
    destroy: () => clip.destroy(),
  };
}

/** jax-js may read its arrays late, so what is clipped goes into fresh ones. */
function outOfPlace(gradients: Gradients) {
  const clipped: Gradients = tree.map((gradient: np.Array) => np.zeros(gradient.shape), gradients);
  const views = Object.entries(gradients).map(([name, gradient]) => ({
    name,
    buffer: gradient.ref.gpuBufferSync(),
    length: gradient.size,
    into: { buffer: (clipped[name] as np.Array).ref.gpuBufferSync() },
  }));
  return { views, clipped };
}
