/** What engines on WebGPU rely on when they record clips among their own commands. */
import { clipByGlobalNorm, measureNorm } from "../../../src/index.ts";
import { packed, range, tensor } from "../build.ts";
import { fail, near, same } from "../expect.ts";
import { COPY_DST, COPY_SRC, STORAGE } from "../harness-webgpu.ts";
import { bitsFrom, floatsOf, MIN_NORMAL, randomBits, randomSource } from "../numbers.ts";
import { RECORD_BYTES, readRecord } from "../record.ts";
import type { Allocation, Case, WebGpuHarness } from "../types.ts";

const ENCODES = 1000;
const BUFFER_SETS = 100;

function recordOf(clip: { readonly record?: GPUBuffer }): GPUBuffer {
  return clip.record ?? fail("a clip on WebGPU has no record");
}

/** Records copied out of `count` encodes into one buffer. */
async function recordsFrom({ readBuffers }: WebGpuHarness, copies: GPUBuffer, count: number) {
  const [words] = (await readBuffers([copies])) as [Uint32Array];
  return range(count).map((index) => {
    return readRecord(new Uint8Array(words.buffer, words.byteOffset + index * RECORD_BYTES, RECORD_BYTES));
  });
}

function copiesFor(harness: WebGpuHarness, count: number): GPUBuffer {
  return harness.bufferOf(new Uint32Array((count * RECORD_BYTES) / 4), COPY_DST | COPY_SRC);
}

/** Bounds and gradScales over the range in which neither they nor what follows from them is subnormal. */
function settings(seed: number): { maxNorm: number; gradScale: number } {
  const random = randomSource(seed);
  const power = (span: number) => Math.fround((1.5 + random() / 2) * 2 ** Math.round(random() * span));
  return { maxNorm: power(120), gradScale: power(100) };
}

async function manyEncodes(harness: WebGpuHarness, inOnePass: boolean): Promise<void> {
  const { device } = harness;
  // Without a copy between encodes the last one alone can be seen; the scale pass makes every one of them count.
  const count = inOnePass ? 100 : ENCODES;
  const memories = range(inOnePass ? count : 1).map(() => harness.allocate([tensor([3, 4])]));
  const first = memories[0] as Allocation;
  const clip = harness.prepare(first.gradients, clipByGlobalNorm(1), { apply: inOnePass ? "scale" : "record" });
  const copies = copiesFor(harness, count);
  const encoder = device.createCommandEncoder();
  const pass = inOnePass ? encoder.beginComputePass() : undefined;
  for (const index of range(count)) {
    // Ordinary magnitudes where values are judged, so that none of them leaves float32.
    clip.set(inOnePass ? { maxNorm: 1 + index, gradScale: 2 ** (index % 7) } : settings(index));
    if (pass) clip.encode(pass, (memories[index] as Allocation).gradients);
    else {
      clip.encode(encoder);
      encoder.copyBufferToBuffer(recordOf(clip), 0, copies, index * RECORD_BYTES, RECORD_BYTES);
    }
  }
  pass?.end();
  device.queue.submit([encoder.finish()]);
  if (inOnePass) await checkPass(memories);
  else checkCopies(await recordsFrom(harness, copies, count));
  const report = await clip.report();
  same(report.steps, count, "steps");
}

async function checkPass(memories: readonly Allocation[]): Promise<void> {
  // All at once: Firefox takes up to a tenth of a second for each that it waits for.
  const images = await Promise.all(memories.map((memory) => memory.read()));
  for (const [index, image] of images.entries()) {
    const words = image.get("own 0") ?? fail("no memory");
    const factor = Math.min(2 ** (index % 7), (1 + index) / 5);
    const [left, right] = floatsOf(words);
    near(left, 3 * factor, 2, `encode ${index}: 3`);
    near(right, 4 * factor, 2, `encode ${index}: 4`);
  }
}

function checkCopies(records: Awaited<ReturnType<typeof recordsFrom>>): void {
  records.forEach((record, index) => {
    const { maxNorm, gradScale } = settings(index);
    const norm = 5 * gradScale;
    same(record.bound, maxNorm, `encode ${index}: bound`);
    near(record.norm, norm, 1, `encode ${index}: norm`);
    near(record.scale, Math.min(gradScale, maxNorm / 5), 2, `encode ${index}: scale`);
    same(record.steps, index + 1, `encode ${index}: steps`);
  });
}

