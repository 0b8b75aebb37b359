import { classOf, type DeviceClass, isSoftware } from "../src/webgpu/grid.ts";
import { COPY_DST, COPY_SRC, readBuffers } from "./gpu/arena.ts";

/** The machine and the engine of the results. */
export interface Environment {
  readonly engine: string;
  /** The browser, or the program and the processor. */
  readonly agent: string;
  readonly adapter: string;
  readonly deviceClass?: DeviceClass;
  readonly isSoftware?: boolean;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  /** The smallest step of the device's timestamps, in nanoseconds; undefined without timestamps. */
  readonly quantumNs?: number;
  /** The smallest step of the host's clock, in nanoseconds. */
  readonly clockQuantumNs: number;
  readonly cores?: number;
}

const LIMITS = [
  "maxStorageBuffersPerShaderStage",
  "maxStorageBufferBindingSize",
  "maxBufferSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupStorageSize",
] as const;

export async function environmentOf(engine: string, device?: GPUDevice): Promise<Environment> {
  const clockQuantumNs = clockQuantum();
  const { hardwareConcurrency: cores, userAgent: agent } = navigator;
  if (!device) return { engine, agent, adapter: "none", features: [], limits: {}, clockQuantumNs, cores };
  const { adapterInfo, features, limits } = device;
  const names = [adapterInfo.vendor, adapterInfo.architecture, adapterInfo.device, adapterInfo.description];
  return {
    engine,
    agent,
    adapter: names.filter(Boolean).join(" ") || "unnamed adapter",
    deviceClass: classOf(adapterInfo),
    isSoftware: isSoftware(adapterInfo),
    features: [...features].sort(),
    limits: Object.fromEntries(LIMITS.map((name) => [name, limits[name]])),
    quantumNs: await timestampQuantum(device),
    clockQuantumNs,
    cores,
  };
}

/** The smallest non-zero difference between two readings of the clock. */
function clockQuantum(): number {
  let smallest = Infinity;
  for (let i = 0; i < 20; i++) {
    const start = performance.now();
    let now = start;
    while (now === start) now = performance.now();
    smallest = Math.min(smallest, now - start);
  }
  return Math.round(smallest * 1e6);
}

const SAMPLES = 64;

/** The largest power of two that divides all differences between timestamps, or the smallest difference if it is odd. */
async function timestampQuantum(device: GPUDevice): Promise<number | undefined> {
  if (!device.features.has("timestamp-query")) return undefined;
  const queries = device.createQuerySet({ type: "timestamp", count: 2 * SAMPLES });
  const resolved = device.createBuffer({ size: 16 * SAMPLES, usage: 0x200 | COPY_SRC | COPY_DST });
  const encoder = device.createCommandEncoder();
  for (let i = 0; i < SAMPLES; i++) {
    const writes = { querySet: queries, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
    encoder.beginComputePass({ timestampWrites: writes }).end();
  }
  encoder.resolveQuerySet(queries, 0, 2 * SAMPLES, resolved, 0);
  device.queue.submit([encoder.finish()]);
  const [bytes] = await readBuffers(device, [resolved]);
  queries.destroy();
  resolved.destroy();
  const times = [...new BigUint64Array(bytes as ArrayBuffer)].filter((time) => time > 0n);
  if (times.length === 0) return undefined;
  const bits = times.reduce((union, time) => union | time, 0n);
  return Number(bits & -bits);
}
