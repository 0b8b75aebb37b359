/** One dispatch as it was recorded: its pipeline's label says which kernel it is. */
export interface RecordedDispatch {
  readonly pipeline: GPUComputePipeline;
  readonly groups: readonly (readonly unknown[])[];
  readonly workgroups: number;
}

type RecordingPass = Pick<GPUComputePassEncoder, "setPipeline" | "setBindGroup" | "dispatchWorkgroups">;

/** What a clip records, without recording it: with it one pass can be timed apart from the others. */
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

/** Records dispatches again: setPipeline where the pipeline changes, and all bind groups. */
export function replay(pass: GPUComputePassEncoder, dispatches: readonly RecordedDispatch[]): void {
  let last: GPUComputePipeline | undefined;
  for (const { pipeline, groups, workgroups } of dispatches) {
    if (pipeline !== last) pass.setPipeline(pipeline);
    last = pipeline;
    for (const group of groups) (pass.setBindGroup as (...values: unknown[]) => void)(...group);
    pass.dispatchWorkgroups(workgroups);
  }
}
