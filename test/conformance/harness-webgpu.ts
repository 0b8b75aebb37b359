/** The library on GPUBuffers. Usage bits are numbers: GPUBufferUsage is not a global everywhere. */
import { type Clip, type Clipper, createClipper, type Gradients, readRecord } from "../../src/index.ts";
import { contextOf } from "../../src/webgpu/device.ts";
import { answerOf } from "../../src/webgpu/ownDevice.ts";
import { fail } from "./expect.ts";
import { optionsWith } from "./harness.ts";
import { atPrepareAndStep, gradientsOver, initialImages } from "./memory.ts";
import { RECORD_BYTES } from "./record.ts";
import type { Allocation, ForcedPlan, Outcome, Unit, WebGpuHarness } from "./types.ts";

export const MAP_READ = 0x1;
export const COPY_SRC = 0x4;
export const COPY_DST = 0x8;
export const STORAGE = 0x80;

const ERROR_FILTERS = ["validation", "out-of-memory", "internal"] as const;

/** `storageBuffers`: plan as if the device had no more in a stage. WebGPU gives no fewer than its default, which is 8. */
export async function createWebGpuHarness(
  gpu: GPU,
  device: GPUDevice,
  storageBuffers = Infinity,
): Promise<WebGpuHarness> {
  const clipper = await createClipper({ device });
  const context = contextOf(device) ?? fail("the library holds no state for the device");
  const { grid, maxBinding, pipelines, slots: most } = context;
  const slots = Math.min(most, storageBuffers - 1);
  const pipelinesBySlots = new Map([[slots, pipelines]]);
  let forcesBuffers = false;

  const plan = (forced: ForcedPlan) => {
    const { storageBuffers: buffers = slots + 1, ...rest } = forced;
    forcesBuffers = forced.storageBuffers !== undefined;
    if (buffers - 1 > most) fail(`the device has fewer storage buffers than ${buffers}`);
    // A device has one number of slots, so the names of its kernels leave it out. Those without gradients have no slots.
    const slotless = [...pipelines].filter(([name]) => /^(finish|skip)/.test(name));
    const own = pipelinesBySlots.get(buffers - 1) ?? new Map(slotless);
    pipelinesBySlots.set(buffers - 1, own);
    Object.assign(context, { grid, maxBinding, slots: buffers - 1, pipelines: own, ...rest });
  };
  plan({});
  const clips: Clip[] = [];
  const buffersOfCase: GPUBuffer[] = [];

  const bufferOf = (words: Uint32Array, usage: number): GPUBuffer => {
    const buffer = device.createBuffer({ size: words.byteLength, usage, mappedAtCreation: words.length > 0 });
    buffersOfCase.push(buffer);
    if (words.length > 0) {
      new Uint32Array(buffer.getMappedRange()).set(words);
      buffer.unmap();
    }
    return buffer;
  };

  const allocate = (tensors: Unit["tensors"], named?: true): BufferAllocation => {
    const before = initialImages(tensors);
    const buffers = new Map([...before].map(([name, words]) => [name, bufferOf(words, STORAGE | COPY_SRC)]));
    const gradients = gradientsOver({ tensors, named }, (memory) => {
      return buffers.get(memory) ?? fail(`no memory "${memory}"`);
    });
    const read = async () => {
      const contents = await readBuffers([...buffers.values()]);
      return new Map([...buffers.keys()].map((name, index) => [name, contents[index] as Uint32Array]));
    };
    return { gradients, before, buffers, read };
  };

  const prepare = (...values: Parameters<Clipper["prepare"]>): Clip => {
    // The kernel of this method, which no other has, binds one buffer more than the others do: it gets as many gradients.
    const more = values[1]?.name === "clipByValue" ? 1 : 0;
    if (!forcesBuffers) Object.assign(context, { slots: Math.min(most, slots + more) });
    const clip = clipper.prepare(...values);
    clips.push(clip);
    return clip;
  };

  const freeAll = () => {
    for (const clip of clips.splice(0)) clip.destroy();
    for (const buffer of buffersOfCase.splice(0)) buffer.destroy();
  };

  const readBuffers = async (buffers: readonly GPUBuffer[]): Promise<Uint32Array[]> => {
    const total = buffers.reduce((sum, buffer) => sum + buffer.size, 0);
    const staging = device.createBuffer({ size: Math.max(4, total), usage: MAP_READ | COPY_DST });
    const encoder = device.createCommandEncoder();
    let at = 0;
    for (const buffer of buffers) {
      if (buffer.size > 0) encoder.copyBufferToBuffer(buffer, 0, staging, at, buffer.size);
      at += buffer.size;
    }
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(1);
    const words = new Uint32Array(staging.getMappedRange().slice(0));
    staging.destroy();
    at = 0;
    return buffers.map((buffer) => {
      const start = at / 4;
      at += buffer.size;
      return words.subarray(start, at / 4);
    });
  };

  const jobOf = (unit: Unit): Job => {
    const memory = allocate(unit.tensors, unit.named);
    const options = optionsWith(unit.options, (value, byteOffset) => {
      // Before and after it a value that would be seen.
      const words = new Float32Array(byteOffset / 4 + 2).fill(9e8);
      words[byteOffset / 4] = value;
      return bufferOf(new Uint32Array(words.buffer), STORAGE);
    });
    const [atPrepare, atStep] = atPrepareAndStep(unit, memory.gradients);
    return { unit, memory, atStep, clip: prepare(atPrepare, unit.rule.method, options) };
  };

  const execute = async (units: readonly Unit[]): Promise<Outcome[]> => {
    try {
      const jobs = units.map(jobOf);
      await Promise.all(jobs.map(({ clip }) => clip.ready));
      const encoder = device.createCommandEncoder();
      for (const job of jobs) record(job, encoder);
      device.queue.submit([encoder.finish()]);
      return await collect(jobs);
    } finally {
      freeAll();
    }
  };

  const collect = async (jobs: readonly Job[]): Promise<Outcome[]> => {
    // Reports overlap each other and the copies: they must not share anything that this would confuse.
    const pending = Promise.all(jobs.map(({ clip }) => clip.report()));
    const records = readBuffers(jobs.map(({ clip }) => clip.record ?? fail("a clip on WebGPU has no record")));
    const images = readBuffers(jobs.flatMap((job) => (job.unit.reportOnly ? [] : [...job.memory.buffers.values()])));
    const [reports, recordWords, imageWords] = await Promise.all([pending, records, images]);
    let next = 0;
    return jobs.map(({ unit, memory }, index) => {
      const words = recordWords[index] as Uint32Array;
      const bytes = new Uint8Array(words.buffer, words.byteOffset, RECORD_BYTES);
      const decoded = readRecord(bytes, jobs[index]?.clip);
      const common = { report: reports[index] as Outcome["report"], record: bytes, decoded, before: memory.before };
      if (unit.reportOnly) return common;
      const after = new Map([...memory.buffers.keys()].map((name) => [name, imageWords[next++] as Uint32Array]));
      return { ...common, after };
    });
  };

  const harness: WebGpuHarness = {
    backend: "webgpu",
    clipper,
    device,
    allocate,
    prepare,
    release() {
      freeAll();
      plan({});
    },
    execute,
    force: plan,
    bufferOf,
    readBuffers,
    async withDevice(limits, use) {
      const adapter = (await answerOf(gpu.requestAdapter(), "adapter")) ?? fail("no adapter for another device");
      const requiredLimits: Record<string, number> = {};
      for (const [name, wanted] of Object.entries(limits)) {
        const available = (adapter.limits as unknown as Record<string, unknown>)[name];
        if (typeof available !== "number") fail(`the adapter knows no limit ${name}`);
        requiredLimits[name] = Math.min(wanted, available);
      }
      const other = await answerOf(adapter.requestDevice({ requiredLimits }), "device");
      try {
        const another = await createWebGpuHarness(gpu, other, limits.maxStorageBuffersPerShaderStage);
        await withoutErrors(other, () => use(another).finally(another.release));
        another.clipper.destroy();
      } finally {
        other.destroy();
      }
    },
  };
  return harness;
}

