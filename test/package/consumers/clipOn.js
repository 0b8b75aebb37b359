import { clipByGlobalNorm, createClipper } from "gradclip";

/** Clips 3 and 4 in a buffer, reads them back and prints. @param {GPUDevice} device */
export async function clipOn(device) {
  const usage = 0x80 | 0x08 | 0x04; // STORAGE, COPY_DST, COPY_SRC
  const buffer = device.createBuffer({ size: 8, usage });
  device.queue.writeBuffer(buffer, 0, new Float32Array([3, 4]));
  const clipper = await createClipper({ device });
  const clip = clipper.prepare([buffer], clipByGlobalNorm(1));
  const encoder = device.createCommandEncoder();
  clip.encode(encoder);
  const copy = device.createBuffer({ size: 8, usage: 0x01 | 0x08 }); // MAP_READ, COPY_DST
  encoder.copyBufferToBuffer(buffer, 0, copy, 0, 8);
  device.queue.submit([encoder.finish()]);
  const { norm } = await clip.report();
  await copy.mapAsync(1);
  const [first] = new Float32Array(copy.getMappedRange());
  clipper.destroy();
  return `${norm} ${first?.toFixed(4)}`;
}
