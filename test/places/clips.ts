/** What each hostile place is asked to do, bundled with the library into one file: gradients are clipped, on the GPU and on the CPU. */
import {
  type Clip,
  clipByGlobalNorm,
  clipGradients,
  createClipper,
  DeviceLostError,
  type NoWebGPUError,
} from "../../src/index.ts";
import { withFewBuffers } from "../engines/fewBuffers.mjs";

export interface Clipped {
  readonly backend: string;
  readonly values: number[];
  readonly norm: number;
  /** Of an array on the CPU. */
  readonly array: number[];
}

const STORAGE_AND_COPY_SRC = 0x84;
/** So many that a step is still under way when the next line of a test runs. */
const LARGE_BYTES = 2 ** 26;

export function bufferOf(device: GPUDevice, values: readonly number[]): GPUBuffer {
  const buffer = device.createBuffer({ size: 4 * values.length, usage: STORAGE_AND_COPY_SRC, mappedAtCreation: true });
  new Float32Array(buffer.getMappedRange()).set(values);
  buffer.unmap();
  return buffer;
}

async function valuesOf(device: GPUDevice, buffer: GPUBuffer): Promise<number[]> {
  const staging = device.createBuffer({ size: buffer.size, usage: 0x9 });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  return [...new Float32Array(staging.getMappedRange())];
}

async function newDevice(gpu: GPU): Promise<GPUDevice> {
  // Twice: see src/webgpu/ownDevice.ts.
  const adapter = (await gpu.requestAdapter()) ?? (await gpu.requestAdapter());
  if (!adapter) throw new Error("there is no adapter");
  return withFewBuffers(await adapter.requestDevice(), 2);
}

/** [3, 4] clipped to 1 is [0.6, 0.8]. */
export async function clipHere(gpu: GPU | undefined = navigator.gpu): Promise<Clipped> {
  const array = Float32Array.of(3, 4);
  await clipGradients([array], clipByGlobalNorm(1));
  if (!gpu) return { backend: "cpu", values: [], norm: 5, array: [...array] };
  const device = await newDevice(gpu);
  const clipper = await createClipper({ device });
  const buffer = bufferOf(device, [3, 4]);
  const clip = clipper.prepare({ "dense/kernel": { buffer, byteOffset: 0, length: 2 } }, clipByGlobalNorm(1));
  // What runs before compiles every kernel a second time.
  await clip.ready;
  clip.run();
  const { norm } = await clip.report();
  const values = await valuesOf(device, buffer);
  clipper.destroy();
  return { backend: clipper.backend, values, norm, array: [...array] };
}

export interface Loss {
  readonly name: string;
  readonly gradientsState?: string;
}

/** How a promise ends, in words that survive the way out of the page. */
function endOf(promise: Promise<unknown>): Promise<Loss> {
  return promise.then(
    () => ({ name: "resolved" }),
    (error) => ({
      name: (error as Error).name,
      ...(error instanceof DeviceLostError && { gradientsState: error.gradientsState }),
    }),
  );
}

/** A clip on a device of this page, and what happens to everything that it has in flight. */
export class Victim {
  readonly #device: GPUDevice;
  readonly #clip: Clip;
  readonly #encoder: GPUCommandEncoder;
  readonly #ends: Promise<Loss>[] = [];

  private constructor(device: GPUDevice, clip: Clip) {
    this.#device = device;
    this.#clip = clip;
    this.#encoder = device.createCommandEncoder();
  }

  static async prepared(isCompiled: boolean): Promise<Victim> {
    const device = await newDevice(navigator.gpu);
    const clipper = await createClipper({ device });
    const gradients = [device.createBuffer({ size: LARGE_BYTES, usage: STORAGE_AND_COPY_SRC })];
    const clip = clipper.prepare(gradients, clipByGlobalNorm(1));
    const victim = new Victim(device, clip);
    if (isCompiled) await clip.ready;
    else victim.#ends.push(endOf(clip.ready));
    return victim;
  }

  encode(): void {
    this.#clip.encode(this.#encoder);
  }

  submit(): void {
    this.#device.queue.submit([this.#encoder.finish()]);
  }

  run(): void {
    this.#clip.run();
  }

  report(): void {
    this.#ends.push(endOf(this.#clip.report()));
  }

  ends(): Promise<Loss[]> {
    return Promise.all(this.#ends);
  }
}

/** What a page gets that asks for a clipper, a software adapter too: its backend, or why there is none. */
export function clipperFor(backend: "webgpu" | "auto"): Promise<string> {
  return createClipper({ backend }).then(
    (clipper) => clipper.backend,
    (error) => (error as NoWebGPUError).reason,
  );
}
