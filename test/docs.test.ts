import { readdirSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import * as gradclip from "../src/index.ts";
import * as shaders from "../src/shaders.ts";
import { dawn } from "./engines/dawn.mjs";
import { examplesOf } from "./support/examples.ts";

const repository = new URL("../", import.meta.url);
const packages = { gradclip, "gradclip/shaders": shaders };
const STORAGE_COPY = 0x80 | 0x08 | 0x04;
let device: GPUDevice;

beforeAll(async () => {
  const adapter = await (await dawn()).requestAdapter();
  device = (await adapter?.requestDevice()) as GPUDevice;
});

function bufferOf(values: ArrayLike<number>, usage = STORAGE_COPY): GPUBuffer {
  const array = new Float32Array(values);
  const buffer = device.createBuffer({ size: array.byteLength, usage, mappedAtCreation: true });
  new Float32Array(buffer.getMappedRange()).set(array);
  buffer.unmap();
  return buffer;
}

async function read(buffer: GPUBuffer): Promise<number[]> {
  const staging = device.createBuffer({ size: buffer.size, usage: 0x08 | 0x01 });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  return [...new Float32Array(staging.getMappedRange())];
}

test("every page with examples is run: README.md and docs/record.md here, the others in tests of their own", () => {
  const pages = ["README.md", ...readdirSync(new URL("docs", repository)).map((name) => `docs/${name}`)];
  const withCode = pages.filter((page) => examplesOf(page).length > 0);
  expect(withCode.sort()).toEqual([
    "README.md",
    "docs/coming-from.md",
    "docs/engines.md",
    "docs/recipes.md",
    "docs/record.md",
  ]);
});

test("README's example clips two buffers in three steps", async () => {
  const [example] = examplesOf("README.md", packages);
  const kernel = bufferOf([0, 0]);
  const bias = bufferOf([0]);
  const backward = () => {
    device.queue.writeBuffer(kernel, 0, new Float32Array([3, 4]));
    device.queue.writeBuffer(bias, 0, new Float32Array([12]));
  };
  const context = { device, kernel, bias, backward, update: () => {}, steps: 3 };
  const report = (await example?.(context, "report")) as gradclip.ClipReport;
  expect(report).toMatchObject({ norm: 13, clipped: true, nonFinite: 0, maxAbs: 12, steps: 3, clippedSteps: 3 });
  expect(report.scale).toBeCloseTo(1 / 13, 7);
  const clipped = [...(await read(kernel)), ...(await read(bias))];
  expect(Math.hypot(...clipped)).toBeCloseTo(1, 6);
});

describe("the AdamW kernel of docs/record.md", () => {
  const [rate, beta1, beta2, epsilon, decay] = [0.1, 0.9, 0.99, 1e-8, 0.01];

  async function step(gradients: number[], parameters: number[], maxNorm: number) {
    const [example] = examplesOf("docs/record.md", packages);
    const module = (await example?.({ device }, "module")) as GPUShaderModule;
    const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
    const clipper = await gradclip.createClipper({ device });
    const [gradient, parameter] = [bufferOf(gradients), bufferOf(parameters)];
    const moments = bufferOf(Array(2 * gradients.length).fill(0));
    const settings = bufferOf([rate, beta1, beta2, epsilon, decay, 1 - beta1, 1 - beta2, 0], 0x40);
    const clip = clipper.prepare([gradient], gradclip.clipByGlobalNorm(maxNorm), { apply: "record" });
    const buffers = [gradient, parameter, moments, clip.record as GPUBuffer, settings];
    const layout = pipeline.getBindGroupLayout(0);
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    const group = device.createBindGroup({ layout, entries });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    clip.encode(pass);
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(1);
    pass.end();
    device.queue.submit([encoder.finish()]);
    const result = { gradients: await read(gradient), parameters: await read(parameter), moments: await read(moments) };
    clipper.destroy();
    return result;
  }

  test("takes the clipped gradient and leaves the gradient alone", async () => {
    const gradients = [3, 0, 4];
    const parameters = [1, 2, -3];
    const after = await step(gradients, parameters, 1);
    expect(after.gradients).toEqual(gradients);
    gradients.forEach((gradient, i) => {
      const g = gradient / 5;
      const moment1 = (1 - beta1) * g;
      const moment2 = (1 - beta2) * g * g;
      const update = moment1 / (1 - beta1) / (Math.sqrt(moment2 / (1 - beta2)) + epsilon);
      const parameter = parameters[i] as number;
      expect(after.moments[2 * i]).toBeCloseTo(moment1, 6);
      expect(after.moments[2 * i + 1]).toBeCloseTo(moment2, 6);
      expect(after.parameters[i]).toBeCloseTo(parameter - rate * (update + decay * parameter), 5);
    });
  });

  test("leaves parameters and moments alone when a gradient is NaN", async () => {
    const after = await step([3, Number.NaN, 4], [1, 2, -3], 1);
    expect(after.parameters).toEqual([1, 2, -3]);
    expect(after.moments).toEqual([0, 0, 0, 0, 0, 0]);
  });
});
