import { isPlain, readBoolean, readOneOf, readOptions, shown } from "./check.ts";
import { type Clip, GradientClip } from "./clip.ts";
import { cpuBackend } from "./cpu/backend.ts";
import { DeviceLostError, NoWebGPUError } from "./errors.ts";
import { type Gradients, readGivenGradients } from "./gradients.ts";
import { clipByGlobalNorm } from "./methods/clipByGlobalNorm.ts";
import { type ClipMethod, readMethod } from "./methods/method.ts";
import { type ClipOptions, checkOptions, OPTIONS } from "./options.ts";
import { groupCount } from "./pieces.ts";
import type { ClipReport } from "./record.ts";
import { gradientsFor } from "./requirements.ts";
import { webgpuBackend } from "./webgpu/backend.ts";
import { type DeviceContext, holdDevice, lossOf, releaseDevice } from "./webgpu/device.ts";
import { requestOwnDevice, selfTest } from "./webgpu/ownDevice.ts";

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

/** Prepares clips on one device, or on the CPU. */
export interface Clipper {
  readonly backend: "webgpu" | "cpu";
  /** Why the CPU was taken: "no-webgpu", "insecure-context", "no-adapter", "software-adapter", "no-device" or "self-test". */
  readonly fallbackReason?: string;
  readonly device?: GPUDevice;
  /**
   * Reads and checks the gradients and begins to compile; changes no gradient. A clip runs where its gradients live.
   * @throws TypeError or RangeError for whatever can be seen to be wrong, DeviceLostError.
   */
  prepare(gradients: Gradients, method?: ClipMethod, options?: ClipOptions): Clip;
  /** Destroys the clips, and the device if the clipper made it. */
  destroy(): void;
}

/**
 * A clipper for a device, or for the best that there is here.
 * @throws NoWebGPUError with `backend: "webgpu"` where there is none, DeviceLostError for a device that is already lost.
 */
export async function createClipper(options?: ClipperOptions): Promise<Clipper> {
  if (!isPlain(options) && isDevice(options)) {
    throw new TypeError(`createClipper's options is ${shown(options)}; pass it as { device }.`);
  }
  const given = readOptions(options, "createClipper's options", ["device", "backend", "label"]);
  const backend =
    given.backend === undefined ? "auto" : readOneOf(given.backend, "options.backend", ["auto", "webgpu", "cpu"]);
  if (given.label !== undefined && typeof given.label !== "string") {
    throw new TypeError(`options.label is ${shown(given.label)}; pass a string.`);
  }
  const label = given.label ?? "gradclip";
  if (given.device !== undefined) return onDevice(given.device, backend, label);
  if (backend === "cpu") return new GradientClipper(undefined, label, false);
  try {
    const device = await requestOwnDevice(backend === "webgpu");
    const clipper = new GradientClipper(holdDevice(device), label, true);
    await selfTest(clipper, device).catch((error) => {
      clipper.destroy();
      throw error;
    });
    return clipper;
  } catch (error) {
    if (backend === "webgpu" || !(error instanceof NoWebGPUError)) throw error;
    return new GradientClipper(undefined, label, false, error.reason);
  }
}

/**
 * Clips once and reports: arrays on the CPU, GPU buffers with `{ device }`.
 * @throws as `createClipper`, `Clipper.prepare` and `Clip.report` do; with `throwIfNonFinite`, NonFiniteGradientError after
 * it has clipped gradients with a NaN or an infinity.
 */
export async function clipGradients(
  gradients: Gradients,
  method?: ClipMethod,
  options?: ClipOptions & { device?: GPUDevice; throwIfNonFinite?: boolean },
): Promise<ClipReport> {
  const { device, throwIfNonFinite, ...rest } = readOptions(options, "options", [
    "device",
    "throwIfNonFinite",
    ...OPTIONS,
  ]);
  if (throwIfNonFinite !== undefined) readBoolean(throwIfNonFinite, "options.throwIfNonFinite");
  const clipper = device === undefined ? await createClipper({ backend: "cpu" }) : await onDevice(device);
  try {
    const clip = clipper.prepare(gradients, method, rest as ClipOptions);
    clip.run();
    return await clip.report({ throwIfNonFinite: throwIfNonFinite as boolean | undefined });
  } finally {
    clipper.destroy();
  }
}

async function onDevice(device: unknown, backend = "auto", label = "gradclip"): Promise<Clipper> {
  if (!isDevice(device)) {
    throw new TypeError(`options.device is ${shown(device)}; pass a GPUDevice, or leave it out.`);
  }
  if (backend === "cpu") {
    throw new TypeError('options.backend is "cpu", but options.device is a GPUDevice; leave one of them out.');
  }
  const loss = await lossOf(device);
  if (loss) throw new DeviceLostError(loss, "unchanged");
  return clipperOn(device, label);
}

/** For adapters, whose engine asks for a step and does not wait: on a device that is there already, or on the CPU. */
export function clipperOn(device: GPUDevice | undefined, label = "gradclip"): Clipper {
  return new GradientClipper(device && holdDevice(device), label, false);
}

function isDevice(value: unknown): value is GPUDevice {
  if (typeof value !== "object" || value === null) return false;
  const { createBuffer, queue, limits } = value as Partial<GPUDevice>;
  return typeof createBuffer === "function" && typeof queue === "object" && typeof limits === "object";
}

class GradientClipper implements Clipper {
  readonly backend: "webgpu" | "cpu";
  readonly fallbackReason?: string;
  readonly #context: DeviceContext | undefined;
  readonly #label: string;
  readonly #ownsDevice: boolean;
  readonly #clips = new Set<Clip>();
  #destroyed = false;

  constructor(context: DeviceContext | undefined, label: string, ownsDevice: boolean, fallbackReason?: string) {
    this.#label = label;
    this.backend = context ? "webgpu" : "cpu";
    this.fallbackReason = fallbackReason;
    this.#context = context;
    this.#ownsDevice = ownsDevice;
  }

  get device(): GPUDevice | undefined {
    return this.#context?.device;
  }

  prepare(gradients: Gradients, givenMethod: ClipMethod = clipByGlobalNorm(1), givenOptions?: ClipOptions): Clip {
    if (this.#destroyed) throw new TypeError("The clipper was destroyed; create a new one.");
    const method = readMethod(givenMethod);
    const options = checkOptions(givenOptions, method);
    const given = readGivenGradients(gradients);
    const list = gradientsFor(method, options, given);
    const where = list.backend ?? this.backend;
    if (where === "webgpu" && !this.#context) {
      throw new TypeError(
        `${list.tensors[0]?.label} is a GPUBuffer, but the clipper has no device; pass its device: createClipper({ device }).`,
      );
    }
    const groups = groupCount(list.tensors, method.grouping);
    const backend =
      where === "webgpu" && this.#context
        ? webgpuBackend(this.#context, this.#label, method, options, groups)
        : cpuBackend(method, options, groups);
    try {
      const clip = new GradientClip(backend, given, list, method, options, () => this.#clips.delete(clip));
      this.#clips.add(clip);
      return clip;
    } catch (error) {
      backend.destroy();
      throw error;
    }
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    for (const clip of this.#clips) clip.destroy();
    if (this.#context) releaseDevice(this.#context);
    if (this.#ownsDevice) this.#context?.device.destroy();
  }
}
