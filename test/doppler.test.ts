/** gradclip/doppler in the training of doppler-gpu: its tests, its training steps against float64, and what it reads. */
import "./support/navigatorGpu.ts";
import * as training from "doppler-gpu/training";
import { AdamOptimizer, crossEntropyLoss, LoraAdapter, clipGradients as own, trainStep } from "doppler-gpu/training";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { createTrainingConfig } from "../node_modules/doppler-gpu/src/config/training-defaults.js";
// @ts-expect-error: these two have no declarations.
import { trainingHarness } from "../node_modules/doppler-gpu/src/experimental/training/suite.js";
// @ts-expect-error
import { createUploadedTensor } from "../node_modules/doppler-gpu/src/experimental/training/tensor-factory.js";
import { getDevice, setDevice } from "../node_modules/doppler-gpu/src/gpu/device.js";
import { readBuffer } from "../node_modules/doppler-gpu/src/memory/buffer-pool.js";
import { clippingBy, type DopplerTensor } from "../src/adapters/doppler.ts";
import * as gradclip from "../src/index.ts";
import { clipByGlobalNorm, measureNorm } from "../src/index.ts";
import { Counter } from "./adapters/counter.ts";
import { planForFewBuffers } from "./adapters/fewBuffers.ts";
import { numbers } from "./adapters/task.ts";
import { bits16From, norm64 } from "./conformance/numbers.ts";
import { examplesOf } from "./support/examples.ts";
import { largest } from "./support/largest.ts";
import { refused } from "./support/refused.ts";

type ClipGradients = typeof own;

/** What doppler-gpu's own modules get in place of its clipping. */
const inside = vi.hoisted(() => ({ clipGradients: undefined as ClipGradients | undefined }));
vi.mock("../node_modules/doppler-gpu/src/experimental/training/clip.js", async (importOriginal) => {
  const original = await importOriginal<{ clipGradients: ClipGradients }>();
  const clipGradients: ClipGradients = (...values) => (inside.clipGradients ?? original.clipGradients)(...values);
  return { clipGradients };
});

let counter: Counter;
beforeAll(async () => {
  await trainingHarness.getGPU();
  counter = new Counter(getDevice() as GPUDevice);
  planForFewBuffers(counter.device);
});

const [tokens, inDim, rank, outDim, alpha] = [16, 5, 3, 3, 6];
const settings = { lr: 0.05, beta1: 0.9, beta2: 0.99, eps: 1e-3, weightDecay: 0.01 };
const maxNorm = 3;
const x = numbers(1, tokens * inDim);
const targets = Uint32Array.from({ length: tokens }, (_, i) => (7 * i + 1) % outDim);

function configOf(bound: number) {
  const training = { optimizer: settings, gradient: { maxNorm: bound }, lossScaling: { enabled: false } };
  return createTrainingConfig({ training } as never);
}

function tensorOf(values: Float32Array | Uint16Array | Uint32Array, shape: number[], dtype: "f32" | "f16" = "f32") {
  return createUploadedTensor(values, dtype, shape, "of the test");
}

async function floatsOf({ buffer }: DopplerTensor, count: number): Promise<number[]> {
  return [...new Float32Array(await readBuffer(buffer)).subarray(0, count)];
}

async function train(clipGradients: ClipGradients, steps: number) {
  const adapter = new LoraAdapter({ inDim, outDim, rank, alpha, dtype: "f32" });
  const model = { forward: adapter.forward.bind(adapter) as never, loraParams: () => [adapter.A, adapter.B] };
  const initial = await weightsOf(adapter);
  const config = configOf(maxNorm);
  const batch = batchOf();
  const options = { crossEntropyLoss: crossEntropyLoss as never, clipGradients, optimizer: new AdamOptimizer(config) };
  const metrics = [];
  for (let step = 0; step < steps; step++) metrics.push((await trainStep(model, batch, config, options)).clipMetrics);
  return { initial, weights: await weightsOf(adapter), metrics };
}

async function weightsOf({ A, B }: LoraAdapter): Promise<number[][]> {
  return [await floatsOf(A, inDim * rank), await floatsOf(B, rank * outDim)];
}

function batchOf() {
  return { input: tensorOf(x, [tokens, inDim]), targets: tensorOf(targets, [tokens]) };
}

