import { shown } from "./check.ts";
import { type Clipper, clipOnce, GradientClipper, readClipperOptions } from "./clipper.ts";
import { cpuBackend } from "./cpu/backend.ts";
import type { Gradients } from "./gradients.ts";
import type { ClipMethod } from "./methods/method.ts";
import type { ClipOptions } from "./options.ts";
import type { ClipReport } from "./record.ts";

export * from "./everyEntry.ts";

/** What `createClipper` takes. */
export interface ClipperOptions {
  /** So that a call for `gradclip` holds here too. */
  backend?: "auto" | "cpu";
  /** Taken, as by `gradclip`; there is nothing here to label. */
  label?: string;
}

/**
 * A clipper for arrays. As `gradclip`'s, but without WebGPU.
 *
 * @example
 * ```ts
 * const clipper = await createClipper();
 * const gradient = new Float32Array([3, 4]);
 * clipper.prepare([gradient], clipByGlobalNorm(1)).run();
 * gradient; // [0.6, 0.8]
 * ```
 * @throws TypeError for a device and for `backend: "webgpu"`; of `prepare`: TypeError for GPU buffers.
 */
export async function createClipper(options?: ClipperOptions): Promise<Clipper> {
  const { device, backend } = readClipperOptions(options);
  if (backend === "webgpu") throw new TypeError(`options.backend is "webgpu", but ${ARRAYS_ONLY}.`);
  return onArrays(device);
}

/**
 * Clips once and reports.
 *
 * @example
 * ```ts
 * const gradient = new Float32Array([3, 4]);
 * await clipGradients([gradient], clipByGlobalNorm(1));
 * gradient; // [0.6, 0.8]
 * ```
 * @throws as `createClipper`, `Clipper.prepare` and `Clip.report` do.
 */
export async function clipGradients(
  gradients: Gradients,
  method?: ClipMethod,
  options?: ClipOptions & { throwIfNonFinite?: boolean },
): Promise<ClipReport> {
  return clipOnce(onArrays, gradients, method, options);
}

const ARRAYS_ONLY = 'gradclip/cpu clips arrays only; import from "gradclip" or "gradclip/webgpu"';

function onArrays(device: unknown): Clipper {
  if (device !== undefined) throw new TypeError(`options.device is ${shown(device)}, but ${ARRAYS_ONLY}.`);
  return new GradientClipper({ cpu: cpuBackend, otherwise: ARRAYS_ONLY });
}
