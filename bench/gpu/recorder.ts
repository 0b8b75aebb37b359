import type { Sample } from "../types.ts";
import { COPY_DST, COPY_SRC, finished, readBuffers } from "./arena.ts";

const QUERY_RESOLVE = 0x200;

/** Records steps into one compute pass, submits them together and takes the time. */
export class Recorder {
  readonly device: GPUDevice;
  readonly #queries: GPUQuerySet | undefined;
  readonly #resolved: GPUBuffer | undefined;

  constructor(device: GPUDevice) {
    this.device = device;
    if (!device.features.has("timestamp-query")) return;
    this.#queries = device.createQuerySet({ type: "timestamp", count: 2 });
    this.#resolved = device.createBuffer({ size: 16, usage: QUERY_RESOLVE | COPY_SRC | COPY_DST });
  }

  /** The host's clock runs from before the first command is encoded until the device is done. */
  async time(steps: number, record: (pass: GPUComputePassEncoder, step: number) => void): Promise<Sample> {
    const [queries, resolved] = [this.#queries, this.#resolved];
    const start = performance.now();
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass(
      queries && {
        timestampWrites: { querySet: queries, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
      },
    );
    for (let step = 0; step < steps; step++) record(pass, step);
    pass.end();
    if (queries && resolved) encoder.resolveQuerySet(queries, 0, 2, resolved, 0);
    this.device.queue.submit([encoder.finish()]);
    await finished(this.device);
    const clock = (performance.now() - start) / steps;
    return { clock, ...(resolved && { gpu: (await this.#elapsed(resolved)) / steps }) };
  }

  async #elapsed(resolved: GPUBuffer): Promise<number> {
    const [bytes] = await readBuffers(this.device, [resolved]);
    const [begin = 0n, end = 0n] = new BigUint64Array(bytes as ArrayBuffer);
    return Number(end - begin) / 1e6;
  }

  destroy(): void {
    this.#queries?.destroy();
    this.#resolved?.destroy();
  }
}
