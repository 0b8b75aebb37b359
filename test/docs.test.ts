import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import * as gradclip from "../src/index.ts";
import * as shaders from "../src/shaders.ts";
import { bench, device } from "./support/bench.ts";
import { examplesOf } from "./support/examples.ts";
import { COPY_DST, COPY_SRC, STORAGE } from "./support/workbench.ts";

const repository = new URL("../", import.meta.url);
const packages = { gradclip, "gradclip/shaders": shaders };

function bufferOf(values: ArrayLike<number>, usage = STORAGE | COPY_DST | COPY_SRC): GPUBuffer {
  return bench.buffer(values, { usage });
}

test("every page with examples is run: README.md and docs/record.md here, the others in tests of their own", () => {
  const pages = ["README.md", ...readdirSync(new URL("docs", repository)).map((name) => `docs/${name}`)];
  const withCode = pages.filter((page) => examplesOf(page).length > 0);
  expect(withCode.sort()).toEqual([
    "README.md",
    "docs/choosing-a-bound.md",
    "docs/coming-from.md",
    "docs/engines.md",
    "docs/recipes.md",
    "docs/record.md",
    "docs/troubleshooting.md",
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
  const clipped = [...(await bench.values(kernel)), ...(await bench.values(bias))];
  expect(Math.hypot(...clipped)).toBeCloseTo(1, 6);
});

test("README's line clips an array", async () => {
  const [, example] = examplesOf("README.md", packages);
  const gradient = new Float32Array([3, 4]);
  expect(await example?.({ gradient }, "norm")).toBe(5);
  expect([...gradient]).toEqual([Math.fround(0.6), Math.fround(0.8)]);
});

test("docs/choosing-a-bound.md: a bound that clips one step in ten", async () => {
  const [example] = examplesOf("docs/choosing-a-bound.md", packages);
  const gradient = new Float32Array(1);
  const backward = (step: number) => gradient.set([((7 * step) % 200) + 1]);
  const clip = (await example?.({ device, gradients: [gradient], backward }, "clip")) as gradclip.Clip;
  for (let step = 0; step < 200; step++) {
    backward(step);
    clip.run();
  }
  // The norms are 1 to 200 in some order; the bound is the 181st of them.
  expect(await clip.report()).toMatchObject({ steps: 200, clippedSteps: 19 });
});

test("docs/overview.md: what a report says after two steps", async () => {
  const gradient = new Float32Array([3, Number.NaN]);
  const clip = bench.clipper.prepare([gradient], gradclip.clipByGlobalNorm(1));
  clip.run();
  gradient.set([3, 4]);
  clip.run();
  const report = await clip.report();
  const { norm, scale, clipped, nonFinite, maxAbs, steps, clippedSteps, badStepsInARow } = report;
  const { step, index, element } = report.lastNonFinite ?? {};
  const rows = {
    "`norm`": norm,
    "`scale`": scale.toFixed(1),
    "`clipped`": clipped,
    "`nonFinite`": nonFinite,
    "`maxAbs`": maxAbs,
    "`steps`, `clippedSteps`": `${steps}, ${clippedSteps}`,
    "`skippedSteps`, `nonFiniteSteps`, `spikeSteps`": `${report.skippedSteps}, ${report.nonFiniteSteps}, ${report.spikeSteps}`,
    "`badStepsInARow`": badStepsInARow,
    "`lastNonFinite`": `\`{ step: ${step}, index: ${index}, element: ${element} }\``,
    "`totals`": Object.values(report.totals).join(", "),
  };
  const page = readFileSync(new URL("docs/overview.md", repository), "utf8");
  for (const [names, value] of Object.entries(rows)) expect(page).toContain(`\n| ${names} | ${value} | `);
});

test("docs/troubleshooting.md: where there is no WebGPU, the reason is in its table", async () => {
  const [example] = examplesOf("docs/troubleshooting.md", packages);
  // An engine in another file of the process may have brought one.
  vi.stubGlobal("navigator", undefined);
  const why = await example?.({}, "why");
  vi.unstubAllGlobals();
  expect(why).toBe("no-webgpu");
  const page = readFileSync(new URL("docs/troubleshooting.md", repository), "utf8");
  expect(page).toContain(`| \`${why}\` |`);
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
    const result = {
      gradients: await bench.values(gradient),
      parameters: await bench.values(parameter),
      moments: await bench.values(moments),
    };
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