/** The same training in float64: the softmax of x A B, cross-entropy, one clipping of both gradients, AdamW. */
function train64([a, b]: number[][], steps: number, bound = maxNorm) {
  const scale = alpha / rank;
  const layers = [[...(a as number[])], [...(b as number[])]] as [number[], number[]];
  const moments = layers.map((layer) => layer.map(() => [0, 0] as [number, number]));
  const norms: number[] = [];
  for (let step = 1; step <= steps; step++) {
    const gradients = gradients64(layers, scale);
    const norm = norm64(gradients.flat());
    norms.push(norm);
    gradients.forEach((gradient, i) => {
      gradient.forEach((given, k) => {
        const g = given * Math.min(1, bound / norm);
        const moment = moments[i]?.[k] as [number, number];
        moment[0] = settings.beta1 * moment[0] + (1 - settings.beta1) * g;
        moment[1] = settings.beta2 * moment[1] + (1 - settings.beta2) * g * g;
        const root = Math.sqrt(moment[1] / (1 - settings.beta2 ** step)) + settings.eps;
        const update = moment[0] / (1 - settings.beta1 ** step) / root;
        const layer = layers[i] as number[];
        layer[k] = (layer[k] as number) - settings.lr * (update + settings.weightDecay * (layer[k] as number));
      });
    });
  }
  return { weights: layers, norms };
}

function gradients64([a, b]: [number[], number[]], scale: number): number[][] {
  const gradientA = a.map(() => 0);
  const gradientB = b.map(() => 0);
  const at = (matrix: ArrayLike<number>, width: number, row: number, column: number) =>
    matrix[row * width + column] as number;
  const range = (count: number) => Array.from({ length: count }, (_, i) => i);
  for (const token of range(tokens)) {
    const down = range(rank).map((r) =>
      range(inDim).reduce((sum, i) => sum + at(x, inDim, token, i) * at(a, rank, i, r), 0),
    );
    const logits = range(outDim).map(
      (o) => scale * range(rank).reduce((sum, r) => sum + (down[r] as number) * at(b, outDim, r, o), 0),
    );
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
    const errors = logits.map((logit, o) => scale * (Math.exp(logit) / total - (o === targets[token] ? 1 : 0)));
    for (const r of range(rank)) {
      for (const o of range(outDim))
        (gradientB[r * outDim + o] as number) += (down[r] as number) * (errors[o] as number);
      const back = errors.reduce((sum, error, o) => sum + error * at(b, outDim, r, o), 0);
      for (const i of range(inDim)) (gradientA[i * rank + r] as number) += at(x, inDim, token, i) * back;
    }
  }
  return [gradientA, gradientB];
}

function furthest(a: number[][], b: number[][]): number {
  return largest(a.flat().map((value, i) => value - (b.flat()[i] as number)));
}

describe("training", () => {
  test("doppler-gpu's own training tests pass with it", async () => {
    let calls = 0;
    const clipGradients = clippingBy();
    inside.clipGradients = async (...values) => {
      calls++;
      return clipGradients(...values);
    };
    for (const name of ["runner-smoke", "train-step-metrics"]) {
      expect(await trainingHarness.runTest(name)).toEqual({ passed: true });
    }
    inside.clipGradients = undefined;
    expect(calls).toBe(4);
    clipGradients.clip.destroy();
  });

  test("20 steps end at the weights of the float64 reference", async () => {
    const clipGradients = clippingBy(clipByGlobalNorm(maxNorm));
    const { initial, weights, metrics } = await train(clipGradients, 20);
    const reference = train64(initial, 20);
    expect(furthest(weights, reference.weights)).toBeLessThan(1e-5);
    expect(furthest((await train(own, 20)).weights, weights), "doppler-gpu's own clipping").toBeLessThan(1e-5);
    const clippedSteps = reference.norms.filter((norm) => norm > maxNorm).length;
    expect(clippedSteps).toBeGreaterThan(5);
    expect(clippedSteps).toBeLessThan(15);
    reference.norms.forEach((norm, step) => {
      const { gradient_norm_unclipped, gradient_norm_clipped, clipped_event_count, total_param_count } =
        metrics[step] ?? {};
      expect((gradient_norm_unclipped as number) / norm).toBeCloseTo(1, 4);
      expect((gradient_norm_clipped as number) / Math.min(norm, maxNorm)).toBeCloseTo(1, 4);
      expect(clipped_event_count).toBe(norm > maxNorm ? 1 : 0);
      expect(total_param_count).toBe(inDim * rank + rank * outDim);
    });
    expect((await clipGradients.clip.report()).totals).toMatchObject({ steps: 20, clippedSteps, skippedSteps: 0 });
    clipGradients.clip.destroy();
  });
});

