import { finished, type GpuArena, readBuffers, STORAGE } from "../gpu/arena.ts";
import { type BoundDispatch, groupOf, pipelineOf, recordAll } from "../gpu/pipelines.ts";
import { COPY, READ, READ_AND_WRITE } from "../names.ts";
import readSource from "../shaders/read.wgsl?raw";
import rewriteSource from "../shaders/rewrite.wgsl?raw";
import type { Configuration, Contestant, Entry } from "../types.ts";
import type { Context } from "./gradclip.ts";

const COPY_SRC_DST = 0x04 | 0x08;
/** Copies have no timestamps. So many small ones are long enough for a browser's clock. */
const MOST_COPIES = 20_000;

/** Lower limits for a clip: the same bytes in as many dispatches, and no other work. */
export function limitContestants(context: Context): Contestant[] {
  const { bytes } = context.arena;
  const configurations = configurationsOf(context);
  return [
    { name: READ, work: "read", bytes, isPart: true, configurations, enter: (c) => enterRead(context, c) },
    {
      name: READ_AND_WRITE,
      work: "rewrite",
      bytes: 2 * bytes,
      isPart: true,
      configurations,
      enter: (c) => enterRewrite(context, c),
    },
    {
      name: COPY,
      work: "copy",
      bytes: 2 * bytes,
      isPart: true,
      configurations: [{}],
      mostSteps: Math.max(200, Math.ceil(MOST_COPIES / context.arena.gradients.length)),
      enter: () => enterCopy(context),
    },
  ];
}

export function configurationsOf({ sweep }: Context): Configuration[] {
  return sweep.lanes.flatMap((lanes) => sweep.workgroups.map((workgroups) => ({ lanes, workgroups })));
}

/** At most as many workgroups as there are words. */
export function workgroupsFor(buffers: readonly GPUBuffer[], { lanes = 1, workgroups = 1 }: Configuration): number {
  const words = Math.max(...buffers.map(({ size }) => size)) / 16;
  return Math.min(workgroups, Math.ceil(words / lanes));
}

async function dispatchesOf(
  { arena }: Context,
  source: string,
  configuration: Configuration,
  sums?: GPUBuffer,
): Promise<BoundDispatch[]> {
  const { device, gradients } = arena;
  const slots = Math.min(device.limits.maxStorageBuffersPerShaderStage - 1, 15);
  const dispatches: BoundDispatch[] = [];
  for (let first = 0; first < gradients.length; first += slots) {
    const bound = gradients.slice(first, first + slots);
    const pipeline = await pipelineOf(device, source, configuration.lanes as number, bound.length);
    const groups = [groupOf(device, pipeline, 0, bound), ...(sums ? [groupOf(device, pipeline, 1, [sums])] : [])];
    dispatches.push({ pipeline, groups, workgroups: workgroupsFor(bound, configuration) });
  }
  return dispatches;
}

async function enterRead(context: Context, configuration: Configuration): Promise<Entry> {
  const { arena, recorder } = context;
  const { lanes = 1, workgroups = 1 } = configuration;
  const sums = arena.device.createBuffer({ size: 4 * lanes * workgroups, usage: STORAGE | COPY_SRC_DST });
  const dispatches = await dispatchesOf(context, readSource, configuration, sums);
  const record = (pass: GPUComputePassEncoder) => recordAll(pass, dispatches);
  return {
    async answer() {
      await arena.reset();
      await recorder.time(1, record);
      const [bytes] = await readBuffers(arena.device, [sums]);
      return { sum: new Uint32Array(bytes as ArrayBuffer).reduce((sum, word) => (sum + word) >>> 0, 0) };
    },
    async time(steps) {
      await arena.reset();
      return recorder.time(steps, record);
    },
    destroy: () => sums.destroy(),
  };
}

async function enterRewrite(context: Context, configuration: Configuration): Promise<Entry> {
  const { arena, recorder } = context;
  const dispatches = await dispatchesOf(context, rewriteSource, configuration);
  const record = (pass: GPUComputePassEncoder) => recordAll(pass, dispatches);
  return {
    async answer() {
      await arena.reset();
      await recorder.time(1, record);
      return { values: await arena.read(arena.gradients) };
    },
    async time(steps) {
      await arena.reset();
      return recorder.time(steps, record);
    },
    destroy() {},
  };
}

async function enterCopy({ arena }: Context): Promise<Entry> {
  const { device, gradients } = arena;
  const copies = gradients.map(({ size }) => device.createBuffer({ size, usage: COPY_SRC_DST }));
  const time = async (steps: number) => {
    await arena.reset();
    const start = performance.now();
    const encoder = device.createCommandEncoder();
    for (let step = 0; step < steps; step++) copyAll(encoder, arena, copies);
    device.queue.submit([encoder.finish()]);
    await finished(device);
    return { clock: (performance.now() - start) / steps };
  };
  return {
    async answer() {
      await time(1);
      return { values: await arena.read(copies) };
    },
    time,
    destroy() {
      for (const buffer of copies) buffer.destroy();
    },
  };
}

function copyAll(encoder: GPUCommandEncoder, { gradients }: GpuArena, copies: readonly GPUBuffer[]): void {
  for (const [i, gradient] of gradients.entries()) {
    encoder.copyBufferToBuffer(gradient, 0, copies[i] as GPUBuffer, 0, gradient.size);
  }
}
