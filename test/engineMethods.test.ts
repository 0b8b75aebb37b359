/** In each engine, the methods that need more of a gradient than its values: its shape, or the parameter that it is of. */
import "./support/navigatorGpu.ts";
import { grad, numpy as np, tree } from "@jax-js/jax";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { clipUpdates } from "../src/adapters/jax.ts";
import { withClipping } from "../src/adapters/tfjs.ts";
import { adaptiveGradClip, clipByNorm, clipByValue } from "../src/index.ts";
import { agc64, agcTask } from "./adapters/agc.ts";
import { expectNear, expectTrainingByAgc } from "./adapters/expect.ts";
import { type Arrays, valuesOf } from "./adapters/jax.ts";
import { jaxBackends, onJax, withFewBuffersOnJax } from "./adapters/onJax.ts";
import { idle, onTfjs, tfjsBackends, withFewBuffersOnTfjs } from "./adapters/onTfjs.ts";

withFewBuffersOnTfjs();
withFewBuffersOnJax();

describe.each(tfjsBackends)("gradients of TensorFlow.js on %s", (backend) => {
  onTfjs(backend);

  test("are clipped by value", async () => {
    const optimizer = idle(clipByValue(1));
    optimizer.applyGradients({ kernel: tf.tensor([[0.5, -4]]), bias: tf.tensor([12]) });
    expect(await optimizer.values()).toEqual({ kernel: [0.5, -1], bias: [1] });
    expect(await optimizer.clip.report()).toMatchObject({ clipped: true, maxAbs: 12, steps: 1 });
  });

  test("are clipped along axes", async () => {
    const optimizer = idle(clipByNorm(1, { axes: [0] }));
    const gradient = [3, 0.3, 4, 0.4];
    optimizer.applyGradients({ gradient: tf.tensor(gradient, [2, 2]) });
    expectNear((await optimizer.values()).gradient as number[], [0.6, 0.3, 0.8, 0.4]);
    // As many elements, and other units.
    optimizer.applyGradients({ gradient: tf.tensor(gradient, [1, 4]) });
    expectNear((await optimizer.values()).gradient as number[], [1, 0.3, 1, 0.4]);
    // As many axes and one more.
    optimizer.applyGradients({ gradient: tf.tensor([...gradient, ...gradient], [1, 4, 2]) });
    expectNear((await optimizer.values()).gradient as number[], [1, 0.3, 1, 0.4, 1, 0.3, 1, 0.4]);
  });

  test("are clipped by the norms of their variables", async () => {
    const { clipping, eps, learningRate, steps, x, xShape, y, yShape } = agcTask;
    const kernel = tf.variable(tf.tensor(agcTask.kernel, agcTask.kernelShape));
    const bias = tf.variable(tf.tensor(agcTask.bias));
    const [inputs, wanted] = [tf.tensor<tf.Rank.R2>(x, xShape as [number, number]), tf.tensor(y, yShape)];
    const optimizer = withClipping(tf.train.sgd(learningRate), adaptiveGradClip({ clipping, eps }));
    const loss = () =>
      tf.losses.meanSquaredError(wanted, tf.add(tf.matMul(inputs, kernel as unknown as tf.Tensor2D), bias));
    for (let step = 0; step < steps; step++) optimizer.minimize(loss as () => tf.Scalar, false, [kernel, bias]);
    expectTrainingByAgc({ kernel: [...(await kernel.data())], bias: [...(await bias.data())] });
    expect((await optimizer.clip.report()).steps).toBe(steps);
    optimizer.dispose();
    tf.dispose([kernel, bias, inputs, wanted]);
  });

  test("of x + y are clipped for each variable by its own norm", async () => {
    const [x, y] = [tf.variable(tf.tensor([3, 4])), tf.variable(tf.tensor([0, 1]))];
    const loss = () => tf.div(tf.sum(tf.square(tf.add(x, y))), 2) as tf.Scalar;
    const { grads, value } = tf.variableGrads(loss, [x, y]);
    const optimizer = idle(adaptiveGradClip({ clipping: 0.1 }));
    optimizer.applyGradients(grads);
    const [forX, forY] = Object.values(await optimizer.values()) as [number[], number[]];
    expectNear(forX, agc64([3, 5], [3, 4], 0.1));
    expectNear(forY, agc64([3, 5], [0, 1], 0.1));
    expect([...(await x.data()), ...(await y.data())]).toEqual([3, 4, 0, 1]);
    tf.dispose([grads, value]);
    optimizer.dispose();
  });

  test("within their bounds stay as they are, and need new values only where two variables share them", async () => {
    const names = ["x", "y", "other"];
    const variables = names.map((name) => tf.variable(tf.tensor([3, 4]), true, name));
    const [x, other] = [tf.tensor([1, 2]), tf.tensor([2, 1])];
    const y = x.clone();
    const optimizer = idle(adaptiveGradClip({ clipping: 1 }));
    optimizer.applyGradients({ x, y, other });
    expect(await optimizer.values()).toEqual({ x: [1, 2], y: [1, 2], other: [2, 1] });
    expect(optimizer.seen.other?.dataId === other.dataId).toBe(backend === "webgpu");
    tf.dispose(variables);
    optimizer.dispose();
  });

  test("that have no variable are refused by what compares them with it", () => {
    const optimizer = idle(adaptiveGradClip());
    const variable = tf.variable(tf.tensor([3, 4]));
    const step = (gradient: tf.Tensor) => optimizer.applyGradients({ [variable.name]: gradient });
    expect(() => step(tf.tensor([1]))).toThrow(
      `The gradient "${variable.name}" has shape [1], but its variable has shape [2]; adaptiveGradClip needs`,
    );
    variable.dispose();
    expect(() => step(tf.tensor([1, 2]))).toThrow(TypeError);
    expect(() => step(tf.tensor([1, 2]))).toThrow("has shape [2], but there is no variable of that name");
    expect(optimizer.seen).toEqual({});
  });
});