/** Logs what is made on a device and written to its queue, by standing before its methods; returns how to step aside. */
function logCalls(device: GPUDevice, log: string[]): () => void {
  const undo: (() => void)[] = [];
  const watch = (target: object, matches: (name: string) => boolean) => {
    const methods = target as Record<string, unknown>;
    for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(target)).filter(matches)) {
      const original = methods[name];
      if (typeof original !== "function") continue;
      methods[name] = (...values: unknown[]) => {
        log.push(name);
        return original.apply(target, values);
      };
      undo.push(() => delete methods[name]);
    }
  };
  watch(device, (name) => name.startsWith("create"));
  watch(device.queue, (name) => name.startsWith("write") || name.startsWith("copy") || name === "submit");
  return () => {
    for (const step of undo) step();
  };
}

async function countEncodes(harness: WebGpuHarness, log: string[]): Promise<void> {
  const { device } = harness;
  device.createBuffer({ size: 16, usage: COPY_DST }).destroy();
  same(log.join(), "createBuffer", "calls seen for one buffer: the counter itself");
  const tensors = packed([randomBits(300, 1), randomBits(40, 2)], 4);
  const memories = range(3).map(() => harness.allocate([...tensors, ...range(20).map(() => tensor([1, 2]))]));
  const [first, second] = memories as [Allocation, Allocation];
  const clip = harness.prepare(first.gradients, clipByGlobalNorm(1));
  await clip.ready;
  const encodeAll = (encoder: GPUCommandEncoder) => {
    for (const memory of memories) clip.encode(encoder, memory.gradients);
    clip.encode(encoder);
  };
  const warmUp = device.createCommandEncoder();
  encodeAll(warmUp);
  device.queue.submit([warmUp.finish()]);
  const encoder = device.createCommandEncoder();
  log.length = 0;
  for (const step of range(20)) {
    clip.set({ maxNorm: 1 + step, gradScale: 1 + step / 64 });
    encodeAll(encoder);
  }
  const pass = encoder.beginComputePass();
  clip.encode(pass, second.gradients);
  pass.end();
  same(log.join(), "", "objects made, writes and submits of encodes for known buffers");
  device.queue.submit([encoder.finish()]);
  same((await clip.report()).steps, 4 + 20 * 4 + 1, "steps");
}

