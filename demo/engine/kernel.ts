/** A kernel with its buffers, ready to be recorded. */
export interface Dispatch {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: number;
}

export interface Kernel {
  label: string;
  code: string;
  constants?: Record<string, number>;
  /** In the order of the bindings. */
  buffers: readonly GPUBuffer[];
  invocations: number;
}

const workgroupSize = 64;

export async function dispatchOf(device: GPUDevice, kernel: Kernel): Promise<Dispatch> {
  const { label, code, constants, buffers, invocations } = kernel;
  const module = device.createShaderModule({ label, code });
  const compute = { module, entryPoint: "main", constants };
  const pipeline = await device.createComputePipelineAsync({ label, layout: "auto", compute });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = device.createBindGroup({ label, layout: pipeline.getBindGroupLayout(0), entries });
  return { label, pipeline, group, workgroups: Math.ceil(invocations / workgroupSize) };
}

export function record(pass: GPUComputePassEncoder, dispatches: readonly Dispatch[]): void {
  for (const { pipeline, group, workgroups } of dispatches) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(workgroups);
  }
}

/** A buffer of zeros. */
export function floatBuffer(device: GPUDevice, label: string, length: number): GPUBuffer {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  return device.createBuffer({ label, size: 4 * length, usage });
}

/** The buffer's content after everything that was submitted so far. */
export async function readFloats(device: GPUDevice, buffer: GPUBuffer): Promise<Float32Array<ArrayBuffer>> {
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const staging = device.createBuffer({ label: `${buffer.label}, read`, size: buffer.size, usage });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const floats = new Float32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return floats;
}
