/** What `optimizer.clip` of TensorFlow.js can do besides reports, and which variables it is about. */
import "./support/navigatorGpu.ts";
import * as tf from "@tensorflow/tfjs-core";
import { layers, loadLayersModel, type Sequential, sequential } from "@tensorflow/tfjs-layers";
import { describe, expect, test } from "vitest";
import { clipTogether, withClipping } from "../src/adapters/tfjs.ts";
import { adaGC, autoClip, clipByGlobalNorm, clipByGroupNorm, clipByNorm, skipAbove, zClip } from "../src/index.ts";
import { clipped64, expectNear } from "./adapters/expect.ts";
import { onTfjs, tfjsBackends, withFewBuffersOnTfjs } from "./adapters/onTfjs.ts";
import { counterOfBackend, Idle } from "./adapters/tfjs.ts";
import { refused } from "./support/refused.ts";

/** One gradient of each name, all values the same. */
function gradientsOf(values: Record<string, number[]>): tf.NamedTensorMap {
  return Object.fromEntries(Object.entries(values).map(([name, numbers]) => [name, tf.tensor(numbers)]));
}

withFewBuffersOnTfjs();

describe.each(tfjsBackends)("the handle on %s", (backend) => {
  onTfjs(backend);

  test("after dispose knows nothing of the steps before", async () => {
    const optimizer = withClipping(new Idle(), autoClip({ percentile: 50 }));
    for (const norm of [5, 7]) optimizer.applyGradients(gradientsOf({ w: [norm] }));
    optimizer.clip.restore(await optimizer.clip.state());
    optimizer.dispose();
    await expect(optimizer.clip.report()).rejects.toThrow("There is no report before the first step");
    expect(new Float64Array(await optimizer.clip.state())[1]).toBe(0);
    optimizer.applyGradients(gradientsOf({ w: [100] }));
    expect(await optimizer.clip.report()).toMatchObject({ norm: 100, totals: { steps: 1, clippedSteps: 0 } });
    optimizer.dispose();
  });

  test("sets a bound before the first step and between steps", async () => {
    const optimizer = withClipping(new Idle(), clipByGlobalNorm(1));
    await refused(() => optimizer.clip.set({ maxNorm: -1 }), RangeError, /^set's maxNorm is -1; /);
    optimizer.clip.set({ maxNorm: 2 });
    optimizer.applyGradients(gradientsOf({ w: [3, 4] }));
    expectNear((await optimizer.values()).w as number[], [1.2, 1.6]);
    optimizer.clip.set({ maxNorm: 0.5, gradScale: 2 });
    optimizer.applyGradients(gradientsOf({ w: [3, 4] }));
    expectNear((await optimizer.values()).w as number[], [0.3, 0.4]);
    expect(await optimizer.clip.report()).toMatchObject({ norm: 10, steps: 2 });
    // They hold for a variable that comes now.
    optimizer.applyGradients(gradientsOf({ v: [0, 0, 4] }));
    expectNear((await optimizer.values()).v as number[], [0, 0, 0.5]);
    expect((await optimizer.clip.report()).norm).toBe(8);
    await refused(() => optimizer.clip.set({ maxNorm: -1 }), RangeError, /^set's maxNorm is -1; /);
    expect(optimizer.clip.lastReport).toMatchObject({ norm: 8 });
    optimizer.dispose();
  });

  test("counts and remembers through all sets of variables that steps reach", async () => {
    const optimizer = withClipping(new Idle(), autoClip({ percentile: 50 }));
    expect(optimizer.clip.lastReport).toBeUndefined();
    optimizer.applyGradients(gradientsOf({ a: [3, 4] }));
    // A name that is new, and one that is absent.
    optimizer.applyGradients(gradientsOf({ b: [0, 0, 10] }));
    // The median of 5, 10 and 20 is 10.
    optimizer.applyGradients(gradientsOf({ a: [12, 16], b: [0, 0, 0] }));
    expectNear((await optimizer.values()).a as number[], [6, 8]);
    const report = await optimizer.clip.report();
    expect(report).toMatchObject({ norm: 20, steps: 3, totals: { steps: 3, clippedSteps: 2 } });
    // Another shape under the same name.
    optimizer.applyGradients(gradientsOf({ a: [Number.NaN], b: [0, 0, 1] }));
    const { firstNonFinite, steps, totals } = await optimizer.clip.report();
    expect({ firstNonFinite, steps, totals }).toMatchObject({
      firstNonFinite: { index: 0, name: "a", element: 0 },
      steps: 1,
      totals: { steps: 4, skippedSteps: 1 },
    });
    optimizer.dispose();
  });

  test("declares a variable that the first step does not reach", async () => {
    const [x, y] = [tf.variable(tf.tensor([3, 4])), tf.variable(tf.tensor([[6], [8]]))];
    const optimizer = withClipping(new Idle(), clipByNorm(1));
    const half = (w: tf.Variable) => tf.div(tf.sum(tf.square(w)), 2) as tf.Scalar;
    optimizer.applyGradients([
      { name: x.name, tensor: tf.tensor([3, 4]) },
      { name: y.name, tensor: undefined as unknown as tf.Tensor },
    ]);
    expect((await optimizer.clip.report()).tensorNorms).toEqual(new Float64Array([5, Number.NaN]));
    optimizer.minimize(() => half(y), false, [x, y].slice(1));
    expect((await optimizer.clip.report()).tensorNorms).toEqual(new Float64Array([Number.NaN, 10]));
    tf.dispose([x, y]);
    optimizer.dispose();
  });

  test("saves a memory, and restores it before the first step or later", async () => {
    const optimizer = withClipping(new Idle(), autoClip({ percentile: 50 }), { skip: skipAbove(1e6) });
    optimizer.applyGradients(gradientsOf({ w: [3, 4] }));
    const saved = await optimizer.clip.state();
    const another = withClipping(new Idle(), autoClip({ percentile: 50 }), { skip: skipAbove(1e6) });
    expect(new Float64Array(await another.clip.state())[1]).toBe(0);
    await refused(() => another.clip.restore(new ArrayBuffer(8)), RangeError, /^The state has 8 bytes, /);
    another.clip.restore(saved);
    expect(await another.clip.state()).toEqual(saved);
    for (const one of [optimizer, another]) {
      one.applyGradients(gradientsOf({ w: [30, 40] }));
      expectNear((await one.values()).w as number[], [16.5, 22]);
    }
    optimizer.clip.restore(saved);
    optimizer.applyGradients(gradientsOf({ w: [30, 40] }));
    expectNear((await optimizer.values()).w as number[], [16.5, 22]);
    // Of a step that was recorded before, nothing comes after it.
    optimizer.applyGradients(gradientsOf({ w: [1000] }));
    optimizer.clip.restore(saved);
    optimizer.applyGradients(gradientsOf({ w: [30, 40] }));
    expectNear((await optimizer.values()).w as number[], [16.5, 22]);
    await refused(() => another.clip.restore(new ArrayBuffer(8)), RangeError, /^The state has 8 bytes, /);
    optimizer.dispose();
    another.dispose();
  });

  test("restores a memory of each norm before the first step", async () => {
    const step = (one: tf.Optimizer, size: number) =>
      one.applyGradients(gradientsOf({ a: [3 * size, 4 * size], b: [6 * size] }));
    for (const method of [adaGC({ warmup: 2 }), zClip({ warmup: 2, per: "tensor" })]) {
      const optimizer = withClipping(new Idle(), method);
      for (const size of [1, 1.1, 0.9]) step(optimizer, size);
      const saved = await optimizer.clip.state();
      const another = withClipping(new Idle(), method);
      const given = new Uint8Array(saved.slice(0));
      another.clip.restore(given);
      given.fill(255);
      expect(await another.clip.state()).toEqual(saved);
      for (const one of [optimizer, another]) step(one, 100);
      const wanted = await optimizer.values();
      expect((wanted.a as number[])[0]).toBeLessThan(100);
      expect(await another.values()).toEqual(wanted);
      await refused(() => another.clip.restore("no" as never), TypeError, /^restore's state is the string "no"; /);
      await refused(() => another.clip.restore(new ArrayBuffer(8)), RangeError, /^The state has 8 bytes, /);
      const wrong = withClipping(new Idle(), method);
      await refused(() => wrong.clip.restore("no" as never), TypeError, /^restore's state is the string "no"; /);
      wrong.clip.restore(new ArrayBuffer(8));
      await refused(() => step(wrong, 1), RangeError, /^The state has 8 bytes, /);
      wrong.clip.restore(saved);
      step(wrong, 100);
      expect(await wrong.values()).toEqual(wanted);
      for (const one of [optimizer, another, wrong]) one.dispose();
    }
  });

  test("a memory that was restored before the first step is the one of that moment", async () => {
    const optimizer = withClipping(new Idle(), autoClip({ percentile: 50 }));
    for (const norm of [5, 7]) optimizer.applyGradients(gradientsOf({ w: [norm] }));
    const saved = await optimizer.clip.state();
    const another = withClipping(new Idle(), autoClip({ percentile: 50 }));
    const given = saved.slice(0);
    another.clip.restore(given);
    new Uint8Array(given).fill(0);
    for (const one of [optimizer, another]) {
      one.applyGradients(gradientsOf({ w: [100] }));
      // The median of 5, 7 and 100.
      expectNear((await one.values()).w as number[], [7]);
      one.dispose();
    }
  });

  test("a value that is undefined leaves the earlier one", async () => {
    const optimizer = withClipping(new Idle(), clipByGlobalNorm(1));
    optimizer.clip.set({ maxNorm: 2 });
    optimizer.clip.set({ maxNorm: undefined, gradScale: 2 });
    for (const _ of [1, 2]) {
      optimizer.applyGradients(gradientsOf({ w: [3, 4] }));
      expectNear((await optimizer.values()).w as number[], [1.2, 1.6]);
      expect((await optimizer.clip.report()).norm).toBe(10);
      optimizer.clip.set({ maxNorm: 2, gradScale: undefined });
    }
    optimizer.dispose();
  });

  test("keeps the curve of norms through the sets of variables that steps reach", async () => {
    const optimizer = withClipping(new Idle(), clipByGlobalNorm(1), { history: 8 });
    expect((await optimizer.clip.history()).norms).toEqual(new Float64Array());
    optimizer.applyGradients(gradientsOf({ a: [3, 4] }));
    optimizer.applyGradients(gradientsOf({ b: [0, 10] }));
    expect((await optimizer.clip.history()).norms).toEqual(new Float64Array([5, 10]));
    optimizer.applyGradients(gradientsOf({ c: [12], b: [0, 5] }));
    expect(await optimizer.clip.history()).toMatchObject({
      steps: new Uint32Array([3]),
      norms: new Float64Array([13]),
    });
    optimizer.dispose();
  });

  test("leaves a step out by its skip rule", async () => {
    const optimizer = withClipping(new Idle(), clipByGlobalNorm(1), { skip: skipAbove(7) });
    optimizer.applyGradients(gradientsOf({ w: [3, 4] }));
    optimizer.applyGradients(gradientsOf({ w: [6, 8] }));
    expect((await optimizer.values()).w).toEqual([0, 0]);
    expect(await optimizer.clip.report()).toMatchObject({ steps: 2, skippedSteps: 1, spikeSteps: 1 });
    optimizer.dispose();
  });

  test("clips some variables only, by name or by variable", async () => {
    const [head, body] = [tf.variable(tf.tensor([1, 2])), tf.variable(tf.tensor([3, 4]))];
    const seen: unknown[] = [];
    for (const only of [
      (name: string, variable?: tf.Variable) => {
        seen.push(variable);
        return name !== head.name;
      },
      (_: string, variable?: tf.Variable) => variable !== head,
    ]) {
      const optimizer = withClipping(new Idle(), clipByGlobalNorm(1), { only });
      for (let step = 0; step < 2; step++) {
        optimizer.applyGradients(gradientsOf({ [head.name]: [30, 40], [body.name]: [6, 8] }));
      }
      const values = await optimizer.values();
      expect(values[head.name]).toEqual([30, 40]);
      expectNear(values[body.name] as number[], [0.6, 0.8]);
      expect(await optimizer.clip.report()).toMatchObject({ norm: 10, maxAbs: 8 });
      optimizer.dispose();
    }
    expect(seen).toEqual([head, body]);
    tf.dispose([head, body]);
  });

  test("clips groups by bounds of their own", async () => {
    const groupOf = (name: string) => (name.startsWith("head") ? "head" : undefined);
    const method = clipByGroupNorm({ head: 0.25 }, { others: 1 });
    const optimizer = withClipping(new Idle(), method, { groupOf });
    optimizer.applyGradients(gradientsOf({ kernel: [3, 0], "head/kernel": [0.3, 0.4], bias: [4] }));
    const values = await optimizer.values();
    expectNear([...(values.kernel as number[]), ...(values.bias as number[])], [0.6, 0, 0.8]);
    expectNear(values["head/kernel"] as number[], [0.15, 0.2]);
    expect((await optimizer.clip.report()).groups?.others?.norm).toBe(5);
    await refused(() => withClipping(new Idle(), method), TypeError, /^clipByGroupNorm needs the group of each /);
    await refused(
      () => withClipping(new Idle(), method, { groupOf: "head" as never }),
      TypeError,
      /^withClipping's groupOf is the string "head"; pass a function/,
    );
    optimizer.dispose();
  });

  test("takes a name that is there twice", async () => {
    const optimizer = withClipping(new Idle(), clipByNorm(1));
    const list = [2, 3].map((value) => ({ name: "w", tensor: tf.tensor([value]) }));
    optimizer.applyGradients(list);
    expect((await optimizer.clip.report()).tensorNorms).toEqual(new Float64Array([2, 3]));
    optimizer.applyGradients([1, 2, Number.NaN].map((value) => ({ name: "w", tensor: tf.tensor([value]) })));
    expect((await optimizer.clip.report()).firstNonFinite?.name).toBe("w (3)");
    optimizer.dispose();

    const groupOf = (name: string) => (name === "w" ? "w" : undefined);
    const inGroups = withClipping(new Idle(), clipByGroupNorm({ w: 1 }, { others: 2 }), { groupOf });
    inGroups.applyGradients([3, 4, 9].map((value, i) => ({ name: i < 2 ? "w" : "b", tensor: tf.tensor([value]) })));
    expect((await inGroups.clip.report()).groups).toMatchObject({ w: { norm: 5 }, others: { norm: 9 } });
    inGroups.dispose();
  });

  test("one norm is for several optimizers", async () => {
    const variables = [tf.variable(tf.tensor([1, 1])), tf.variable(tf.tensor([[1, 1, 1]]))] as const;
    const [kernel, bias] = variables;
    const [slow, fast] = [tf.train.sgd(0.5), tf.train.momentum(1, 0.9)];
    const together = clipTogether([slow, fast]); // By the global norm, to 1.
    const targets = [
      [4, 5],
      [13, 1, 1],
    ];
    const loss = () => {
      const terms = variables.map((w, i) => tf.sum(tf.square(tf.sub(w, tf.tensor(targets[i] as number[])))));
      return tf.div(tf.add(terms[0] as tf.Tensor, terms[1] as tf.Tensor), 2) as tf.Scalar;
    };
    const { grads, value } = tf.variableGrads(loss);
    const list = Object.entries(grads).map(([name, tensor]) => ({ name, tensor }));
    const applied = together.apply(list, (clipped) => {
      slow.applyGradients(clipped.filter(({ name }) => name === kernel.name));
      fast.applyGradients(clipped.filter(({ name }) => name === bias.name));
      return 2;
    });
    expect(applied).toBe(2);
    const [ofKernel, ofBias] = clipped64(
      [
        [-3, -4],
        [-12, 0, 0],
      ],
      1,
    ) as [number[], number[]];
    expectNear(
      [...(await kernel.data())],
      ofKernel.map((g) => 1 - 0.5 * g),
    );
    expectNear(
      [...(await bias.data())],
      ofBias.map((g) => 1 - g),
    );
    expect(await together.clip.report()).toMatchObject({ norm: 13, steps: 1 });
    const ours = () =>
      backend === "webgpu" ? [...counterOfBackend().live.values()].filter((label) => label.startsWith("gradclip")) : [];
    const before = ours().length;
    together.dispose();
    if (backend === "webgpu") expect(ours().length).toBeLessThan(before);
    tf.dispose([grads, value, ...variables]);
  });
});

test("a memory goes on where TensorFlow.js goes", async () => {
  await tf.setBackend("webgpu");
  const optimizer = withClipping(new Idle(), autoClip({ percentile: 50 }));
  const clipped = async (norm: number) => {
    optimizer.applyGradients(gradientsOf({ w: [norm] }));
    return (await optimizer.values()).w;
  };
  for (const norm of [5, 7]) await clipped(norm);
  // Each step is clipped to the median of all norms, on a backend that is new and on one that was left.
  for (const [backend, norm, median] of [
    ["cpu", 100, 7],
    ["webgpu", 100, 53.5],
    ["cpu", 60, 60],
    ["cpu", 80, 70],
  ] as const) {
    const saved = await optimizer.clip.state();
    await tf.setBackend(backend);
    optimizer.clip.restore(saved);
    expect(await optimizer.clip.state()).toEqual(saved);
    expectNear((await clipped(norm)) as number[], [median]);
  }
  expect(new Float64Array(await optimizer.clip.state())[1]).toBe(6);
  optimizer.dispose();
});

test("a model is loaded with the memory that was saved beside it", async () => {
  await tf.setBackend("cpu");
  const example = (size: number) => [tf.tensor([[3, 4]]), tf.tensor([[size]])] as const;
  const method = () => autoClip({ percentile: 50 });
  const model = sequential({ layers: [layers.dense({ units: 1, inputShape: [2], kernelInitializer: "ones" })] });
  const optimizer = withClipping(tf.train.sgd(0.001), method());
  model.compile({ optimizer, loss: "meanSquaredError" });
  for (let step = 0; step < 3; step++) await model.fit(...example(0), { verbose: 0 });
  let artifacts: tf.io.ModelArtifacts = {};
  const handler = tf.io.withSaveHandler(async (saved) => {
    artifacts = saved;
    return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(saved) };
  });
  await model.save(handler, { includeOptimizer: true });
  const memory = await optimizer.clip.state();

  const loaded = (await loadLayersModel(tf.io.fromMemory(artifacts))) as Sequential;
  const again = withClipping(loaded.optimizer, method());
  again.clip.restore(memory);
  for (const [one, ofModel] of [
    [model, optimizer],
    [loaded, again],
  ] as const) {
    await one.fit(...example(-1000), { verbose: 0 });
    // Norms near 70, and this one of 10,000: it is clipped to the median of all.
    expect(await ofModel.clip.report()).toMatchObject({ clipped: true });
  }
  const weights = [model, loaded].map((one) => one.getWeights().flatMap((weight) => [...weight.dataSync()]));
  expect(weights[1]).toEqual(weights[0]);
});
