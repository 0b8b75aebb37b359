/** Runs the code of docs/engines.md for engines without an adapter. */
import { readFileSync } from "node:fs";
import * as gradclip from "gradclip";
import tgpu, { d } from "typegpu";
import { describe, expect, test } from "vitest";
import { Digits } from "../bench/training/digits.ts";
import { uniformNumbers } from "../bench/training/random.ts";
import { createAdamW, defaultSettings } from "../demo/engine/adamw.ts";
import { type Batch, drawBatch } from "../demo/engine/batch.ts";
import { floatBuffer, readFloats, record } from "../demo/engine/kernel.ts";
import { createBackward, createForward, initialWeights, layers } from "../demo/engine/network.ts";
import { createTrainer } from "../demo/engine/trainer.ts";
import { norm64 } from "./conformance/numbers.ts";
import { device } from "./support/bench.ts";
import { examplesOf } from "./support/examples.ts";
import { largest } from "./support/largest.ts";
import { onnxModel } from "./support/onnx.ts";
import { ortInNode } from "./support/ortInNode.ts";

type Run = (context: Record<string, unknown>, result: string) => Promise<unknown>;

/** The one example of a section. */
function exampleOf(section: string, packages: Record<string, unknown> = {}): Run {
  const examples = examplesOf("docs/engines.md", { gradclip, ...packages }, section);
  expect(examples.length).toBe(1);
  return examples[0] as Run;
}

test("an engine of your own: the example is the trainer of demo/engine", async () => {
  const digits = new Digits(readFileSync(new URL("../bench/training/digits8.bin", import.meta.url)));
  const uniform = uniformNumbers(2);
  const initial = initialWeights(uniform);
  const batches = Array.from({ length: 10 }, () => drawBatch(digits, 32, uniform));

  const weights = layers.map(({ weightCount }, i) => floatBuffer(device, `weights ${i + 1}`, weightCount));
  const forward = await createForward(device, weights, 32);
  const backward = await createBackward(device, forward, weights, 32);
  initial.forEach((values, i) => {
    device.queue.writeBuffer(weights[i] as GPUBuffer, 0, values);
  });
  const context = {
    device,
    gradients: backward.gradients,
    steps: batches.length,
    upload(step: number) {
      device.queue.writeBuffer(forward.inputs, 0, (batches[step] as Batch).inputs);
      device.queue.writeBuffer(backward.targets, 0, (batches[step] as Batch).targets);
    },
    forward: (pass: GPUComputePassEncoder) => record(pass, forward.dispatches),
    backward: (pass: GPUComputePassEncoder) => record(pass, backward.dispatches),
    async makeOptimizer(clipRecord: GPUBuffer) {
      const adamw = await createAdamW(device, weights, backward.gradients, clipRecord, defaultSettings);
      return (pass: GPUComputePassEncoder) => record(pass, adamw.dispatches);
    },
  };
  const report = (await exampleOf("An engine of your own")(context, "report")) as gradclip.ClipReport;

  const clipper = await gradclip.createClipper({ device });
  const trainer = await createTrainer(device, clipper, {
    exampleCount: 32,
    maxNorm: 1,
    historyLength: 1,
    settings: defaultSettings,
  });
  trainer.load(initial);
  for (const batch of batches) trainer.step(batch);
  const { clippedSteps } = await trainer.clip.report();
  expect(report).toMatchObject({ steps: 10, clippedSteps });
  expect(clippedSteps).toBeGreaterThan(0);
  for (const [i, buffer] of weights.entries()) {
    expect(await readFloats(device, buffer)).toEqual(await readFloats(device, trainer.weights[i] as GPUBuffer));
  }
  clipper.destroy();
});

