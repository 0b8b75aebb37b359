import { clipByGlobalNorm } from "../src/index.ts";
import type { Context } from "./contestants/gradclip.ts";
import { finished } from "./gpu/arena.ts";
import { dispatchesOf, replay } from "./gpu/passFilter.ts";

/** The host's time for an encode, and for the bare calls setBindGroup and dispatch in turns. */
export interface HostCost {
  readonly workload: string;
  readonly dispatches: number;
  /** Microseconds of an encode, batch by batch. */
  readonly encode: readonly number[];
  readonly bare: readonly number[];
}

const BATCHES = 15;
/** A number of calls that one pass can hold without growing large. */
const DISPATCHES = 2000;

export async function encodeCost({ arena, clipper, truth }: Context): Promise<HostCost> {
  const { device, workload, gradients } = arena;
  const views = gradients.map((buffer, i) => ({
    buffer,
    length: workload.lengths[i] as number,
    dtype: workload.dtype,
  }));
  const clip = clipper.prepare(views, clipByGlobalNorm(truth.bound));
  await clip.ready;
  const dispatches = dispatchesOf((pass) => clip.encode(pass));
  const repeats = Math.max(1, Math.round(DISPATCHES / dispatches.length));
  const encode: number[] = [];
  const bare: number[] = [];
  const time = (record: (pass: GPUComputePassEncoder) => void) => {
    // Never submitted: the device's work is not measured here.
    const pass = device.createCommandEncoder().beginComputePass();
    const start = performance.now();
    for (let i = 0; i < repeats; i++) record(pass);
    const microseconds = ((performance.now() - start) * 1000) / repeats;
    pass.end();
    return microseconds;
  };
  for (let batch = 0; batch < BATCHES; batch++) {
    encode.push(time((pass) => clip.encode(pass)));
    bare.push(time((pass) => replay(pass, dispatches)));
    await finished(device);
  }
  clip.destroy();
  return { workload: workload.name, dispatches: dispatches.length, encode, bare };
}
