import type { DeviceState } from "./device.ts";

/** One kernel variant: its name is its key. */
export interface Kernel {
  readonly name: string;
  readonly source: () => string;
  readonly layouts: readonly [GPUBindGroupLayout, GPUBindGroupLayout];
}

export interface PipelineEntry {
  pipeline?: GPUComputePipeline;
  readonly module: GPUShaderModule;
  readonly ready: Promise<void>;
}

/** Begins to compile in the background; a kernel is compiled once per device. */
export function compile(state: DeviceState, kernel: Kernel): PipelineEntry {
  const known = state.pipelines.get(kernel.name);
  if (known) return known;
  const { device } = state;
  const code = kernel.source();
  // A faulty shader is told through the pipeline's rejection; the scope keeps it from the owner's error handler.
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: `${state.label} ${kernel.name}`, code });
  const pending = device.createComputePipelineAsync(descriptorOf(state, kernel, module));
  const scope = device.popErrorScope();
  const ready = pending.then(
    (pipeline) => {
      entry.pipeline ??= pipeline;
    },
    async (error) => {
      state.pipelines.delete(kernel.name);
      throw await compileError(kernel, code, module, error);
    },
  );
  const entry: PipelineEntry = { module, ready };
  quiet(scope);
  quiet(ready);
  state.pipelines.set(kernel.name, entry);
  return entry;
}

/** The pipeline now: compiled on the spot if the background has not finished. */
export function pipelineNow(state: DeviceState, kernel: Kernel): GPUComputePipeline {
  const entry = compile(state, kernel);
  entry.pipeline ??= state.device.createComputePipeline(descriptorOf(state, kernel, entry.module));
  return entry.pipeline;
}

/** Somebody else listens to this promise, or nobody has to: an unhandled rejection would end a Node process. */
export function quiet(promise: Promise<unknown>): void {
  promise.catch(() => {});
}

function descriptorOf(state: DeviceState, kernel: Kernel, module: GPUShaderModule): GPUComputePipelineDescriptor {
  const layout = state.device.createPipelineLayout({ bindGroupLayouts: [...kernel.layouts] });
  return { label: `${state.label} ${kernel.name}`, layout, compute: { module, entryPoint: "main" } };
}

async function compileError(kernel: Kernel, code: string, module: GPUShaderModule, cause: unknown): Promise<Error> {
  const info = await module.getCompilationInfo().catch(() => ({ messages: [] }));
  const messages = info.messages.map((m) => `${kernel.name}:${m.lineNum}:${m.linePos}: ${m.type}: ${m.message}`);
  const lines = code.split("\n").map((line, i) => `${i + 1}: ${line}`);
  return new Error([`The kernel ${kernel.name} did not compile: ${cause}`, ...messages, ...lines].join("\n"), {
    cause,
  });
}
