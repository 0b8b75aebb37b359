import { type DeviceContext, holdDevice, releaseDevice } from "../../src/webgpu/device.ts";

type Kernels = Pick<DeviceContext, "slots" | "pipelines" | "layouts">;

const plans = new WeakMap<GPUDevice, { all: Kernels; few: Kernels }>();

/** From now on gradclip plans for four storage buffers on an engine's device: kernels for all that it has compile for several times as long. */
export function planForFewBuffers(device: GPUDevice): void {
  plan(device, "few");
}

/** From now on gradclip plans for all storage buffers again. */
export function planForAllBuffers(device: GPUDevice): void {
  plan(device, "all");
}

function plan(device: GPUDevice, name: "all" | "few"): void {
  const context = holdDevice(device);
  const { slots, pipelines, layouts } = context;
  // The name of a kernel does not say for how many bindings it is.
  const known = plans.get(device) ?? {
    all: { slots, pipelines, layouts },
    few: { slots: 3, pipelines: new Map(), layouts: new Map() },
  };
  plans.set(device, known);
  Object.assign(context, known[name]);
  releaseDevice(context);
}
