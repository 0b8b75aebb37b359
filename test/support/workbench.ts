/** A watched device: it counts objects, submits and errors, and checks after every test that the device is whole. */
import { expect } from "vitest";
import { type Clipper, clipByGlobalNorm, createClipper } from "../../src/index.ts";
import { dawn } from "../engines/dawn.mjs";
import { withFewBuffers } from "../engines/fewBuffers.mjs";
import { loopsThatZero } from "../engines/packaged.mjs";
import { type ErrorClass, refused, synchronously } from "./refused.ts";

// GPUBufferUsage is not a global before dawn() has run.
export const MAP_READ = 0x1;
export const COPY_SRC = 0x4;
export const COPY_DST = 0x8;
export const STORAGE = 0x80;

const FILTERS = ["validation", "out-of-memory", "internal"] as const;

export interface BufferExtras {
  usage?: number;
  label?: string;
  /** The size in bytes; default: that of the values. */
  size?: number;
}

let gpu: Promise<GPU> | undefined;

/** The process's navigator.gpu. */
export function processGpu(): Promise<GPU> {
  gpu ??= dawn(loopsThatZero);
  return gpu;
}

/** A device whose limits are WebGPU's defaults: 8 storage buffers in a stage. */
export async function defaultDevice(): Promise<GPUDevice> {
  const adapter = await (await processGpu()).requestAdapter();
  if (!adapter) throw new Error("There is no adapter to test on.");
  return adapter.requestDevice();
}

export async function newDevice(): Promise<GPUDevice> {
  return withFewBuffers(await defaultDevice());
}

export class Workbench {
  readonly device: GPUDevice;
  readonly clipper: Clipper;
  /** The names of the device's and the queue's methods that were called: every create..., submit and write. */
  readonly calls: string[] = [];
  /** Buffers that were made and not destroyed, by label. */
  readonly live = new Map<GPUBuffer, string>();
  /** The errors that reached the owner's error handler. */
  readonly uncaptured: string[] = [];
  deviceDestroyed = 0;
  readonly #contents = new Map<GPUBuffer, Uint8Array>();

  private constructor(device: GPUDevice, clipper: Clipper) {
    this.device = device;
    this.clipper = clipper;
  }

  static async open(device?: GPUDevice): Promise<Workbench> {
    const watched = device ?? (await newDevice());
    const bench = new Workbench(watched, await createClipper({ device: watched }));
    bench.#watch();
    return bench;
  }

  /** A gradient's buffer; a test that ends with other bytes in it has to say so by `values`. */
  buffer(values: ArrayLike<number>, { usage = STORAGE | COPY_SRC, label, size }: BufferExtras = {}): GPUBuffer {
    const floats = Float32Array.from(values);
    const bytes = new Uint8Array(size ?? floats.byteLength);
    bytes.set(new Uint8Array(floats.buffer).subarray(0, bytes.length));
    const padded = Math.ceil(bytes.length / 4) * 4;
    const mappedAtCreation = bytes.length === padded && padded > 0;
    const buffer = this.device.createBuffer({ size: bytes.length, usage, mappedAtCreation, label });
    if (mappedAtCreation) {
      new Uint8Array(buffer.getMappedRange()).set(bytes);
      buffer.unmap();
    }
    if ((usage & COPY_SRC) !== 0 && mappedAtCreation) this.#contents.set(buffer, bytes);
    return buffer;
  }

  async bytes(buffer: GPUBuffer): Promise<Uint8Array> {
    const staging = this.device.createBuffer({ size: buffer.size, usage: MAP_READ | COPY_DST });
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
    this.device.queue.submit([encoder.finish()]);
    await staging.mapAsync(1);
    const copy = new Uint8Array(staging.getMappedRange().slice(0));
    staging.destroy();
    return copy;
  }

  async values(buffer: GPUBuffer): Promise<number[]> {
    this.#contents.delete(buffer);
    return [...new Float32Array((await this.bytes(buffer)).buffer)];
  }

  /** Destroys a gradient's buffer, as its owner may. */
  discard(buffer: GPUBuffer): void {
    this.#contents.delete(buffer);
    buffer.destroy();
  }

  count(name: string): number {
    return this.calls.filter((call) => call === name).length;
  }

