/** A device that computes nothing and notes everything: its objects are what they were made of, and copies are made at submit. */

const LIMITS = {
  maxStorageBuffersPerShaderStage: 4,
  maxStorageBufferBindingSize: 2 ** 27,
  maxBufferSize: 2 ** 28,
  maxComputeInvocationsPerWorkgroup: 256,
};

export interface NotedBuffer extends GPUBufferDescriptor {
  mapState: GPUBufferMapState;
  destroyed: boolean;
  readonly bytes: ArrayBuffer;
  /** How it was mapped last. */
  mode?: number;
}

export interface NotedPass {
  readonly label?: string;
  /** Of each dispatch: the kernel, its bind groups, the dynamic offsets and the workgroups. */
  readonly dispatches: {
    kernel: string;
    groups: { label?: string; entries: { binding: number; resource: GPUBufferBinding }[]; types: unknown[] }[];
    offsets: readonly number[];
    workgroups: number;
  }[];
  /** The numbers of all bind groups that were set. */
  readonly bound: number[];
  ended: boolean;
}

type Scope = "validation" | "out-of-memory";

export function notedDevice(limits: Partial<typeof LIMITS> = {}) {
  const buffers: NotedBuffer[] = [];
  const submitted: { label?: string; passes: NotedPass[]; copies: unknown[][] }[] = [];
  const calls: string[] = [];
  const scopes: { filter: Scope; error?: GPUError | undefined }[] = [];
  let lose: (info: GPUDeviceLostInfo) => void = () => {};
  const lost = new Promise<GPUDeviceLostInfo>((resolve) => {
    lose = resolve;
  });
  /** An error of what was just called goes to the innermost scope of its kind. */
  const fail = (filter: Scope, message: string) => {
    const scope = [...scopes].reverse().find((one) => one.filter === filter);
    if (scope) scope.error ??= { message } as GPUError;
  };
  const refused = new Set<unknown>();
  const described = <T extends object>(kind: string, descriptor: T): T => {
    calls.push(kind);
    return { ...descriptor };
  };

  function createBuffer(descriptor: GPUBufferDescriptor): NotedBuffer & Partial<GPUBuffer> {
    calls.push("createBuffer");
    const bytes = new ArrayBuffer(descriptor.size);
    const buffer = {
      ...descriptor,
      mapState: (descriptor.mappedAtCreation ? "mapped" : "unmapped") as GPUBufferMapState,
      destroyed: false,
      bytes,
      mode: 0,
      async mapAsync(mode: number): Promise<undefined> {
        buffer.mode = mode;
        buffer.mapState = "mapped";
      },
      getMappedRange: () => bytes,
      unmap(): undefined {
        buffer.mapState = "unmapped";
      },
      destroy(): undefined {
        buffer.destroyed = true;
      },
    };
    buffers.push(buffer);
    return buffer as never;
  }

  function newPass(label: string | undefined, passes: NotedPass[]) {
    const pass: NotedPass = { label, dispatches: [], bound: [], ended: false } as NotedPass;
    passes.push(pass);
    let kernel = "";
    let offsets: readonly number[] = [];
    const groups: NotedPass["dispatches"][number]["groups"] = [];
    return {
      setPipeline: ({ label: name = "" }: { label?: string }) => {
        kernel = name;
      },
      setBindGroup(
        index: number,
        group: (typeof groups)[number],
        given: Uint32Array = new Uint32Array(0),
        start = 0,
        count = 0,
      ) {
        groups[index] = group;
        pass.bound.push(index);
        if (index === 1) offsets = [...given.slice(start, start + count)];
      },
      dispatchWorkgroups: (workgroups: number) => {
        pass.dispatches.push({ kernel, groups: [...groups], offsets, workgroups });
      },
      end() {
        pass.ended = true;
      },
    };
  }

  function createCommandEncoder({ label }: { label?: string } = {}) {
    const one = { label, passes: [] as NotedPass[], copies: [] as unknown[][] };
    return {
      beginComputePass: (descriptor: { label?: string } = {}) => newPass(descriptor.label, one.passes),
      copyBufferToBuffer: (...copy: unknown[]) => one.copies.push(copy),
      finish: () => one,
    };
  }

  function submit(list: Iterable<(typeof submitted)[number]>): void {
    calls.push("submit");
    for (const one of list) {
      submitted.push(one);
      for (const [from, at, to, start, size] of one.copies as [NotedBuffer, number, NotedBuffer, number, number][]) {
        new Uint8Array(to.bytes, start, size).set(new Uint8Array(from.bytes, at, size));
      }
    }
  }

  const noted = {
    limits: { ...LIMITS, ...limits },
    adapterInfo: { vendor: "nvidia" },
    lost,
    queue: {
      submit,
      writeBuffer(buffer: NotedBuffer, at: number, data: Uint32Array) {
        new Uint8Array(buffer.bytes, at).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      },
    },
    pushErrorScope: (filter: Scope) => void scopes.push({ filter }),
    popErrorScope: async () => scopes.pop()?.error ?? null,
    createBuffer,
    createCommandEncoder,
    createBindGroupLayout: (descriptor: object) => described("createBindGroupLayout", descriptor),
    createPipelineLayout: (descriptor: object) => described("createPipelineLayout", descriptor),
    createShaderModule: (descriptor: object) => described("createShaderModule", descriptor),
    createBindGroup(descriptor: {
      layout: { entries: { buffer: unknown }[] };
      entries: { resource: GPUBufferBinding }[];
    }) {
      for (const { resource } of descriptor.entries) {
        if (refused.has(resource.buffer)) fail("validation", `Buffer is unknown; see the log.\nmore`);
      }
      return described("createBindGroup", { ...descriptor, types: descriptor.layout.entries.map((one) => one.buffer) });
    },
    createComputePipeline: (descriptor: object) => described("createComputePipeline", descriptor),
    createComputePipelineAsync: async (descriptor: object) => described("createComputePipelineAsync", descriptor),
  };
  const device = noted as unknown as GPUDevice;
  /** A gradient's buffer. */
  const buffer = (size: number) => createBuffer({ size, usage: 0x84 }) as unknown as GPUBuffer & NotedBuffer;
  const labelled = (end: string) => buffers.filter(({ label }) => label?.endsWith(end));
  return { noted, device, buffers, buffer, labelled, submitted, calls, refused, fail, lose };
}
