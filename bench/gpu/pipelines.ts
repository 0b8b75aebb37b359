import { resolved } from "../../src/webgpu/template.ts";

const pipelines = new WeakMap<GPUDevice, Map<string, Promise<GPUComputePipeline>>>();

/** The pipeline of a kernel with this number of lanes and of gradient bindings. shaders/README.md has the directives. */
export function pipelineOf(device: GPUDevice, source: string, lanes: number, slots = 0): Promise<GPUComputePipeline> {
  const code = resolved(source, { texts: {}, slots, tokens: { LANES: `${lanes}u` } });
  const known = pipelines.get(device) ?? new Map<string, Promise<GPUComputePipeline>>();
  pipelines.set(device, known);
  const pipeline =
    known.get(code) ??
    device.createComputePipelineAsync({
      layout: "auto",
      compute: { module: device.createShaderModule({ code }), entryPoint: "main" },
    });
  known.set(code, pipeline);
  return pipeline;
}

export function groupOf(
  device: GPUDevice,
  pipeline: GPUComputePipeline,
  index: number,
  buffers: readonly GPUBuffer[],
): GPUBindGroup {
  return device.createBindGroup({
    layout: pipeline.getBindGroupLayout(index),
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
}

export interface BoundDispatch {
  readonly pipeline: GPUComputePipeline;
  readonly groups: readonly GPUBindGroup[];
  readonly workgroups: number;
}

export function recordAll(pass: GPUComputePassEncoder, dispatches: readonly BoundDispatch[]): void {
  let last: GPUComputePipeline | undefined;
  for (const { pipeline, groups, workgroups } of dispatches) {
    if (pipeline !== last) pass.setPipeline(pipeline);
    last = pipeline;
    for (const [index, group] of groups.entries()) pass.setBindGroup(index, group);
    pass.dispatchWorkgroups(workgroups);
  }
}
