import { COPY_DST, COPY_SRC, MAP_READ, STORAGE, UNIFORM } from "../../src/usage.ts";
import { bytesOf, type Values, type Workload } from "../workloads.ts";

export { COPY_DST, COPY_SRC, STORAGE, UNIFORM };

/** One workload's gradients on a device: buffers that contestants change in place, and a copy that never changes. */
export class GpuArena {
  readonly device: GPUDevice;
  readonly workload: Workload;
  readonly values: Values;
  /** A buffer for each tensor, of whole 16-byte words. The rest after the tensor is 0. */
  readonly gradients: readonly GPUBuffer[];
  readonly bytes: number;
  readonly #pristine: readonly GPUBuffer[];

  constructor(device: GPUDevice, workload: Workload, values: Values) {
    this.device = device;
    this.workload = workload;
    this.values = values;
    this.bytes = bytesOf(workload);
    const sized = (array: Values[number]) => ({
      size: Math.ceil(array.byteLength / 16) * 16,
      usage: STORAGE | COPY_SRC | COPY_DST,
    });
    this.gradients = values.map((array) => device.createBuffer(sized(array)));
    this.#pristine = values.map((array) => {
      const buffer = device.createBuffer({ ...sized(array), mappedAtCreation: true });
      new Uint8Array(buffer.getMappedRange()).set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
      buffer.unmap();
      return buffer;
    });
  }

  /** Restores the gradients. */
  async reset(): Promise<void> {
    const encoder = this.device.createCommandEncoder();
    for (const [i, buffer] of this.gradients.entries()) {
      encoder.copyBufferToBuffer(this.#pristine[i] as GPUBuffer, 0, buffer, 0, buffer.size);
    }
    this.device.queue.submit([encoder.finish()]);
    await finished(this.device);
  }

  /** The contents of buffers with the layout of the gradients. */
  async read(buffers: readonly GPUBuffer[]): Promise<Values> {
    const contents = await readBuffers(this.device, buffers);
    return this.values.map((array, i) => {
      const bytes = contents[i] as ArrayBuffer;
      return array instanceof Float32Array
        ? new Float32Array(bytes, 0, array.length)
        : new Uint16Array(bytes, 0, array.length);
    });
  }

  destroy(): void {
    for (const buffer of [...this.gradients, ...this.#pristine]) buffer.destroy();
  }
}

export async function readBuffers(device: GPUDevice, buffers: readonly GPUBuffer[]): Promise<ArrayBuffer[]> {
  const total = buffers.reduce((sum, { size }) => sum + size, 0);
  const staging = device.createBuffer({ size: total, usage: MAP_READ | COPY_DST });
  const encoder = device.createCommandEncoder();
  let at = 0;
  for (const buffer of buffers) {
    encoder.copyBufferToBuffer(buffer, 0, staging, at, buffer.size);
    at += buffer.size;
  }
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(MAP_READ);
  at = 0;
  const contents = buffers.map(({ size }) => {
    at += size;
    return staging.getMappedRange(at - size, size).slice(0);
  });
  staging.destroy();
  return contents;
}

const flags = new WeakMap<GPUDevice, { source: GPUBuffer; staging: GPUBuffer }>();

/** Resolves when everything submitted so far is done. wgpu once resolved onSubmittedWorkDone too early. */
export async function finished(device: GPUDevice): Promise<void> {
  const made = flags.get(device) ?? {
    source: device.createBuffer({ size: 4, usage: COPY_SRC }),
    staging: device.createBuffer({ size: 4, usage: MAP_READ | COPY_DST }),
  };
  flags.set(device, made);
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(made.source, 0, made.staging, 0, 4);
  device.queue.submit([encoder.finish()]);
  await made.staging.mapAsync(MAP_READ);
  made.staging.unmap();
}