/** Gradients made by the engine's kernel, clipped, and used by its next kernel, in one pass; its bind group 2 stays set. */
async function amongOtherKernels(harness: WebGpuHarness): Promise<void> {
  const { device, bufferOf } = harness;
  const inputs = bufferOf(bitsFrom([3, 4, 0, 0]), STORAGE);
  // Nothing but STORAGE: all that gradclip may ask of a gradient's buffer.
  const gradients = bufferOf(new Uint32Array(4), STORAGE);
  const results = bufferOf(new Uint32Array(8), STORAGE | COPY_SRC);
  const clip = harness.prepare([{ buffer: gradients, length: 3 }], clipByGlobalNorm(1));
  const module = device.createShaderModule({
    code: `
      @group(2) @binding(0) var<storage, read> inputs: array<f32>;
      @group(2) @binding(1) var<storage, read_write> gradients: array<f32>;
      @group(2) @binding(2) var<storage, read_write> results: array<f32>;
      @compute @workgroup_size(4) fn make(@builtin(local_invocation_index) i: u32) { gradients[i] = inputs[i] * 10.0; }
      @compute @workgroup_size(4) fn apply(@builtin(local_invocation_index) i: u32) { results[i] = gradients[i] * 2.0; }
    `,
  });
  const visibility = 4;
  const layout = device.createBindGroupLayout({
    entries: [
      { binding: 0, visibility, buffer: { type: "read-only-storage" } },
      { binding: 1, visibility, buffer: { type: "storage" } },
      { binding: 2, visibility, buffer: { type: "storage" } },
    ],
  });
  const emptyLayout = device.createBindGroupLayout({ entries: [] });
  const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [emptyLayout, emptyLayout, layout] });
  const pipelineFor = (entryPoint: string) => {
    return device.createComputePipeline({ layout: pipelineLayout, compute: { module, entryPoint } });
  };
  const empty = device.createBindGroup({ layout: emptyLayout, entries: [] });
  const group = device.createBindGroup({
    layout,
    entries: [inputs, gradients, results].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  const dispatch = (entryPoint: string) => {
    pass.setPipeline(pipelineFor(entryPoint));
    pass.setBindGroup(0, empty);
    pass.setBindGroup(1, empty);
    pass.dispatchWorkgroups(1);
  };
  pass.setBindGroup(2, group);
  dispatch("make");
  clip.encode(pass);
  dispatch("apply");
  pass.end();
  device.queue.submit([encoder.finish()]);
  const [words] = (await harness.readBuffers([results])) as [Uint32Array];
  [1.2, 1.6, 0].forEach((value, index) => {
    near(floatsOf(words)[index], value, 2, `result ${index}`);
  });
  same((await clip.report()).norm, 50, "norm");
}

/** The optimizer reads the scale from the record: two factors, multiplied one after the other. */
async function optimizerReadsRecord(harness: WebGpuHarness): Promise<void> {
  const { device, bufferOf } = harness;
  const gradients = bufferOf(bitsFrom([3e38, 3e38, 3e38, 3e38]), STORAGE | COPY_SRC);
  const results = bufferOf(new Uint32Array(4), STORAGE | COPY_SRC);
  const clip = harness.prepare([gradients], clipByGlobalNorm(1), { apply: "record" });
  const module = device.createShaderModule({
    code: `
      @group(0) @binding(0) var<uniform> record: array<vec4f, 4>;
      @group(0) @binding(1) var<storage, read> gradients: array<f32>;
      @group(0) @binding(2) var<storage, read_write> results: array<f32>;
      @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
        results[i] = gradients[i] * record[0].x * record[0].y;
      }
    `,
  });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [recordOf(clip), gradients, results].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  clip.encode(pass);
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(1);
  pass.end();
  device.queue.submit([encoder.finish()]);
  const [words] = (await harness.readBuffers([results])) as [Uint32Array];
  for (const value of floatsOf(words)) near(value, 0.5, 2, "gradient times both factors");
}

/** More buffer sets than any cache keeps, each used again after it has been pushed out. */
async function changingBuffers(harness: WebGpuHarness): Promise<void> {
  const { device } = harness;
  const memories = range(BUFFER_SETS).map((index) => harness.allocate([tensor([3 + index, 0]), tensor([0, 4])]));
  const clip = harness.prepare((memories[0] as Allocation).gradients, measureNorm());
  const order = [...range(BUFFER_SETS), ...range(BUFFER_SETS).reverse(), ...range(BUFFER_SETS)];
  const copies = copiesFor(harness, order.length);
  const encoder = device.createCommandEncoder();
  order.forEach((index, at) => {
    clip.encode(encoder, (memories[index] as Allocation).gradients);
    encoder.copyBufferToBuffer(recordOf(clip), 0, copies, at * RECORD_BYTES, RECORD_BYTES);
  });
  device.queue.submit([encoder.finish()]);
  const records = await recordsFrom(harness, copies, order.length);
  order.forEach((index, at) => {
    near(records[at]?.norm, Math.hypot(3 + index, 4), 2, `norm of encode ${at}, buffers ${index}`);
  });
}

export const cases: Case[] = [
  {
    name: `${ENCODES} encodes with values of their own before one submit`,
    gpuScript: (harness) => manyEncodes(harness, false),
  },
  { name: "100 encodes with values of their own in one open pass", gpuScript: (harness) => manyEncodes(harness, true) },
  {
    name: "no object is made and nothing written for buffers that were seen",
    gpuScript: async (harness) => {
      const log: string[] = [];
      const stop = logCalls(harness.device, log);
      try {
        await countEncodes(harness, log);
      } finally {
        stop();
      }
    },
  },
  { name: "between an engine's own kernels in one pass, over STORAGE-only buffers", gpuScript: amongOtherKernels },
  { name: "an optimizer kernel takes the scale from the record", gpuScript: optimizerReadsRecord },
  { name: `${BUFFER_SETS} sets of buffers in turn`, gpuScript: changingBuffers },
  {
    name: "several clips in one encoder, over the same and over other gradients",
    gpuScript: async ({ allocate, prepare, device }) => {
      const memory = allocate([tensor([30, 40])]);
      const other = allocate([tensor([6, 8])]);
      const loose = prepare(memory.gradients, clipByGlobalNorm(5));
      const tight = prepare(memory.gradients, clipByGlobalNorm(0.5));
      const apart = prepare(other.gradients, clipByGlobalNorm(1));
      const encoder = device.createCommandEncoder();
      for (const clip of [loose, apart, tight]) clip.encode(encoder);
      device.queue.submit([encoder.finish()]);
      same((await loose.report()).norm, 50, "norm of the first");
      same((await apart.report()).norm, 10, "norm of the other");
      near((await tight.report()).norm, 5, 4, "norm of the second");
    },
  },
  {
    name: "typed arrays on a clipper that has a device",
    gpuScript: async ({ prepare }) => {
      const gradients = new Float32Array([3, 4]);
      const clip = prepare([gradients], clipByGlobalNorm(1));
      clip.run();
      same((await clip.report()).norm, 5, "norm");
      near(gradients[0], 0.6, 2, "3", MIN_NORMAL);
    },
  },
  {
    name: "the record can be bound as storage, as uniform, and copied",
    gpuScript: async ({ allocate, prepare }) => {
      const clip = prepare(allocate([tensor([3, 4])]).gradients);
      const { usage, size } = recordOf(clip);
      const needed = STORAGE | 0x40 | COPY_SRC;
      same(usage & needed, needed, "usage");
      same(size >= RECORD_BYTES, true, `at least ${RECORD_BYTES} bytes`);
    },
  },
];
