import { clipByGlobalNorm, createClipper } from "gradclip/webgpu";

/** @param {GPUDevice} device @param {GPUBuffer} buffer */
async function clip(device, buffer) {
  const clipper = await createClipper({ device });
  const clip = clipper.prepare([buffer], clipByGlobalNorm(1));
  clip.run();
  console.log(await clip.report());
}

Object.assign(globalThis, { clip });