  /** Until it is released, the next copy to the host does not arrive. */
  holdFirstReadBack(): () => void {
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { device } = this;
    const { createBuffer } = device;
    device.createBuffer = (descriptor) => {
      const buffer = createBuffer(descriptor);
      if (!descriptor.label?.endsWith("read-back")) return buffer;
      device.createBuffer = createBuffer;
      const mapAsync = buffer.mapAsync.bind(buffer);
      const value = async (mode: number) => {
        await released;
        await mapAsync(mode);
      };
      return Object.defineProperty(buffer, "mapAsync", { value });
    };
    return () => {
      device.createBuffer = createBuffer;
      release();
    };
  }

  /** A call that must throw: nothing is submitted meanwhile, no gradient changes, and the device still works. */
  async refuses(act: () => unknown, kind: ErrorClass, message: string | RegExp): Promise<Error> {
    return this.rejects(synchronously(act), kind, message);
  }

  /** The same for a promise. */
  async rejects(act: () => unknown, kind: ErrorClass, message: string | RegExp): Promise<Error> {
    const submits = this.count("submit");
    const error = await refused(act, kind, message);
    expect(this.count("submit") - submits, "submits").toBe(0);
    await this.expectWhole();
    return error;
  }

  /** Every buffer that `buffer` made has its first content, no error reached the owner, and clipping works. */
  async expectWhole(): Promise<void> {
    for (const [buffer, bytes] of this.#contents) {
      expect(await this.bytes(buffer), `bytes of "${buffer.label}"`).toEqual(bytes);
    }
    await this.expectWorking();
    expect(this.uncaptured, "uncaptured errors").toEqual([]);
  }

  /** Waits until the GPU has reported everything and Node knows all unhandled rejections. */
  async settled(): Promise<void> {
    await this.device.queue.onSubmittedWorkDone();
    await new Promise((resolve) => setImmediate(resolve));
  }

  async expectWorking(): Promise<void> {
    const buffer = this.device.createBuffer({ size: 8, usage: STORAGE | COPY_SRC, mappedAtCreation: true });
    new Float32Array(buffer.getMappedRange()).set([3, 4]);
    buffer.unmap();
    const clipper = await createClipper({ device: this.device });
    const clip = clipper.prepare([buffer], clipByGlobalNorm(10), { gradScale: 2 });
    clip.run();
    expect((await clip.report()).norm).toBe(10);
    expect([...new Float32Array((await this.bytes(buffer)).buffer)]).toEqual([6, 8]);
    clipper.destroy();
    buffer.destroy();
  }

  /** After a test: no error was left to the owner, no error scope was left open, and its buffers are freed. */
  async tidy(): Promise<void> {
    for (const buffer of this.#contents.keys()) buffer.destroy();
    this.#contents.clear();
    await this.device.queue.onSubmittedWorkDone();
    const open = await this.device.popErrorScope().then(
      () => "an error scope was left open",
      () => "none",
    );
    expect(open).toBe("none");
    expect(this.uncaptured.splice(0), "uncaptured errors").toEqual([]);
    this.calls.length = 0;
  }

  /** The errors that a caller's own scopes around the work see. */
  async errorsIn(work: () => unknown): Promise<string[]> {
    for (const filter of FILTERS) this.device.pushErrorScope(filter);
    await work();
    const errors: string[] = [];
    for (const _ of FILTERS) {
      const error = await this.device.popErrorScope();
      if (error) errors.push(error.message);
    }
    return errors;
  }

  #watch(): void {
    const { device } = this;
    device.addEventListener("uncapturederror", (event) => {
      const { error } = event as GPUUncapturedErrorEvent;
      this.uncaptured.push(error.message);
    });
    for (const target of [device, device.queue]) this.#logCalls(target);
    const createBuffer = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      const buffer = createBuffer(descriptor);
      this.live.set(buffer, descriptor.label ?? "");
      const destroy = buffer.destroy.bind(buffer);
      const value = () => {
        this.live.delete(buffer);
        return destroy();
      };
      Object.defineProperty(buffer, "destroy", { value });
      return buffer;
    };
    const destroy = device.destroy.bind(device);
    device.destroy = () => {
      this.deviceDestroyed += 1;
      return destroy();
    };
  }

  #logCalls(target: object): void {
    const methods = target as Record<string, unknown>;
    for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(target))) {
      const original = methods[name];
      if (!/^create|^submit|^write/.test(name) || typeof original !== "function") continue;
      methods[name] = (...values: unknown[]) => {
        this.calls.push(name);
        return original.apply(target, values);
      };
    }
  }
}