describe.each(jaxBackends)("updates of jax-js on %s", (backend) => {
  onJax(backend);

  test("are clipped by value", async () => {
    const clip = clipUpdates(clipByValue(1));
    const [clipped] = clip.update({ kernel: np.array([[0.5, -4]]), bias: np.array([12]) }, []);
    expect(await valuesOf(clipped)).toEqual({ kernel: [0.5, -1], bias: [1] });
    expect(await clip.report()).toMatchObject({ clipped: true, maxAbs: 12, steps: 1 });
    clip.destroy();
  });

  test("are clipped along axes", async () => {
    const clip = clipUpdates(clipByNorm(1, { axes: [0] }));
    const gradient = new Float32Array([3, 0.3, 4, 0.4]);
    const [square] = clip.update({ w: np.array(gradient, { shape: [2, 2] }) }, []);
    expectNear((await valuesOf(square)).w as number[], [0.6, 0.3, 0.8, 0.4]);
    // As many elements, and other units.
    const [row] = clip.update({ w: np.array(gradient, { shape: [1, 4] }) }, []);
    expectNear((await valuesOf(row)).w as number[], [1, 0.3, 1, 0.4]);
    clip.destroy();
  });

  test("are clipped by the norms of their params", async () => {
    const { clipping, eps, learningRate, steps, x, xShape, y, yShape, bias, kernel, kernelShape } = agcTask;
    const [inputs, wanted] = [np.array(x, { shape: xShape }), np.array(y, { shape: yShape })];
    const loss = (weights: Arrays) => {
      const outputs = np.add(np.matmul(inputs.ref, weights.kernel as np.Array), weights.bias as np.Array);
      return np.mean(np.square(np.subtract(outputs, wanted.ref)));
    };
    const clip = clipUpdates(adaptiveGradClip({ clipping, eps }));
    let weights: Arrays = { kernel: np.array(kernel, { shape: kernelShape }), bias: np.array(bias) };
    for (let step = 0; step < steps; step++) {
      const gradients = grad(loss)(tree.ref(weights)) as Arrays;
      const [updates] = clip.update(gradients, [], tree.ref(weights));
      const descend = (w: np.Array, u: np.Array) => np.subtract(w, np.multiply(u, learningRate));
      weights = tree.map(descend, weights, updates) as Arrays;
    }
    expect((weights.kernel as np.Array).refCount).toBe(1);
    expectTrainingByAgc((await valuesOf(weights)) as never);
    expect((await clip.report()).steps).toBe(steps);
    tree.dispose([inputs, wanted]);
    clip.destroy();
  });

  test("of x + y are clipped for each of the params by its own norm", async () => {
    const clip = clipUpdates(adaptiveGradClip({ clipping: 0.1 }));
    const loss = (x: np.Array, y: np.Array) => np.multiply(np.sum(np.square(np.add(x, y))), 0.5);
    const params = { x: np.array([3, 4]), y: np.array([0, 1]) };
    const [x, y] = grad(loss, { argnums: [0, 1] })(params.x.ref, params.y.ref) as [np.Array, np.Array];
    const { x: forX, y: forY } = await valuesOf(clip.update({ x, y }, [], params)[0]);
    expectNear(forX as number[], agc64([3, 5], [3, 4], 0.1));
    expectNear(forY as number[], agc64([3, 5], [0, 1], 0.1));
    expect(params.x.refCount).toBe(0);
    clip.destroy();
  });

  test("without their params are refused by what compares them", () => {
    const clip = clipUpdates(adaptiveGradClip());
    const w = np.array([3, 4]);
    const step = (params?: unknown) => () => clip.update({ w }, [], params as never);
    expect(step()).toThrow(TypeError);
    expect(step()).toThrow(
      "params is undefined, but adaptiveGradClip needs them; pass them to update after the state.",
    );
    expect(step({ v: np.array([1, 2]) })).toThrow("but the updates are");
    expect(step({ w: np.array([1, 2, 3]) })).toThrow('The parameter "w" has shape [3], but its update has [2]');
    expect(step({ w: np.array([1, 2], { dtype: np.int32 }) })).toThrow('The parameter "w" is of int32');
    expect(w.refCount).toBe(1);
    tree.dispose(clip.update({ w }, [], { w: np.array([1, 2]) })[0]);
    clip.destroy();
  });
});
