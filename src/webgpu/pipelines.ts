import { DeviceLostError } from "../errors.ts";
import { type DeviceContext, lossSoon, type PipelineEntry } from "./device.ts";

/** One kernel variant. Its name is its key. */
export interface Kernel {
  readonly name: string;
  readonly source: () => string;
  readonly layouts: readonly [GPUBindGroupLayout, GPUBindGroupLayout];
}

/** Starts to compile in the background. A kernel is compiled once per device. */
export function compile(context: DeviceContext, kernel: Kernel): PipelineEntry {
  const known = context.pipelines.get(kernel.name);
  if (known) return known;
  const { device } = context;
  const code = kernel.source();
  // The pipeline's rejection reports a faulty shader. The scope hides it from the owner's error handler.
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: `${context.label} ${kernel.name}`, code });
  const scope = device.popErrorScope();
  // After the caller's turn: a step in the same turn compiles at once, and the device gives the background the same pipeline.
  const pending = Promise.resolve().then(() =>
    device.createComputePipelineAsync(descriptorOf(context, kernel, module)),
  );
  const ready = pending.then(
    (pipeline) => {
      entry.pipeline ??= pipeline;
    },
    async (error) => {
      context.pipelines.delete(kernel.name);
      // A browser reports a wrong shader as a validation error. Any other error may come from a loss.
      const loss = error?.reason === "validation" ? context.lost : await lossSoon(context);
      throw loss ? new DeviceLostError(loss, "unknown") : await compileError(kernel, code, module, error);
    },
  );
  const entry: PipelineEntry = { module, ready };
  ignoreRejection(scope);
  ignoreRejection(ready);
  context.pipelines.set(kernel.name, entry);
  return entry;
}

/** The pipeline, compiled now if the background has not finished. */
export function pipelineNow(context: DeviceContext, kernel: Kernel): GPUComputePipeline {
  const entry = compile(context, kernel);
  entry.pipeline ??= context.device.createComputePipeline(descriptorOf(context, kernel, entry.module));
  return entry.pipeline;
}

/** Other code handles this promise, or no code has to. An unhandled rejection would end a Node process. */
export function ignoreRejection(promise: Promise<unknown>): void {
  promise.catch(() => {});
}

function descriptorOf(context: DeviceContext, kernel: Kernel, module: GPUShaderModule): GPUComputePipelineDescriptor {
  const layout = context.device.createPipelineLayout({ bindGroupLayouts: [...kernel.layouts] });
  return { label: `${context.label} ${kernel.name}`, layout, compute: { module, entryPoint: "main" } };
}

async function compileError(kernel: Kernel, code: string, module: GPUShaderModule, cause: unknown): Promise<Error> {
  const info = await module.getCompilationInfo().catch(() => ({ messages: [] }));
  const messages = info.messages.map((m) => `${kernel.name}:${m.lineNum}:${m.linePos}: ${m.type}: ${m.message}`);
  const lines = code.split("\n").map((line, i) => `${i + 1}: ${line}`);
  const hint = "withRealNames(message) of gradclip/shaders gives the real names.";
  return new Error([`The kernel ${kernel.name} did not compile: ${cause}`, ...messages, ...lines, hint].join("\n"), {
    cause,
  });
}
