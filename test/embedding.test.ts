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
import { bench, device } from "./support/bench.ts";
import { counted } from "./support/counted.ts";
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

describe("as in PyTorch", () => {
  const gradientOf = (values: number[]) => bench.buffer(values);
  const clipGradNorm = async () =>
    (await exampleOf("As in PyTorch")({ device }, "clipGradNorm_")) as (
      parameters: { grad: GPUBuffer | null; length: number }[],
      maxNorm: number,
      options?: { normType?: number; errorIfNonfinite?: boolean },
    ) => Promise<number>;

  test("clips to max_norm / (norm + 1e-6), and a parameter without a gradient is left out", async () => {
    const clip = await clipGradNorm();
    const parameters = [
      { grad: gradientOf([3, 4]), length: 2 },
      { grad: null as GPUBuffer | null, length: 1 },
    ];
    expect(await clip(parameters, 5)).toBe(5);
    const first = parameters[0]?.grad as GPUBuffer;
    expect(await bench.values(first)).toEqual([2.9999995, 3.9999993].map(Math.fround));
    Object.assign(parameters[1] as object, { grad: gradientOf([12]) });
    expect(await clip(parameters, 1)).toBeCloseTo(13, 5);
    const values = [...(await bench.values(first)), ...(await bench.values(parameters[1]?.grad as GPUBuffer))];
    expect(values).toEqual([3 / 13, 4 / 13, 12 / 13].map((value) => expect.closeTo(value, 6)));
  });

  test("has normType and errorIfNonfinite", async () => {
    const clip = await clipGradNorm();
    const grad = gradientOf([3, 4]);
    expect(await clip([{ grad, length: 2 }], 2, { normType: Infinity })).toBe(4);
    expect(await bench.values(grad)).toEqual([1.5, 2].map((value) => expect.closeTo(value, 6)));
    const bad = gradientOf([Number.NaN, 1]);
    const act = () => clip([{ grad: bad, length: 2 }], 1, { errorIfNonfinite: true });
    await expect(act()).rejects.toThrow(gradclip.NonFiniteGradientError);
    await expect(clip([{ grad: bad, length: 2 }], 1)).resolves.toBeNaN();
    expect(await bench.values(bad)).toEqual([Number.NaN, Number.NaN]);
  });
});

describe("TypeGPU", () => {
  const rate = 0.5;
  const lengths = { kernel: 300, bias: 7 };
  const Weights = d.struct({ kernel: d.arrayOf(d.f32, lengths.kernel), bias: d.arrayOf(d.f32, lengths.bias) });
  const targetOf = (field: number, k: number) => ((7 * k + field) % 17) / 8 - 1;

  /** The reader's variables: the gradients are the distances of the weights from the target. */
  function setUp() {
    const root = tgpu.initFromDevice({ device });
    const [gradients, weights] = [0, 1].map(() => root.createBuffer(Weights).$usage("storage"));
    if (!gradients || !weights) throw new Error("There are two buffers.");
    const layout = tgpu.bindGroupLayout({
      gradients: { storage: Weights, access: "mutable" },
      weights: { storage: Weights, access: "mutable" },
    });
    const group = root.createBindGroup(layout, { gradients, weights });
    const pipelineOf = (body: (weight: string, gradient: string, field: number) => string) => {
      const lines = Object.entries(lengths).map(([field, length], i) => {
        const [weight, gradient] = ["weights", "gradients"].map((name) => `layout.$.${name}.${field}[in.id.x]`);
        return `if (in.id.x < ${length}u) { ${body(weight as string, gradient as string, i)} }`;
      });
      const main = tgpu.computeFn({ in: { id: d.builtin.globalInvocationId }, workgroupSize: [64] })`{
        ${lines.join("\n")}
      }`.$uses({ layout });
      return root.createComputePipeline({ compute: main }).with(group);
    };
    const backward = pipelineOf(
      (weight, gradient, field) => `${gradient} = ${weight} - (f32((7u * in.id.x + ${field}u) % 17u) / 8.0 - 1.0);`,
    );
    const update = pipelineOf((weight, gradient) => `${weight} -= ${rate} * ${gradient};`);
    return { weights, context: { root, gradients, backward, update, workgroups: 5 } };
  }

  test("its pipelines and the clip share a pass, and a struct holds the gradients", async () => {
    const { weights, context } = setUp();
    const run = exampleOf("TypeGPU", { typegpu: { d } });
    const report = (await run({ ...context, steps: 30 }, "report")) as gradclip.ClipReport;

    let clippedSteps = 0;
    const targets = Object.values(lengths).map((length, i) => Array.from({ length }, (_, k) => targetOf(i, k)));
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
    const { kernel, bias } = await weights.read();
    const trained = [...kernel, ...bias];
    expect(largest(trained.map((value, k) => value - (expected.flat()[k] as number)))).toBeLessThan(1e-5);
  });

  test("a clip in TypeGPU's own pass costs three dispatches, and its pipelines go on after it", async () => {
    const { weights, context } = setUp();
    const { root, gradients, backward, update, workgroups } = context;
    const run = exampleOf("TypeGPU", { typegpu: { d } });
    const gradientsIn = (await run({ ...context, steps: 1 }, "gradientsIn")) as (
      buffer: typeof gradients,
    ) => gradclip.Gradients;
    weights.write({ kernel: Array(lengths.kernel).fill(0), bias: Array(lengths.bias).fill(0) });
    const clipper = await gradclip.createClipper({ device });
    const clip = clipper.prepare(gradientsIn(gradients));
    expect(clip.names).toEqual(["kernel", "bias"]);
    const step = () => {
      const encoder = root["~unstable"].createCommandEncoder();
      const pass = encoder.beginComputePass();
      backward.with(pass).dispatchWorkgroups(workgroups);
      clip.encode(root.unwrap(pass));
      update.with(pass).dispatchWorkgroups(workgroups);
      pass.end();
      encoder.submit();
    };
    expect(counted(device, step)).toMatchObject({ dispatches: 2 + 3, passes: 1, submits: 1, bytesWritten: 0 });
    const targets = Object.values(lengths).flatMap((length, i) => Array.from({ length }, (_, k) => targetOf(i, k)));
    const norm = norm64(targets);
    const { kernel, bias } = await weights.read();
    const wanted = targets.map((target) => (rate * target) / norm);
    expect(largest([...kernel, ...bias].map((value, k) => value - (wanted[k] as number)))).toBeLessThan(1e-6);
    expect((await clip.report()).norm / norm).toBeCloseTo(1, 6);
    clipper.destroy();
  });
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
  });
});
