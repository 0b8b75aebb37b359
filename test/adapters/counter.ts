/** Counts an engine's use of a device (objects, commands, submits, copies) by wrapping the device's methods. */

export interface Counts {
  dispatches: number;
  passes: number;
  submits: number;
  /** By queue.writeBuffer. */
  writes: number;
  writtenBytes: number;
  copiedBytes: number;
  /** Buffers, and buffers that the host fills when it makes them. */
  buffers: number;
  mappedBytes: number;
  bindGroups: number;
}

const STORAGE = 0x80;

/** The counters of all devices. */
export const counters: Counter[] = [];

export class Counter {
  readonly device: GPUDevice;
  readonly #now: Counts = {
    dispatches: 0,
    passes: 0,
    submits: 0,
    writes: 0,
    writtenBytes: 0,
    copiedBytes: 0,
    buffers: 0,
    mappedBytes: 0,
    bindGroups: 0,
  };
  /** Buffers that were made since and not destroyed, by label. */
  readonly live = new Map<GPUBuffer, string>();
  readonly #storage = { buffers: 0, bytes: 0 };
  /** The errors that reached the device's error handler. */
  readonly errors: string[] = [];

  constructor(device: GPUDevice) {
    this.device = device;
    counters.push(this);
    const now = this.#now;
    const { queue } = device;
    device.addEventListener("uncapturederror", (event) => {
      const { message } = (event as GPUUncapturedErrorEvent).error;
      this.errors.push(message);
      console.error(message); // For who watches a page's console.
    });
    wrap(queue, "submit", () => now.submits++);
    wrap(queue, "writeBuffer", (_, [, , data, start = 0, size]) => {
      const unit = (data as Partial<Float32Array>).BYTES_PER_ELEMENT ?? 1;
      now.writes++;
      now.writtenBytes += size === undefined ? data.byteLength - start * unit : size * unit;
    });
    wrap(device, "createBindGroup", () => now.bindGroups++);
    wrap(device, "createBuffer", (buffer, [{ size, usage, mappedAtCreation, label = "" }]) => {
      now.buffers++;
      if (mappedAtCreation) now.mappedBytes += size;
      this.live.set(buffer, label);
      const count = (usage & STORAGE) !== 0 ? 1 : 0;
      this.#countStorage(count, size);
      wrap(buffer, "destroy", () => {
        if (this.live.delete(buffer)) this.#countStorage(-count, size);
      });
    });
    wrap(device, "createCommandEncoder", (encoder) => {
      wrap(encoder, "copyBufferToBuffer", (_, args: unknown[]) => {
        now.copiedBytes += args.at(-1) as number;
      });
      wrap(encoder, "beginComputePass", (pass) => {
        now.passes++;
        wrap(pass, "dispatchWorkgroups", () => now.dispatches++);
      });
    });
  }

  /** Live storage buffers. The small uniform buffers that jax-js drops are left to the garbage collector. */
  storage(): { buffers: number; bytes: number } {
    return { ...this.#storage };
  }

  #countStorage(buffers: number, bytes: number): void {
    this.#storage.buffers += buffers;
    this.#storage.bytes += buffers * bytes;
  }

  /** The counts of synchronous work. */
  of(work: () => void): Counts {
    const before = { ...this.#now };
    work();
    return this.#since(before);
  }

  async during(work: () => Promise<unknown>): Promise<Counts> {
    const before = { ...this.#now };
    await work();
    return this.#since(before);
  }

  #since(before: Counts): Counts {
    const keys = Object.keys(before) as (keyof Counts)[];
    return Object.fromEntries(keys.map((key) => [key, this.#now[key] - before[key]])) as unknown as Counts;
  }
}

/** Tells `seen` the result and the arguments of every call. */
function wrap<T extends object, K extends keyof T>(
  target: T,
  name: K,
  // biome-ignore lint/suspicious/noExplicitAny: overloads cannot be named here.
  seen: T[K] extends (...values: any) => infer R ? (result: R, values: Parameters<T[K]>) => void : never,
): void {
  const original = target[name] as (...values: unknown[]) => unknown;
  const value = (...values: unknown[]) => {
    const result = original.apply(target, values);
    (seen as unknown as (result: unknown, values: unknown[]) => void)(result, values);
    return result;
  };
  Object.defineProperty(target, name, { value, configurable: true, writable: true });
}
