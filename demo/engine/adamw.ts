import { clippedGradient } from "gradclip/shaders";
import adamw from "./adamw.wgsl?raw";
import biasCorrection from "./bias_correction.wgsl?raw";
import { type Dispatch, dispatchOf, floatBuffer } from "./kernel.ts";
import settingsStruct from "./settings.wgsl?raw";

export interface AdamWSettings {
  rate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  decay: number;
}

export const defaultSettings: AdamWSettings = { rate: 0.003, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.01 };

/** AdamW that takes the scale from gradclip's record and never writes the gradients. */
export interface AdamW {
  /** For each buffer of weights: the first and the second moment of every weight, side by side. */
  readonly moments: readonly GPUBuffer[];
  readonly corrections: GPUBuffer;
  readonly dispatches: readonly Dispatch[];
}

export async function createAdamW(
  device: GPUDevice,
  weights: readonly GPUBuffer[],
  gradients: readonly GPUBuffer[],
  record: GPUBuffer,
  { rate, beta1, beta2, epsilon, decay }: AdamWSettings,
): Promise<AdamW> {
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
  const settings = device.createBuffer({ label: "settings", size: 32, usage });
  device.queue.writeBuffer(settings, 0, new Float32Array([rate, beta1, beta2, epsilon, decay]));
  const moments = weights.map(({ size }, i) => floatBuffer(device, `moments ${i + 1}`, (2 * size) / 4));
  const corrections = floatBuffer(device, "bias corrections", 2);

  const shared = `${clippedGradient}\n${settingsStruct}`;
  const correct = dispatchOf(device, {
    label: "bias correction",
    code: `${shared}\n${biasCorrection}`,
    buffers: [record, settings, corrections],
    invocations: 1,
  });
  const updates = weights.map((buffer, i) =>
    dispatchOf(device, {
      label: `AdamW ${i + 1}`,
      code: `${shared}\n${adamw}`,
      buffers: [record, settings, gradients[i], buffer, moments[i], corrections] as GPUBuffer[],
      invocations: buffer.size / 4,
    }),
  );
  return { moments, corrections, dispatches: await Promise.all([correct, ...updates]) };
}
