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
import { requestOwnDevice } from "./webgpu/ownDevice.ts";
import { tryOut } from "./webgpu/selfTest.ts";

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
  /** Why the CPU was taken: "no-webgpu", "insecure-context", "no-adapter", "software-adapter", "no-device", "no-answer", "device-lost" or "self-test". */
  readonly fallbackReason?: string;
  readonly device?: GPUDevice;
  /**
   * Reads and checks the gradients and begins to compile; changes no gradient. A clip runs where its gradients live.
   * @throws TypeError or RangeError for whatever can be seen to be wrong, DeviceLostError.
   */
  prepare(gradients: Gradients, method?: ClipMethod, options?: ClipOptions): Clip;
  /** Destroys the clips, whose encoders must be submitted by then, and the device if the clipper made it. */
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
    await selfTest(device).catch((error) => {
      clipper.destroy();
      throw error instanceof DeviceLostError ? lostAtStart(error) : error;
    });
    return clipper;
  } catch (error) {
    if (backend === "webgpu" || !(error instanceof NoWebGPUError)) throw error;
    return new GradientClipper(undefined, label, false, error.reason);
  }
}

function lostAtStart(cause: DeviceLostError): NoWebGPUError {
  const message = `The GPU device was lost at once (${cause.reason}); reload the page, or use the CPU.`;
  return new NoWebGPUError("device-lost", message, { cause });
}

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
  const context = holdDevice(device);
  const clipper = new GradientClipper(context, "gradclip self-test", false);
  try {
    await refuseLost(device);
    await tryOut((gradients, method) => clipper.prepare(gradients, method), context);
  } finally {
    clipper.destroy();
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
  refuseNoDevice(device, "options.device", ", or leave it out");
  if (backend === "cpu") {
    throw new TypeError('options.backend is "cpu", but options.device is a GPUDevice; leave one of them out.');
  }
  await refuseLost(device);
  return clipperOn(device, label);
}

async function refuseLost(device: GPUDevice): Promise<void> {
  const loss = await lossOf(device);
  if (loss) throw new DeviceLostError(loss, "unchanged");
}

/** For adapters, whose engine asks for a step and does not wait: on a device that is there already, or on the CPU. */
export function clipperOn(device: GPUDevice | undefined, label = "gradclip"): Clipper {
  return new GradientClipper(device && holdDevice(device), label, false);
}

function isDevice(value: unknown): value is GPUDevice {
  const { createBuffer, queue, limits } = (value ?? {}) as Partial<GPUDevice>;
  return typeof createBuffer === "function" && typeof queue === "object" && typeof limits === "object";
}

function refuseNoDevice(value: unknown, name: string, otherwise = ""): asserts value is GPUDevice {
  if (isDevice(value)) return;
  throw new TypeError(`${name} is ${shown(value)}; pass a GPUDevice${otherwise}.`);
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
    const groups = groupCount(list.declared, method.grouping);
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
