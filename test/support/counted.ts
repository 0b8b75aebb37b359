/** The WebGPU calls of a piece of work, counted. */
export interface Counts {
  submits: number;
  passes: number;
  dispatches: number;
  /** Bytes that writeBuffer takes from the host. */
  bytesWritten: number;
  /** Buffers, textures, bind groups, layouts, modules and pipelines made. */
  objects: number;
}

export function counted(device: GPUDevice, work: () => void): Counts {
  const counts: Counts = { submits: 0, passes: 0, dispatches: 0, bytesWritten: 0, objects: 0 };
  const restore = [
    watch(device.queue, "submit", () => counts.submits++),
    watch(device.queue, "writeBuffer", (_, values) => {
      counts.bytesWritten += (values[2] as ArrayBufferView).byteLength;
    }),
    watch(device, "createCommandEncoder", (encoder) => {
      watch(encoder as GPUCommandEncoder, "beginComputePass", (pass) => {
        counts.passes++;
        watch(pass as GPUComputePassEncoder, "dispatchWorkgroups", () => counts.dispatches++);
      });
    }),
    ...Object.getOwnPropertyNames(Object.getPrototypeOf(device))
      .filter((name) => /^create(?!CommandEncoder)/.test(name))
      .map((name) => watch(device, name as keyof GPUDevice, () => counts.objects++)),
  ];
  try {
    work();
  } finally {
    for (const undo of restore) undo();
  }
  return counts;
}

/** Tells of every call of a method; returns how to stop. */
function watch<T extends object>(
  target: T,
  method: keyof T & string,
  onCall: (result: unknown, values: unknown[]) => void,
): () => unknown {
  const original = target[method] as (...values: unknown[]) => unknown;
  const own = Object.getOwnPropertyDescriptor(target, method);
  const watched = (...values: unknown[]) => {
    const result = original.apply(target, values);
    onCall(result, values);
    return result;
  };
  Object.defineProperty(target, method, { value: watched, configurable: true, writable: true });
  return () => (own ? Object.defineProperty(target, method, own) : delete target[method]);
}
