import { holdDevice, releaseDevice } from "../../src/webgpu/device.ts";

/** From now on gradclip plans for four storage buffers on an engine's device: kernels for all that it has compile for several times as long. */
export function planForFewBuffers(device: GPUDevice): void {
  const context = holdDevice(device);
  Object.assign(context, { slots: 3 });
  releaseDevice(context);
}
