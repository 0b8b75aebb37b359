import { clipByGlobalNorm, createClipper } from "gradclip/cpu";

async function clip() {
  const gradient = new Float32Array([3, 4]);
  const clipper = await createClipper();
  const clip = clipper.prepare([gradient], clipByGlobalNorm(1));
  clip.run();
  const { norm } = await clip.report();
  console.log(norm, gradient[0]?.toFixed(4));
}

clip();
