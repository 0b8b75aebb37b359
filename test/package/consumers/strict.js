// @ts-expect-error: only where the package is installed.
import { clipByGlobalNorm, createClipper } from "./node_modules/gradclip/dist/index.js";

document.addEventListener("securitypolicyviolation", ({ violatedDirective }) => {
  document.title = violatedDirective;
});
const adapter = await navigator.gpu.requestAdapter();
if (!adapter) throw new Error("There is no adapter.");
const device = await adapter.requestDevice();
const buffer = device.createBuffer({ size: 8, usage: 0x80 | 0x08 });
device.queue.writeBuffer(buffer, 0, new Float32Array([3, 4]));
const clip = (await createClipper({ device })).prepare([buffer], clipByGlobalNorm(1));
clip.run();
const { norm, scale } = await clip.report();
document.title = `${norm} ${(3 * scale).toFixed(4)}`;
