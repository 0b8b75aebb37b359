import { readFloats, record } from "./kernel.ts";
import { createForward, type Forward, widths } from "./network.ts";
import type { Trainer } from "./trainer.ts";

const classCount = widths.at(-1) as number;

/** Classifies images with the network's present weights. */
export class Reader {
  readonly #device: GPUDevice;
  readonly #forward: Forward;

  constructor(device: GPUDevice, forward: Forward) {
    this.#device = device;
    this.#forward = forward;
  }

  static async create({ device, weights }: Trainer, imageCount: number): Promise<Reader> {
    return new Reader(device, await createForward(device, weights, imageCount));
  }

  /** The probability of every class for every image. */
  async read(images: Float32Array<ArrayBuffer>): Promise<number[][]> {
    this.#device.queue.writeBuffer(this.#forward.inputs, 0, images);
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    record(pass, this.#forward.dispatches);
    pass.end();
    this.#device.queue.submit([encoder.finish()]);
    const logits = await readFloats(this.#device, this.#forward.logits);
    const count = logits.length / classCount;
    return Array.from({ length: count }, (_, i) => softmax(logits.subarray(i * classCount, (i + 1) * classCount)));
  }
}

export function likeliest(probabilities: readonly number[]): number {
  return probabilities.indexOf(Math.max(...probabilities));
}

function softmax(logits: Float32Array): number[] {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - largest));
  const total = powers.reduce((sum, power) => sum + power);
  return powers.map((power) => power / total);
}
