/**
 * One device and its clippers for all files that import this: they run in one process, one after the other, and so compile each
 * kernel once. See vitest.config.ts, and hooks.ts, which opens it and checks the device after each test.
 */
import { type Clipper, createClipper } from "../../src/index.ts";
import { Workbench } from "./workbench.ts";

export let bench: Workbench;
export let device: GPUDevice;
export let cpu: Clipper;

export async function openBench(given?: GPUDevice): Promise<void> {
  if (bench) return;
  bench = await Workbench.open(given);
  device = bench.device;
  cpu = await createClipper({ backend: "cpu" });
}

export const sides = ["GPU", "CPU"] as const;
export type Side = (typeof sides)[number];

export function clipperOn(side: Side): Clipper {
  return side === "GPU" ? bench.clipper : cpu;
}

/** A gradient's memory with these values. */
export function memoryOn(side: Side, values: number[]): GPUBuffer | Float32Array {
  return side === "GPU" ? bench.buffer(values) : Float32Array.from(values);
}
