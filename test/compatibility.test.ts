/** A device of compatibility mode, with its limits: every kind of kernel fits them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  adaptiveGradClip,
  type ClipMethod,
  clipByGlobalNorm,
  clipByNorm,
  clipByValue,
  clipPerExample,
} from "../src/index.ts";
import { withFewBuffers } from "./engines/fewBuffers.mjs";
import { COPY_SRC, processGpu, STORAGE, Workbench } from "./support/workbench.ts";

async function compatibilityDevice(): Promise<GPUDevice> {
  const adapter = await (await processGpu()).requestAdapter({ featureLevel: "compatibility" });
  const device = await (adapter as GPUAdapter).requestDevice();
  const { maxUniformBufferBindingSize, maxComputeInvocationsPerWorkgroup, maxStorageBuffersPerShaderStage } =
    device.limits;
  expect([maxUniformBufferBindingSize, maxComputeInvocationsPerWorkgroup, maxStorageBuffersPerShaderStage]).toEqual([
    16_384, 128, 8,
  ]);
  return device;
}

/** One for both tests: it compiles each kernel once. */
let bench: Workbench;
beforeAll(async () => {
  bench = await Workbench.open(withFewBuffers(await compatibilityDevice(), 3));
});
afterAll(() => bench.device.destroy());

const hypot = (values: readonly number[]) => Math.hypot(...values);
const A = [3, 4, 6, 8];
const P = [30, 40, 60, 80];

/** The expected results for [[3, 4], [6, 8]]. */
const methods: [name: string, method: ClipMethod, expected: number[]][] = [
  ["clipByGlobalNorm", clipByGlobalNorm(1), A.map((v) => v / hypot(A))],
  ["clipByNorm along axes", clipByNorm(5, { axes: [1] }), [3, 4, 3, 4]],
  ["adaptiveGradClip", adaptiveGradClip({ clipping: 0.05, axes: [1] }), [1.5, 2, 3, 4]],
  ["clipByValue", clipByValue(5), [3, 4, 5, 5]],
  ["clipPerExample", clipPerExample(5, { examples: 2 }), [6, 8, 6, 8]],
];

test("methods run in compatibility mode", async () => {
  for (const [name, method, expected] of methods) {
    const gradient = bench.buffer(A, { usage: STORAGE | COPY_SRC });
    const parameter = { buffer: bench.buffer(P) };
    const clip = bench.clipper.prepare([{ buffer: gradient, shape: [2, 2], parameter }], method);
    clip.run();
    await clip.report();
    const got = await bench.values(gradient);
    got.forEach((value, i) => {
      expect(value, `${name}, element ${i}`).toBeCloseTo(expected[i] as number, 5);
    });
  }
  await bench.tidy();
});

test("more tensors with units than a dispatch has room for", async () => {
  const count = 175;
  // 8 values of each tensor lie apart: each is a segment.
  const values = Array.from({ length: 8 * count }, (_, i) => (i % 8 < 4 ? (A[i % 8] as number) : 100));
  const buffer = bench.buffer(values);
  const gradients = Array.from({ length: count }, (_, i) => ({ buffer, byteOffset: 32 * i, length: 4, shape: [2, 2] }));
  const clip = bench.clipper.prepare(gradients, clipByNorm(5, { axes: [1] }));
  clip.run();
  await clip.report();
  const half = [3, 4, 3, 4, 100, 100, 100, 100];
  expect(await bench.values(buffer)).toEqual(values.map((_, i) => half[i % 8]));
  await bench.tidy();
});