test("a skipped step changes no bit of weights and moments, the first step too", async () => {
  const adapter = new LoraAdapter({ inDim, outDim, rank, alpha, dtype: "f32" });
  const params = [adapter.A, adapter.B];
  const model = { forward: adapter.forward.bind(adapter) as never, loraParams: () => params };
  const config = configOf(maxNorm);
  const optimizer = new AdamOptimizer(config);
  const clipGradients = clippingBy(clipByGlobalNorm(maxNorm), { skip: gradclip.skipAbove(1e3) });
  const options = { crossEntropyLoss: crossEntropyLoss as never, clipGradients, optimizer };
  const stateNow = async () => {
    const slots = params.flatMap((param) => Object.values(optimizer.state.get(param) ?? {}) as DopplerTensor[]);
    const all = [adapter.A, adapter.B, ...slots] as DopplerTensor[];
    return Promise.all(all.map(async (one) => [...new Uint32Array(await readBuffer(one.buffer))]));
  };
  const step = async (factor: number) => {
    const input = tensorOf(
      x.map((value) => value * factor),
      [tokens, inDim],
    );
    return trainStep(model, { ...batchOf(), input }, config, options);
  };
  const untouched = async (factor: number) => {
    const before = await stateNow();
    const { grads } = await step(factor);
    expect(await stateNow()).toEqual(before);
    // Whoever frees the gradients finds them.
    expect(grads.size).toBe(2);
  };
  await untouched(Number.NaN);
  const begun = await stateNow();
  await step(1);
  expect(await stateNow()).not.toEqual(begun);
  for (const factor of [Number.NaN, 1e6]) await untouched(factor);
  await clipGradients.clip.report();
  const kept = await stateNow();
  await step(1);
  expect(await stateNow()).not.toEqual(kept);
  expect((await clipGradients.clip.report()).totals).toMatchObject({ steps: 5, skippedSteps: 3, spikeSteps: 1 });
  // doppler-gpu counts them.
  expect(optimizer.stepCount).toBe(5);
  clipGradients.clip.destroy();
});

test("a good step after a skipped one is applied, with a parameter that was not there before too", async () => {
  const clipGradients = clippingBy(clipByGlobalNorm(1));
  const appliedOf = async (values: number[][]) => {
    const gradients = gradientsOf(values);
    return (await clipGradients(gradients)).clippedGrads === gradients;
  };
  expect(await appliedOf([[Number.NaN]])).toBe(false);
  expect(await appliedOf([[3], [4]])).toBe(true);
  expect(await appliedOf([[3], [Number.NaN], [4]])).toBe(false);
  expect(await appliedOf([[3], [4]])).toBe(true);
  clipGradients.clip.destroy();
});

/** Tensors of doppler-gpu's pool, whose buffers are longer than the tensors, by their parameters. */
function gradientsOf(values: number[][]): Map<DopplerTensor, DopplerTensor> {
  const tensors = values.map((list): DopplerTensor => tensorOf(Float32Array.from(list), [list.length]));
  return new Map(tensors.map((tensor, i) => [{ ...tensor, label: `w${i}` }, tensor]));
}

function valuesOf(gradients: Map<DopplerTensor, DopplerTensor>): Promise<number[][]> {
  return Promise.all([...gradients.values()].map((tensor) => floatsOf(tensor, tensor.shape[0] as number)));
}

test("a step reads the record or nothing, where doppler-gpu's own clipping reads every gradient", async () => {
  const values = Array.from({ length: 40 }, (_, i) => [...numbers(i, 64)]);
  const countsOf = async (clipGradients: ClipGradients) => {
    await clipGradients(gradientsOf(values) as never, configOf(1));
    const gradients = gradientsOf(values) as never;
    const counts = await counter.during(() => clipGradients(gradients, configOf(1)));
    return { submits: counts.submits, read: counts.copiedBytes };
  };
  expect(await countsOf(clippingBy())).toEqual({ submits: 2, read: 96 });
  expect(await countsOf(clippingBy(undefined, { metrics: false }))).toEqual({ submits: 1, read: 0 });
  expect(await countsOf(own)).toEqual({ submits: 80, read: 40 * 256 });
});

