import { COPY_DST, COPY_SRC, readBuffers, STORAGE, UNIFORM } from "../gpu/arena.ts";
import { type BoundDispatch, groupOf, pipelineOf, recordAll } from "../gpu/pipelines.ts";
import { ATOMIC, CLIP, PER_TENSOR, READ_BACK } from "../names.ts";
import atomicFinish from "../shaders/atomic_finish.wgsl?raw";
import atomicNorm from "../shaders/atomic_norm.wgsl?raw";
import tensorFinish from "../shaders/tensor_finish.wgsl?raw";
import tensorNorm from "../shaders/tensor_norm.wgsl?raw";
import tensorScale from "../shaders/tensor_scale.wgsl?raw";
import type { Configuration, Contestant, Entry } from "../types.ts";
import type { Context } from "./gradclip.ts";
import { configurationsOf, workgroupsFor } from "./limits.ts";

/** The usual hand-written ways. Each multiplies even if the scale is 1. float32 only. */
export function handWrittenContestants(context: Context): Contestant[] {
  const bytes = 3 * context.arena.bytes;
  const configurations = configurationsOf(context);
  const common = { work: "clip", against: CLIP, bytes } as const;
  return [
    { ...common, name: PER_TENSOR, configurations, enter: (c) => enterPerTensor(context, c) },
    { ...common, name: ATOMIC, configurations, enter: (c) => enterAtomic(context, c) },
    { ...common, name: READ_BACK, configurations: [{}], enter: () => enterReadBack(context) },
  ];
}

/** The size of the buffer for norm and scale. */
const RESULT_BYTES = 8;

function uniformOf(device: GPUDevice, fill: (view: DataView) => void): GPUBuffer {
  const buffer = device.createBuffer({ size: 16, usage: UNIFORM, mappedAtCreation: true });
  fill(new DataView(buffer.getMappedRange()));
  buffer.unmap();
  return buffer;
}

async function enterPerTensor(context: Context, configuration: Configuration): Promise<Entry> {
  const { arena, truth } = context;
  const { device, gradients } = arena;
  const lanes = configuration.lanes as number;
  const norm = await pipelineOf(device, tensorNorm, lanes);
  const finish = await pipelineOf(device, tensorFinish, 64);
  const counts = gradients.map((buffer) => workgroupsFor([buffer], configuration));
  const total = counts.reduce((sum, count) => sum + count, 0);
  const sums = device.createBuffer({ size: 4 * total, usage: STORAGE });
  let first = 0;
  const places: GPUBuffer[] = [];
  const dispatches = gradients.map((buffer, i): BoundDispatch => {
    const at = first;
    first += counts[i] as number;
    const place = uniformOf(device, (view) => view.setUint32(0, at, true));
    places.push(place);
    return {
      pipeline: norm,
      groups: [groupOf(device, norm, 0, [buffer, sums, place])],
      workgroups: counts[i] as number,
    };
  });
  return entryOf(context, configuration, [sums, ...places], async (result) => {
    const settings = uniformOf(device, (view) => {
      view.setUint32(0, total, true);
      view.setFloat32(4, truth.bound, true);
    });
    places.push(settings);
    return [
      ...dispatches,
      { pipeline: finish, groups: [groupOf(device, finish, 0, [sums, result, settings])], workgroups: 1 },
    ];
  });
}

async function enterAtomic(context: Context, configuration: Configuration): Promise<Entry> {
  const { arena, truth } = context;
  const { device, gradients } = arena;
  const norm = await pipelineOf(device, atomicNorm, configuration.lanes as number);
  const finish = await pipelineOf(device, atomicFinish, 1);
  const total = device.createBuffer({ size: 4, usage: STORAGE });
  const settings = uniformOf(device, (view) => view.setFloat32(4, truth.bound, true));
  const dispatches = gradients.map((buffer): BoundDispatch => {
    const groups = [groupOf(device, norm, 0, [buffer, total])];
    return { pipeline: norm, groups, workgroups: workgroupsFor([buffer], configuration) };
  });
  return entryOf(context, configuration, [total, settings], async (result) => [
    ...dispatches,
    { pipeline: finish, groups: [groupOf(device, finish, 0, [total, result, settings])], workgroups: 1 },
  ]);
}

/** Dispatches for the norm, then one dispatch for each tensor that multiplies. */
async function entryOf(
  { arena, recorder }: Context,
  configuration: Configuration,
  scratch: readonly GPUBuffer[],
  normOf: (result: GPUBuffer) => Promise<BoundDispatch[]>,
): Promise<Entry> {
  const { device, gradients } = arena;
  const result = device.createBuffer({ size: RESULT_BYTES, usage: STORAGE | COPY_SRC });
  const scale = await pipelineOf(device, tensorScale, configuration.lanes as number);
  const dispatches = [
    ...(await normOf(result)),
    ...gradients.map((buffer) => ({
      pipeline: scale,
      groups: [groupOf(device, scale, 0, [buffer, result])],
      workgroups: workgroupsFor([buffer], configuration),
    })),
  ];
  const record = (pass: GPUComputePassEncoder) => recordAll(pass, dispatches);
  return {
    async answer() {
      await arena.reset();
      await recorder.time(1, record);
      const [bytes] = await readBuffers(device, [result]);
      return { norm: new Float32Array(bytes as ArrayBuffer)[0], values: await arena.read(gradients) };
    },
    async time(steps) {
      await arena.reset();
      return recorder.time(steps, record);
    },
    destroy() {
      for (const buffer of [...scratch, result]) buffer.destroy();
    },
  };
}

async function enterReadBack({ arena, truth }: Context): Promise<Entry> {
  const { device, gradients } = arena;
  const size = gradients.reduce((sum, buffer) => sum + buffer.size, 0);
  const staging = device.createBuffer({ size, usage: 0x01 | COPY_DST });
  const step = async () => {
    const encoder = device.createCommandEncoder();
    let at = 0;
    for (const buffer of gradients) {
      encoder.copyBufferToBuffer(buffer, 0, staging, at, buffer.size);
      at += buffer.size;
    }
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(1);
    const values = new Float32Array(staging.getMappedRange().slice(0));
    staging.unmap();
    let squares = 0;
    for (let i = 0; i < values.length; i++) squares += (values[i] as number) ** 2;
    const norm = Math.sqrt(squares);
    const scale = Math.min(1, truth.bound / norm);
    for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) * scale;
    at = 0;
    for (const buffer of gradients) {
      device.queue.writeBuffer(buffer, 0, values.buffer, at, buffer.size);
      at += buffer.size;
    }
    return norm;
  };
  return {
    async answer() {
      await arena.reset();
      return { norm: await step(), values: await arena.read(gradients) };
    },
    async time(steps) {
      await arena.reset();
      const start = performance.now();
      for (let i = 0; i < steps; i++) await step();
      device.queue.submit([]);
      await device.queue.onSubmittedWorkDone();
      return { clock: (performance.now() - start) / steps };
    },
    destroy: () => staging.destroy(),
  };
}