test("TypeGPU: its pipelines and the clip share a pass", async () => {
  const root = tgpu.initFromDevice({ device });
  const rate = 0.5;
  const lengths = [300, 7];
  const floats = (count: number) => d.arrayOf(d.f32, count);
  const buffersOf = () => lengths.map((length) => root.createBuffer(floats(length)).$usage("storage"));
  const [gradients, weights] = [buffersOf(), buffersOf()];
  const targets = lengths.map((length, i) => Array.from({ length }, (_, k) => ((7 * k + i) % 17) / 8 - 1));
  for (const buffer of weights) buffer.write(Array(buffer.dataType.elementCount).fill(0));

  const layout = tgpu.bindGroupLayout({
    kernelGradient: { storage: floats(300), access: "mutable" },
    biasGradient: { storage: floats(7), access: "mutable" },
    kernel: { storage: floats(300), access: "mutable" },
    bias: { storage: floats(7), access: "mutable" },
  });
  const group = root.createBindGroup(layout, {
    kernelGradient: gradients[0] as (typeof gradients)[0],
    biasGradient: gradients[1] as (typeof gradients)[0],
    kernel: weights[0] as (typeof gradients)[0],
    bias: weights[1] as (typeof gradients)[0],
  });
  const pipelineOf = (body: (name: string, gradient: string, i: number) => string) => {
    const main = tgpu.computeFn({ in: { id: d.builtin.globalInvocationId }, workgroupSize: [64] })`{
      if (in.id.x < 300u) { ${body("layout.$.kernel[in.id.x]", "layout.$.kernelGradient[in.id.x]", 0)} }
      if (in.id.x < 7u) { ${body("layout.$.bias[in.id.x]", "layout.$.biasGradient[in.id.x]", 1)} }
    }`.$uses({ layout });
    return root.createComputePipeline({ compute: main }).with(group);
  };
  const context = {
    root,
    kernel: gradients[0],
    bias: gradients[1],
    backward: pipelineOf(
      (weight, gradient, i) => `${gradient} = ${weight} - (f32((7u * in.id.x + ${i}u) % 17u) / 8.0 - 1.0);`,
    ),
    update: pipelineOf((weight, gradient) => `${weight} -= ${rate} * ${gradient};`),
    workgroups: 5,
    steps: 30,
  };
  const report = (await exampleOf("TypeGPU")(context, "report")) as gradclip.ClipReport;

  let clippedSteps = 0;
  const expected = targets.map((values) => values.map(() => 0));
  for (let step = 0; step < 30; step++) {
    const distances = expected.map((values, i) => values.map((value, k) => value - (targets[i]?.[k] as number)));
    const norm = norm64(distances.flat());
    if (norm > 1) clippedSteps++;
    distances.forEach((list, i) => {
      list.forEach((distance, k) => {
        (expected[i] as number[])[k] = (expected[i]?.[k] as number) - (rate * distance) / Math.max(1, norm);
      });
    });
  }
  expect(report).toMatchObject({ steps: 30, clippedSteps });
  expect(clippedSteps).toBeGreaterThan(10);
  expect(clippedSteps).toBeLessThan(30);
  for (const [i, buffer] of weights.entries()) {
    const values = await buffer.read();
    const worst = largest(values.map((value, k) => value - (expected[i]?.[k] as number)));
    expect(worst).toBeLessThan(1e-5);
  }
});

describe("onnxruntime-web", () => {
  // Of half the squared error of x w: the gradient is transposed x times (x w - y).
  const model = onnxModel(
    [
      { op: "MatMul", inputs: ["x", "w"], outputs: ["prediction"] },
      { op: "Sub", inputs: ["prediction", "y"], outputs: ["error"] },
      { op: "Transpose", inputs: ["x"], outputs: ["xT"] },
      { op: "MatMul", inputs: ["xT", "error"], outputs: ["gradient"] },
    ],
    [
      ["x", [2, 3]],
      ["w", [3, 1]],
      ["y", [2, 1]],
    ],
    [["gradient", [3, 1]]],
  );

  test("clips a gradient where the graph left it, step after step", async () => {
    const ort = await ortInNode(device);
    const tensor = (values: number[], dims: number[]) => new ort.Tensor("float32", Float32Array.from(values), dims);
    const feeds = (w: number[]) => ({
      x: tensor([1, 2, 3, 4, 5, 6], [2, 3]),
      w: tensor(w, [3, 1]),
      y: tensor([6, 15], [2, 1]),
    });
    const clipped: number[][] = [];
    const update = async ({ gradient }: Record<string, { getData(): Promise<ArrayLike<number>> }>) => {
      clipped.push(Array.from((await gradient?.getData()) ?? []));
    };
    const batches = [feeds([2, 2, 2]), feeds([0, 0, 0]), feeds([1, 1, 1.01])];
    const context = { model, device, batches, update };
    const run = exampleOf("onnxruntime-web", { "onnxruntime-web/webgpu": ort });
    const report = (await run(context, "report")) as gradclip.ClipReport;

    // x w - y is [6, 15], -[6, 15] and [0.03, 0.06].
    const [far, near] = [
      [66, 87, 108],
      [0.27, 0.36, 0.45],
    ] as [number[], number[]];
    const norm = Math.hypot(...far);
    const wanted = [far.map((g) => g / norm), far.map((g) => -g / norm), near];
    expect(clipped.flat()).toEqual(wanted.flat().map((value) => expect.closeTo(value, 4)));
    expect(report).toMatchObject({ steps: 3, clippedSteps: 2, clipped: false, nonFinite: 0 });
    expect(report.norm).toBeCloseTo(Math.hypot(...near), 4);
  }, 120_000);
});