describe("a step", () => {
  test("takes its bound from doppler-gpu's configuration, anew each time", async () => {
    const clipGradients = clippingBy();
    const rows: [config: object | undefined, clipped: number[]][] = [
      [{ training: { gradient: { maxNorm: 2.5 } } }, [1.5, 2]],
      [{ training: { gradientClipping: { maxNorm: 0.5 }, gradient: { maxNorm: 2.5 } } }, [0.3, 0.4]],
      [{ training: { gradient: { maxNorm: 0 } } }, [3, 4]],
      [undefined, [3, 4]],
    ];
    for (const [config, clipped] of rows) {
      const gradients = gradientsOf([[3], [4]]);
      const metrics = await clipGradients(gradients, config);
      expect(metrics.clippedGrads).toBe(gradients);
      expect((await valuesOf(gradients)).flat()).toEqual(clipped.map((value) => expect.closeTo(value, 6)));
      const norm = expect.closeTo(Math.hypot(...clipped), 6);
      expect(metrics).toMatchObject({ gradient_norm_unclipped: 5, gradient_norm_clipped: norm, total_param_count: 2 });
      expect(metrics.clipped_event_count).toBe(clipped[0] === 3 ? 0 : 1);
    }
    clipGradients.clip.destroy();
  });

  test("tells the norm of what is applied, with a factor and after a skip too", async () => {
    const options = { gradScale: 0.5, skip: gradclip.skipAbove(100) };
    const clipGradients = clippingBy(clipByGlobalNorm(1), options);
    const told = async (...values: number[]) => {
      const gradients = gradientsOf(values.map((value) => [value]));
      const { gradient_norm_unclipped, gradient_norm_clipped } = await clipGradients(gradients);
      const applied = Math.hypot(...(await valuesOf(gradients)).flat());
      expect(gradient_norm_clipped).toBeCloseTo(applied, 6);
      return [gradient_norm_unclipped, applied];
    };
    expect(await told(6, 8)).toEqual([5, expect.closeTo(1, 6)]);
    expect(await told(0.6, 0.8)).toEqual([0.5, expect.closeTo(0.5, 6)]);
    expect(await told(600, 800)).toEqual([500, 0]);
    clipGradients.clip.set({ maxNorm: 2, gradScale: 0.25 });
    expect(await told(60, 80)).toEqual([25, expect.closeTo(2, 6)]);
    clipGradients.clip.destroy();

    const each = clippingBy(gradclip.clipByNorm(5), { gradScale: 0.5 });
    // Norms of their own: nothing is clipped, and then something is, by more than one factor.
    expect(await each(gradientsOf([[6], [8]]))).toMatchObject({ gradient_norm_clipped: 5 });
    expect(await each(gradientsOf([[6], [80]]))).toMatchObject({ gradient_norm_clipped: null });
    each.clip.destroy();
  });

  test("keeps the bound that was set, whatever the configuration says", async () => {
    const clipGradients = clippingBy();
    const normOf = async () => (await clipGradients(gradientsOf([[3], [4]]), configOf(2.5))).gradient_norm_clipped;
    expect(await normOf()).toBeCloseTo(2.5, 6);
    clipGradients.clip.set({ gradScale: 1 });
    expect(await normOf()).toBeCloseTo(2.5, 6);
    clipGradients.clip.set({ maxNorm: 0.5 });
    expect(await normOf()).toBeCloseTo(0.5, 6);
    expect(await normOf()).toBeCloseTo(0.5, 6);
    expect((await clipGradients.clip.report()).totals.steps).toBe(4);
    clipGradients.clip.destroy();
  });

  test("with a NaN makes every gradient zero and lets the training go on", async () => {
    const clipGradients = clippingBy(clipByGlobalNorm(1));
    const gradients = gradientsOf([[3, 4], [Number.NaN]]);
    expect(await clipGradients(gradients)).toMatchObject({
      gradient_norm_unclipped: null,
      gradient_norm_clipped: null,
      clipped_event_count: 0,
    });
    expect(await valuesOf(gradients)).toEqual([[0, 0], [0]]);
    expect(await clipGradients.clip.report()).toMatchObject({ steps: 0, totals: { steps: 1, skippedSteps: 1 } });
    expect((await clipGradients.clip.report()).firstNonFinite).toEqual({ index: 1, name: "w1", element: 0 });
    clipGradients.clip.destroy();
  });

  test("clips those that it is told to, by a bound that may change, and skips a spike", async () => {
    const only = (name: string) => name !== "w1";
    const clipGradients = clippingBy(clipByGlobalNorm(1), { only, skip: gradclip.skipAbove(100), metrics: false });
    const clipped = async (values: number[][]) => {
      const gradients = gradientsOf(values);
      expect(await clipGradients(gradients)).toMatchObject({ gradient_norm_unclipped: null, clipped_event_count: 0 });
      return valuesOf(gradients);
    };
    const near = (values: number[][]) => values.map((list) => list.map((value) => expect.closeTo(value, 6)));
    expect(await clipped([[3], [7], [4]])).toEqual(near([[0.6], [7], [0.8]]));
    clipGradients.clip.set({ maxNorm: 2.5 });
    expect(await clipped([[3], [7], [4]])).toEqual(near([[1.5], [7], [2]]));
    expect(await clipped([[300], [7], [4]])).toEqual([[0], [7], [0]]);
    expect(await clipGradients.clip.report()).toMatchObject({ steps: 3, clippedSteps: 2, spikeSteps: 1 });
    expect(clipGradients.clip.lastReport?.steps).toBe(3);
    clipGradients.clip.destroy();
  });

  test("clips float16 in its pooled buffer", async () => {
    const clipGradients = clippingBy(clipByGlobalNorm(1), { gradScale: 0.5 });
    const tensor: DopplerTensor = tensorOf(bits16From("f16", [6, 8, 0, Number.NaN]), [3], "f16");
    await clipGradients(new Map([[tensor, tensor]]));
    const bits = new Uint16Array(await readBuffer(tensor.buffer)).slice(0, 3);
    expect(bits).toEqual(bits16From("f16", [0.6, 0.8, 0]));
    clipGradients.clip.destroy();
  });
});