type BufferAllocation = Allocation & { readonly buffers: ReadonlyMap<string, GPUBuffer> };

interface Job {
  readonly unit: Unit;
  readonly memory: BufferAllocation;
  readonly atStep?: Gradients;
  readonly clip: Clip;
}

function record({ unit, clip, atStep }: Job, encoder: GPUCommandEncoder): void {
  if (unit.via === "run") {
    clip.run(atStep);
  } else if (unit.via === "pass") {
    const pass = encoder.beginComputePass();
    clip.encode(pass, atStep);
    pass.end();
  } else {
    clip.encode(encoder, atStep);
  }
}

/** Fails on any error that the device reports meanwhile, and on an error scope that was left open or closed too many. */
export async function withoutErrors(device: GPUDevice, work: () => Promise<void>): Promise<void> {
  for (const filter of ERROR_FILTERS) device.pushErrorScope(filter);
  const problems: string[] = [];
  try {
    await work();
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  for (const filter of [...ERROR_FILTERS].reverse()) {
    const error = await popScope(device);
    if (error === "empty") problems.push(`the ${filter} error scope was closed by somebody else`);
    else if (error) problems.push(`${filter} error: ${error.message.slice(0, 500)}`);
  }
  if ((await popScope(device)) !== "empty") problems.push("an error scope was left open");
  if (problems.length > 0) fail(problems.join("; "));
}

async function popScope(device: GPUDevice): Promise<GPUError | null | "empty"> {
  try {
    return await device.popErrorScope();
  } catch {
    return "empty";
  }
}
