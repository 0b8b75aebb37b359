/** A test file's device and clippers. Importing this opens them before the file's tests, and checks the device after each. */
import { afterEach, beforeAll } from "vitest";
import { type Clipper, createClipper } from "../../src/index.ts";
import { Workbench } from "./workbench.ts";

export let bench: Workbench;
export let device: GPUDevice;
export let cpu: Clipper;

beforeAll(async () => {
  bench = await Workbench.open();
  device = bench.device;
  cpu = await createClipper({ backend: "cpu" });
});
afterEach(() => bench.tidy());

export const sides = ["GPU", "CPU"] as const;
export type Side = (typeof sides)[number];

export function clipperOn(side: Side): Clipper {
  return side === "GPU" ? bench.clipper : cpu;
}

/** A gradient's memory with these values. */
export function memoryOn(side: Side, values: number[]): GPUBuffer | Float32Array {
  return side === "GPU" ? bench.buffer(values) : Float32Array.from(values);
}