test("the example of docs/engines.md trains", async () => {
  const packages = { gradclip, "gradclip/doppler": { clippingBy }, "doppler-gpu/training": training };
  const [example] = examplesOf("docs/engines.md", packages, "doppler-gpu");
  const adapter = new LoraAdapter({ inDim, outDim, rank, alpha, dtype: "f32" });
  const model = { forward: adapter.forward.bind(adapter), loraParams: () => [adapter.A, adapter.B] };
  const initial = await weightsOf(adapter);
  const batch = batchOf();
  const norms: number[] = [];
  const log = (norm: number) => norms.push(norm);
  const context = { config: configOf(0), model, batches: [batch, batch, batch], log };
  const report = (await example?.(context, "report")) as gradclip.ClipReport;
  expect(report).toMatchObject({ norm: norms[2], totals: { steps: 3, clippedSteps: 1 } });
  expect(norms).toEqual(train64(initial, 3, 1).norms.map((norm) => expect.closeTo(norm, 4)));
});

describe("refused:", () => {
  test("options that do not exist", async () => {
    const message = /^clippingBy's options has an unknown property "apply"; it takes .* and metrics\.$/;
    await refused(() => clippingBy(undefined, { apply: "record" } as never), TypeError, message);
    const metrics = "yes" as unknown as boolean;
    const wrong = 'clippingBy\'s metrics is the string "yes"; pass true or false.';
    await refused(() => clippingBy(undefined, { metrics }), TypeError, wrong);
  });

  test("methods that clip nothing", async () => {
    await refused(() => clippingBy(measureNorm()), TypeError, /^measureNorm clips nothing; pass /);
  });

  test("a step before doppler-gpu has a device", async () => {
    const device = getDevice();
    setDevice(null);
    const message = "doppler-gpu has no device yet; call its initDevice first.";
    await refused(() => clippingBy()(new Map()), Error, message);
    setDevice(device);
  });
});
