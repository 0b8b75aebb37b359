import { type Clipper, clipOnce, GradientClipper, readClipperOptions } from "./clipper.ts";
import { cpuBackend } from "./cpu/backend.ts";
import { DeviceLostError, NoWebGPUError } from "./errors.ts";
import type { Gradients } from "./gradients.ts";
import type { ClipMethod } from "./methods/method.ts";
import type { ClipOptions } from "./options.ts";
import type { ClipReport } from "./record.ts";
import { contextOf, type DeviceContext } from "./webgpu/device.ts";
import { held, refuseBareDevice, refuseLost, refuseNoDevice } from "./webgpu/givenDevice.ts";
import { isNullBackend } from "./webgpu/grid.ts";
import { requestOwnDevice } from "./webgpu/ownDevice.ts";
import { tryOut } from "./webgpu/selfTest.ts";

/** What `createClipper` takes. */
export interface ClipperOptions {
  /** The engine's device; never destroyed, reconfigured or replaced. Without one: an own device, or the CPU. */
  device?: GPUDevice;
  /**
   * `"auto"` (default): WebGPU where there is a real adapter, else the CPU. `"webgpu"` takes a software adapter too and
   * rejects with NoWebGPUError where there is none. `"cpu"`: typed arrays only.
   */
  backend?: "auto" | "webgpu" | "cpu";
  /** Begins the labels of the GPU objects; default "gradclip". */
  label?: string;
}

/**
 * A clipper for a device, or for the best that there is here: a device of its own that passed the self-test, else the CPU.
 * `Clipper.backend` and `fallbackReason` say which. With the engine's device arrays are clipped too, on the CPU.
 *
 * @example
 * ```ts
 * const clipper = await createClipper(); // an engine: createClipper({ device })
 * const gradient = new Float32Array([3, 4]);
 * const clip = clipper.prepare({ gradient }, clipByGlobalNorm(1)); // once
 * clip.run(); // every step
 * gradient; // [0.6, 0.8]
 * ```
 * @throws NoWebGPUError with `backend: "webgpu"` where there is none, and for a device of a null backend, which computes nothing;
 * DeviceLostError for a device that is already lost.
 */
export async function createClipper(options?: ClipperOptions): Promise<Clipper> {
  refuseBareDevice(options);
  const { device, backend, label } = readClipperOptions(options);
  if (device !== undefined) return onDevice(device, backend, label);
  if (backend === "cpu") return onCpu();
  try {
    const own = await requestOwnDevice(backend === "webgpu");
    const clipper = onOwn(own, label);
    await selfTest(own).catch((error) => {
      clipper.destroy();
      throw error instanceof DeviceLostError ? lostAtStart(error) : error;
    });
    return clipper;
  } catch (error) {
    if (backend === "webgpu" || !(error instanceof NoWebGPUError)) throw error;
    return onCpu(error.reason);
  }
}

function lostAtStart(cause: DeviceLostError): NoWebGPUError {
  const message = `The GPU device was lost at once (${cause.reason}); reload the page, or use the CPU.`;
  return new NoWebGPUError("device-lost", message, { cause });
}

const arraysToo = {
  cpu: cpuBackend,
  otherwise: "there is no device; pass the buffer's device as { device }",
};

const tests = new WeakMap<GPUDevice, Promise<void>>();

/**
 * Clips gradients with known answers on a device, as `createClipper` does on one of its own: some drivers compute wrongly.
 * It covers what `clipByGlobalNorm` runs on float32 in place: norm, decision, scaling, submits and copies. A pass costs a
 * second call nothing. Call it once, before you train on a device of yours; what it compiles serves the clips that follow.
 * @example await selfTest(device); // with gradients of norm 560.25 and a bound of 5.6789 it expects a scale of 0.010136...
 * @throws NoWebGPUError with the reason "self-test", DeviceLostError, TypeError for what is no device; as rejections.
 */
export async function selfTest(device: GPUDevice): Promise<void> {
  refuseNoDevice(device, "selfTest's device");
  const test = tests.get(device) ?? tested(device);
  tests.set(device, test);
  test.catch(() => tests.delete(device));
  return test;
}

async function tested(device: GPUDevice): Promise<void> {
  const clipper = clipperOn(device, "gradclip self-test");
  try {
    await refuseLost(device);
    await tryOut((gradients, method) => clipper.prepare(gradients, method), contextOf(device) as DeviceContext);
  } finally {
    clipper.destroy();
  }
}

/**
 * Clips once and reports: arrays on the CPU, GPU buffers with `{ device }`. Without a method it clips by the global norm, to 1. A loop
 * that clips every step prepares once instead: `Clipper.prepare`.
 *
 * @example
 * ```ts
 * const gradient = new Float32Array([3, 4]);
 * const { norm } = await clipGradients([gradient], clipByGlobalNorm(1));
 * norm; // 5
 * gradient; // [0.6, 0.8]
 * ```
 * @throws as `createClipper`, `Clipper.prepare` and `Clip.report` do; with `throwIfNonFinite`, NonFiniteGradientError after
 * it has clipped gradients with a NaN or an infinity.
 */
export async function clipGradients(
  gradients: Gradients,
  method?: ClipMethod,
  options?: ClipOptions & { device?: GPUDevice; throwIfNonFinite?: boolean },
): Promise<ClipReport> {
  const clipperFor = (device: unknown) => (device === undefined ? onCpu() : onDevice(device));
  return clipOnce(clipperFor, gradients, method, options);
}

async function onDevice(device: unknown, backend = "auto", label = "gradclip"): Promise<Clipper> {
  refuseNoDevice(device, "options.device", ", or leave it out");
  if (backend === "cpu") {
    throw new TypeError('options.backend is "cpu", but options.device is a GPUDevice; leave one out.');
  }
  await refuseLost(device);
  return clipperOn(device, label);
}

/** For adapters, whose engine asks for a step and does not wait: on a device that is there already, or on the CPU. */
export function clipperOn(device: GPUDevice | undefined, label = "gradclip"): GradientClipper {
  if (isNullBackend(device?.adapterInfo)) {
    throw new NoWebGPUError("no-adapter", "The device is a null backend; install a driver, or use the CPU.");
  }
  return device ? new GradientClipper({ ...held(device, label), ...arraysToo }) : onCpu();
}

function onOwn(device: GPUDevice, label: string): Clipper {
  const parts = held(device, label);
  const onDestroy = () => {
    parts.onDestroy();
    device.destroy();
  };
  return new GradientClipper({ ...parts, ...arraysToo, onDestroy });
}

function onCpu(fallbackReason?: string): GradientClipper {
  return new GradientClipper({ ...arraysToo, fallbackReason });
}
