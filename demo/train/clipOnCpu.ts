import { numpy as np, tree } from "@jax-js/jax";
import type { ClipMethod, Clipper, ClipReport } from "../../src/index.ts";

type Gradients = Record<string, np.Array>;

/** Clips the gradients of jax-js's wasm backend as typed arrays: between gradient and update. */
export function clipOnCpu(clipper: Clipper, method: ClipMethod, example: Gradients) {
  const clip = clipper.prepare(readOut(example), method, { nonFinite: "propagate" });

  return {
    ready: clip.ready,
    apply(gradients: Gradients): { gradients: Gradients; report: Promise<ClipReport> } {
      const views = readOut(gradients);
      clip.run(views);
      const clipped: Gradients = {};
      for (const { name, buffer } of views) clipped[name] = np.array(buffer, { shape: gradients[name]?.shape });
      tree.dispose(gradients);
      return { gradients: clipped, report: clip.report() };
    },
    destroy: () => clip.destroy(),
  };
}

function readOut(gradients: Gradients) {
  return Object.entries(gradients).map(([name, gradient]) => ({ name, buffer: gradient.ref.dataSync() }));
}
