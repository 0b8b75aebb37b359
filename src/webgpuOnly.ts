import { type Clipper, clipOnce, GradientClipper, readClipperOptions } from "./clipper.ts";
import type { Gradients } from "./gradients.ts";
import type { ClipMethod } from "./methods/method.ts";
import type { ClipOptions } from "./options.ts";
import type { ClipReport } from "./record.ts";
import { held, refuseBareDevice, refuseLost, refuseNoDevice } from "./webgpu/givenDevice.ts";

export * from "./everyEntry.ts";

/** What `createClipper` takes. */
export interface ClipperOptions {
  /** The engine's device; never destroyed, reconfigured or replaced. */
  device: GPUDevice;
  /** So that a call for `gradclip` holds here too. */
  backend?: "auto" | "webgpu";
  /** Begins the labels of the GPU objects; default "gradclip". */
  label?: string;
}

/**
 * A clipper for GPU buffers on the engine's device. As `gradclip`'s, but without the path for arrays, a device of its own, its
 * self-test, and the question whether the device is one of a null backend, which computes nothing.
 *
 * @example
 * ```ts
 * const clipper = await createClipper({ device });
 * const clip = clipper.prepare([buffer], clipByGlobalNorm(1)); // 3 and 4
 * clip.run();
 * (await clip.report()).norm; // 5
 * ```
 * @throws TypeError for what is no device and for `backend: "cpu"`, DeviceLostError for a device that is already lost; of `prepare`:
 * TypeError for arrays.
 */
export async function createClipper(options: ClipperOptions): Promise<Clipper> {
  refuseBareDevice(options);
  const { device, backend, label } = readClipperOptions(options);
  if (backend === "cpu") throw new TypeError(`options.backend is "cpu", but ${GPU_ONLY}.`);
  return onDevice(device, label);
}

/**
 * Clips once and reports.
 *
 * @example
 * ```ts
 * const { norm } = await clipGradients([buffer], clipByGlobalNorm(1), { device }); // 3 and 4
 * norm; // 5
 * ```
 * @throws as `createClipper`, `Clipper.prepare` and `Clip.report` do.
 */
export async function clipGradients(
  gradients: Gradients,
  method: ClipMethod | undefined,
  options: ClipOptions & { device: GPUDevice; throwIfNonFinite?: boolean },
): Promise<ClipReport> {
  return clipOnce(onDevice, gradients, method, options);
}

const GPU_ONLY = 'gradclip/webgpu clips GPU buffers only; import from "gradclip" or "gradclip/cpu"';

async function onDevice(device: unknown, label = "gradclip"): Promise<Clipper> {
  refuseNoDevice(device, "options.device", ', or import from "gradclip", which can do without');
  await refuseLost(device);
  return new GradientClipper({ ...held(device, label), otherwise: GPU_ONLY });
}
