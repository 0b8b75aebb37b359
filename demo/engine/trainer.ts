import { type Clip, type Clipper, clipByGlobalNorm } from "gradclip";
import { type AdamW, type AdamWSettings, createAdamW } from "./adamw.ts";
import type { Batch } from "./batch.ts";
import { floatBuffer, readFloats, record } from "./kernel.ts";
import { type Backward, createBackward, createForward, type Forward, layers } from "./network.ts";

interface Parts {
  device: GPUDevice;
  /** One buffer for each layer. */
  weights: readonly GPUBuffer[];
  forward: Forward;
  backward: Backward;
  clip: Clip;
  adamw: AdamW;
}

interface Options {
  exampleCount: number;
  maxNorm: number;
  /** So many steps stay on the GPU until `clip.history()` reads them. */
  historyLength: number;
  settings: AdamWSettings;
}

export async function createTrainer(
  device: GPUDevice,
  clipper: Clipper,
  { exampleCount, maxNorm, historyLength, settings }: Options,
): Promise<Trainer> {
  const weights = layers.map(({ weightCount }, i) => floatBuffer(device, `weights ${i + 1}`, weightCount));
  const forward = await createForward(device, weights, exampleCount);
  const backward = await createBackward(device, forward, weights, exampleCount);
  // "record": the clip reads the gradients and writes none; the optimizer's kernel multiplies.
  const options = { apply: "record", history: historyLength } as const;
  const clip = clipper.prepare(backward.gradients, clipByGlobalNorm(maxNorm), options);
  const adamw = await createAdamW(device, weights, backward.gradients, clip.record as GPUBuffer, settings);
  await clip.ready;
  return new Trainer({ device, weights, forward, backward, clip, adamw });
}

/** Trains the network. A whole step is recorded into one open compute pass. */
export class Trainer implements Parts {
  readonly device: GPUDevice;
  readonly weights: readonly GPUBuffer[];
  readonly forward: Forward;
  readonly backward: Backward;
  readonly clip: Clip;
  readonly adamw: AdamW;

  constructor({ device, weights, forward, backward, clip, adamw }: Parts) {
    this.device = device;
    this.weights = weights;
    this.forward = forward;
    this.backward = backward;
    this.clip = clip;
    this.adamw = adamw;
  }

  /** Starts again from these weights. */
  load(weights: readonly Float32Array<ArrayBuffer>[]): void {
    const { queue } = this.device;
    weights.forEach((values, i) => {
      queue.writeBuffer(this.weights[i] as GPUBuffer, 0, values);
    });
    for (const state of [...this.adamw.moments, this.adamw.corrections]) {
      queue.writeBuffer(state, 0, new Float32Array(state.size / 4));
    }
  }

  /** Forward, backward, clip, AdamW. The pass synchronises its dispatches: each sees all earlier writes. */
  encode(pass: GPUComputePassEncoder): void {
    record(pass, this.forward.dispatches);
    record(pass, this.backward.dispatches);
    this.clip.encode(pass);
    record(pass, this.adamw.dispatches);
  }

  /** One step, one pass, one submit: writeBuffer takes effect before the next submit, so each batch needs its own. */
  step({ inputs, targets }: Batch): void {
    const { queue } = this.device;
    queue.writeBuffer(this.forward.inputs, 0, inputs);
    queue.writeBuffer(this.backward.targets, 0, targets);
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    this.encode(pass);
    pass.end();
    queue.submit([encoder.finish()]);
  }

  /** The mean loss of the last step's examples, before it changed the weights. */
  async loss(): Promise<number> {
    const losses = await readFloats(this.device, this.backward.losses);
    return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  }
}
