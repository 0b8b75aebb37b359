/** Devices that compute wrongly in one way, on a real device. They share the pipelines that they do not spoil. */

/** Text that a shader must have, and the text that replaces it. */
export type ShaderLie = readonly [pattern: RegExp, replacement: string];

export interface Lie {
  /** How the name of the only kernel begins whose shader is spoilt; default: all are. */
  readonly kernel?: string;
  readonly shaders?: readonly ShaderLie[];
  /** Methods that replace those of the device; `real` has the originals. */
  readonly device?: (real: GPUDevice) => Partial<GPUDevice>;
  readonly queue?: (real: GPUQueue) => Partial<GPUQueue>;
}

interface Compiled {
  readonly modules: Map<string, GPUShaderModule>;
  readonly pipelines: Map<GPUShaderModule, Promise<GPUComputePipeline>>;
}

/** By real device: files that share it spoil some shaders in the same way. */
const compiledOn = new WeakMap<GPUDevice, Compiled>();

export class LyingDevices {
  readonly #real: GPUDevice;
  readonly #storageBuffers: number;
  readonly #compiled: Compiled;

  /** One binding for gradients is enough to go wrong in, and compiles in half the time of two. */
  constructor(real: GPUDevice, storageBuffers = 2) {
    this.#real = real;
    this.#storageBuffers = storageBuffers;
    this.#compiled = compiledOn.get(real) ?? { modules: new Map(), pipelines: new Map() };
    compiledOn.set(real, this.#compiled);
  }

  /** The device, and how many shaders it has spoilt so far. */
  device(lie: Lie): { device: GPUDevice; spoilt: () => number } {
    const real = this.#real;
    const { maxStorageBufferBindingSize, maxBufferSize, maxComputeInvocationsPerWorkgroup } = real.limits;
    let spoilt = 0;
    const device = overridden(real, {
      limits: {
        maxStorageBuffersPerShaderStage: this.#storageBuffers,
        maxStorageBufferBindingSize,
        maxBufferSize,
        maxComputeInvocationsPerWorkgroup,
      },
      queue: lie.queue ? overridden(real.queue, lie.queue(real.queue)) : real.queue,
      createShaderModule: ({ label, code }: GPUShaderModuleDescriptor) => {
        if (lie.kernel && !label?.startsWith(`gradclip ${lie.kernel} `)) return this.#moduleOf(code);
        const text = (lie.shaders ?? []).reduce((before, [pattern, by]) => before.replaceAll(pattern, by), code);
        if (text !== code) spoilt += 1;
        return this.#moduleOf(text);
      },
      createComputePipelineAsync: (descriptor: GPUComputePipelineDescriptor) => this.#pipelineOf(descriptor),
      ...lie.device?.(real),
    } as object);
    return { device, spoilt: () => spoilt };
  }

  #moduleOf(code: string): GPUShaderModule {
    const { modules } = this.#compiled;
    const module = modules.get(code) ?? this.#real.createShaderModule({ code });
    modules.set(code, module);
    return module;
  }

  #pipelineOf(descriptor: GPUComputePipelineDescriptor): Promise<GPUComputePipeline> {
    const { pipelines } = this.#compiled;
    const { module } = descriptor.compute;
    const pipeline = pipelines.get(module) ?? this.#real.createComputePipelineAsync(descriptor);
    pipelines.set(module, pipeline);
    return pipeline;
  }
}

/** The object with some properties changed; its own methods go on working on itself. */
export function overridden<T extends object>(real: T, changes: object): T {
  return new Proxy(real, {
    get(target, name) {
      if (name in changes) return changes[name as keyof typeof changes];
      const value = target[name as keyof T];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
