import type { ClipBackend, Kept } from "./backend.ts";
import { readBoolean, readOneOf, readOptions, wrongValue } from "./check.ts";
import type { Clip } from "./clip.ts";
import { GradientClip } from "./gradientClip.ts";
import { checkGradients, type Gradients, readGivenGradients, type TensorList } from "./gradients.ts";
import { clipByGlobalNorm } from "./methods/clipByGlobalNorm.ts";
import { type ClipMethod, readMethod } from "./methods/method.ts";
import { type CheckedOptions, type ClipOptions, checkOptions, OPTIONS } from "./options.ts";
import type { ClipReport } from "./record.ts";
import { refuseUnsuited } from "./requirements.ts";

/** Prepares clips on one device, or on the CPU. */
export interface Clipper {
  readonly backend: "webgpu" | "cpu";
  /**
   * Why the clipper uses the CPU: "no-webgpu", "insecure-context", "no-adapter", "software-adapter", "no-device", "no-answer",
   * "device-lost" or "self-test".
   */
  readonly fallbackReason?: string;
  readonly device?: GPUDevice;
  /**
   * Once for a model, before the loop: reads and checks the gradients and starts to compile; changes no gradient. A clip runs where its
   * gradients live. Without a method it clips by the global norm, to 1.
   *
   * @example
   * ```ts
   * const [kernel, bias] = [new Float32Array([3, 4]), new Float32Array([12])];
   * const clip = (await createClipper()).prepare({ kernel, bias }, clipByGlobalNorm(6.5), { nonFinite: "keep" });
   * clip.run();
   * kernel; // [1.5, 2]
   * bias; // [6]
   * ```
   * @throws TypeError or RangeError for any fault that can be seen now, DeviceLostError.
   */
  prepare(gradients: Gradients, method?: ClipMethod, options?: ClipOptions): Clip;
  /** Destroys the clips, and the device if the clipper made it. Submit all encoders that hold a clip first. */
  destroy(): void;
}

/** What every entry's `createClipper` takes; each refuses what it has nothing for. */
export function readClipperOptions(options: unknown): {
  readonly device: unknown;
  readonly backend: "auto" | "webgpu" | "cpu";
  readonly label: string;
} {
  const subject = "createClipper's options";
  const {
    device,
    backend = "auto",
    label = "gradclip",
  } = readOptions(options, subject, ["device", "backend", "label"]);
  readOneOf(backend, "options.backend", ["auto", "webgpu", "cpu"]);
  if (typeof label !== "string") throw wrongValue(label, "options.label", "a string");
  return { device, backend: backend as "auto" | "webgpu" | "cpu", label };
}

/** `clipGradients` of an entry, which says what clips for the device that is given, or for none. */
export async function clipOnce(
  clipperFor: (device: unknown) => Clipper | Promise<Clipper>,
  gradients: Gradients,
  method: ClipMethod | undefined,
  options: object | undefined,
): Promise<ClipReport> {
  const known = ["device", "throwIfNonFinite", ...OPTIONS] as const;
  const { device, throwIfNonFinite: throws = false, ...rest } = readOptions(options, "options", known);
  const throwIfNonFinite = readBoolean(throws, "options.throwIfNonFinite");
  const clipper = await clipperFor(device);
  try {
    const clip = clipper.prepare(gradients, method, rest as ClipOptions);
    clip.run();
    return await clip.report({ throwIfNonFinite });
  } finally {
    clipper.destroy();
  }
}

/** Makes what does the work of one clip. */
export type BackendFor = (method: ClipMethod, options: CheckedOptions, list: TensorList, kept?: Kept) => ClipBackend;

/** What a clipper is made of; it clips GPU buffers, arrays, or both. */
export interface Parts {
  readonly webgpu?: BackendFor;
  readonly cpu?: BackendFor;
  /** Of gradients that it cannot clip: why not and what to do, as the end of a message. */
  readonly otherwise: string;
  readonly device?: GPUDevice;
  readonly fallbackReason?: string;
  readonly onDestroy?: () => void;
}

export class GradientClipper implements Clipper {
  readonly backend: "webgpu" | "cpu";
  readonly fallbackReason?: string;
  readonly device?: GPUDevice;
  readonly #parts: Parts;
  readonly #clips = new Set<Clip>();
  #destroyed = false;

  constructor(parts: Parts) {
    this.backend = parts.webgpu ? "webgpu" : "cpu";
    this.fallbackReason = parts.fallbackReason;
    this.device = parts.device;
    this.#parts = parts;
  }

  /** @param keptFor for adapters: what an earlier clip has kept for this one. */
  prepare(
    gradients: Gradients,
    givenMethod: ClipMethod = clipByGlobalNorm(1),
    givenOptions?: ClipOptions,
    keptFor?: (list: TensorList, method: ClipMethod) => Kept,
  ): GradientClip {
    if (this.#destroyed) throw new TypeError("The clipper was destroyed; create a new one.");
    const read = readMethod(givenMethod);
    const options = checkOptions(givenOptions, read);
    const given = readGivenGradients(gradients);
    const list = checkGradients(given, read.examples);
    const { grouping } = read;
    const method = grouping.kind === "found" ? { ...read, grouping: grouping.among(list.declared) } : read;
    refuseUnsuited(list, method, options);
    const where = list.backend ?? this.backend;
    const backendFor = this.#parts[where];
    if (!backendFor) {
      const what = where === "webgpu" ? "a GPUBuffer" : "a typed array";
      throw new TypeError(`${list.tensors[0]?.label} is ${what}, but ${this.#parts.otherwise}.`);
    }
    for (const made of [method, options.skip]) {
      if (!made || made.passes[where]) continue;
      throw new TypeError(
        `${made.name} is of an entry without the ${where === "webgpu" ? "GPU" : "CPU"}; import it from "gradclip".`,
      );
    }
    options.skip?.check(method, where);
    const backend = backendFor(method, options, list, keptFor?.(list, method));
    try {
      const clip = new GradientClip(backend, given, list, read, method, options, () => this.#clips.delete(clip));
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
    this.#parts.onDestroy?.();
  }
}
