/** One recorded dispatch. Its pipeline's label names the kernel. */
export interface RecordedDispatch {
  readonly pipeline: GPUComputePipeline;
  readonly groups: readonly (readonly unknown[])[];
  readonly workgroups: number;
}

type RecordingPass = Pick<GPUComputePassEncoder, "setPipeline" | "setBindGroup" | "dispatchWorkgroups">;

/** The dispatches that a clip would record. They allow timing one pass separately. */
export function dispatchesOf(encode: (pass: GPUComputePassEncoder) => void): RecordedDispatch[] {
  const dispatches: RecordedDispatch[] = [];
  let pipeline: GPUComputePipeline | undefined;
  const groups: (readonly unknown[])[] = [];
  const recording: RecordingPass = {
    setPipeline(next) {
      pipeline = next;
    },
    setBindGroup(index: number, ...rest: unknown[]) {
      // Offsets may be overwritten by the next step.
      const [group, offsets, ...more] = rest;
      groups[index] = [index, group, ...(offsets instanceof Uint32Array ? [offsets.slice(), ...more] : [])];
    },
    dispatchWorkgroups(workgroups) {
      if (!pipeline) throw new Error("A dispatch was recorded without a pipeline.");
      dispatches.push({ pipeline, groups: [...groups], workgroups });
    },
  };
  encode(recording as GPUComputePassEncoder);
  return dispatches;
}

/** Records dispatches again: setPipeline when the pipeline changes, and all bind groups. */
export function replay(pass: GPUComputePassEncoder, dispatches: readonly RecordedDispatch[]): void {
  let last: GPUComputePipeline | undefined;
  for (const { pipeline, groups, workgroups } of dispatches) {
    if (pipeline !== last) pass.setPipeline(pipeline);
    last = pipeline;
    for (const group of groups) (pass.setBindGroup as (...values: unknown[]) => void)(...group);
    pass.dispatchWorkgroups(workgroups);
  }
}
