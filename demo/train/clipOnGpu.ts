import { numpy as np, tree } from "@jax-js/jax";
import { type Clipper, clipByGlobalNorm } from "../../src/index.ts";

type Gradients = Record<string, np.Array>;

/** Clips the gradients where jax-js left them, on its own device: between gradient and update. */
export async function clipOnGpu(clipper: Clipper, device: GPUDevice, maxNorm: number, example: Gradients) {
  const { views, clipped } = outOfPlace(example);
  const clip = clipper.prepare(views, clipByGlobalNorm(maxNorm));
  await clip.ready;
  tree.dispose(clipped);

  return {
    apply(gradients: Gradients) {
      const { views, clipped } = outOfPlace(gradients);
      const encoder = device.createCommandEncoder();
      clip.encode(encoder, views);
      device.queue.submit([encoder.finish()]);
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
