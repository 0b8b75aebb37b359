import { isPlain, wrongValue } from "../check.ts";
import type { BackendFor } from "../clipper.ts";
import { DeviceLostError } from "../errors.ts";
import { webgpuBackend } from "./backend.ts";
import { holdDevice, lossOf, releaseDevice } from "./device.ts";

function isDevice(value: unknown): value is GPUDevice {
  const { createBuffer, queue, limits } = (value ?? {}) as Partial<GPUDevice>;
  return typeof createBuffer === "function" && typeof queue === "object" && typeof limits === "object";
}

export function refuseNoDevice(value: unknown, name: string, otherwise = ""): asserts value is GPUDevice {
  if (isDevice(value)) return;
  throw wrongValue(value, name, `a GPUDevice${otherwise}`);
}

/** A device where its options belong. */
export function refuseBareDevice(options: unknown): void {
  if (isPlain(options) || !isDevice(options)) return;
  throw wrongValue(options, "createClipper's options", "it as { device }");
}

export async function refuseLost(device: GPUDevice): Promise<void> {
  const loss = await lossOf(device);
  if (loss) throw new DeviceLostError(loss, "unchanged");
}

/** What a clipper needs for GPU buffers on a device. */
export function held(device: GPUDevice, label: string) {
  const context = holdDevice(device);
  const webgpu: BackendFor = (...clip) => webgpuBackend(context, label, ...clip);
  return { device, webgpu, onDestroy: () => releaseDevice(context) };
}
