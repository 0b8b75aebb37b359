import type { numpy as np } from "@jax-js/jax";
import { type Clipper, measureNorm } from "../../src/index.ts";

type Gradients = Record<string, np.Array>;

/** Measures the norm of gradients and leaves them as they are: the run without clipping. */
export async function measureOnly(clipper: Clipper, example: Gradients) {
  const viewsOf = (gradients: Gradients) =>
    Object.entries(gradients).map(([name, gradient]) => ({
      name,
      buffer: clipper.backend === "webgpu" ? gradient.ref.gpuBufferSync() : gradient.ref.dataSync(),
      length: gradient.size,
    }));
  const clip = clipper.prepare(viewsOf(example), measureNorm());
  await clip.ready;

  return {
    apply(gradients: Gradients) {
      clip.run(viewsOf(gradients));
      return { gradients, report: clip.report() };
    },
    destroy: () => clip.destroy(),
  };
}
