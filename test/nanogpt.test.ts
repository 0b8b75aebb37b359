/** "nanogpt" of docs/engines.md: an AdamW on TensorFlow.js that takes the scale as a tensor, as nanogpt's kernel does. */
import "./support/navigatorGpu.ts";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import * as gradclip from "../src/index.ts";
import { expectNear, norm64 } from "./adapters/expect.ts";
import { initialWeights, numbers } from "./adapters/task.ts";
import { counterOfBackend, flush } from "./adapters/tfjs.ts";
import { examplesOf } from "./support/examples.ts";

const [lossScaling, clipNorm, steps] = [128, 5, 20];
const adam = { rate: 0.05, beta1: 0.9, beta2: 0.99, epsilon: 1e-3, weightDecay: 0.01 };
const initial = initialWeights();
const targets = initial.map(({ values }, i) => numbers(50 + i, values.length).map((value) => 0.8 * value));

type ClipScale = (gradients: tf.Tensor[], invLossScaling: number, clipNorm: number) => tf.Tensor;

async function recipe() {
  await tf.setBackend("webgpu");
  const packages = { gradclip, "@tensorflow/tfjs-core": tf };
  const [example] = examplesOf("docs/engines.md", packages, "nanogpt");
  return (await example?.({}, "{ clipScale, clip: () => clip }")) as { clipScale: ClipScale; clip(): gradclip.Clip };
}

/** By the distance from the targets, and with the loss scale, as the gradients of half its square. */
function train64() {
  const weights = initial.map(({ values }) => [...values]);
  const moments = weights.map((layer) => layer.map(() => [0, 0] as [number, number]));
  let clippedSteps = 0;
  for (let step = 1; step <= steps; step++) {
    const gradients = weights.map((layer, i) => layer.map((weight, k) => weight - (targets[i]?.[k] as number)));
    const norm = norm64(gradients);
    if (norm > clipNorm) clippedSteps++;
    gradients.forEach((gradient, i) => {
      gradient.forEach((given, k) => {
        const g = given * Math.min(1, clipNorm / norm);
        const moment = moments[i]?.[k] as [number, number];
        moment[0] = adam.beta1 * moment[0] + (1 - adam.beta1) * g;
        moment[1] = adam.beta2 * moment[1] + (1 - adam.beta2) * g * g;
        const root = Math.sqrt(moment[1] / (1 - adam.beta2 ** step)) + adam.epsilon;
        const layer = weights[i] as number[];
        const weight = layer[k] as number;
        layer[k] = weight - adam.rate * (moment[0] / (1 - adam.beta1 ** step) / root + adam.weightDecay * weight);
      });
    });
  }
  return { weights: weights.flat(), clippedSteps };
}

test("training ends at the weights of float64, and no gradient is written", async () => {
  const { clipScale, clip } = await recipe();
  const weights = initial.map(({ values, shape }) => tf.variable(tf.tensor(values, shape)));
  const moments = initial.map(({ shape }) => [tf.variable(tf.zeros(shape)), tf.variable(tf.zeros(shape))] as const);
  const wanted = initial.map(({ shape }, i) => tf.tensor(targets[i] as Float32Array, shape));
  for (let step = 1; step <= steps; step++) {
    tf.tidy(() => {
      const gradients = weights.map((weight, i) => tf.mul(tf.sub(weight, wanted[i] as tf.Tensor), lossScaling));
      const scaling = tf.slice(clipScale(gradients, 1 / lossScaling, clipNorm), [0], [1]);
      weights.forEach((weight, i) => {
        const g = tf.mul(gradients[i] as tf.Tensor, scaling);
        const [first, second] = moments[i] as (typeof moments)[number];
        first.assign(tf.add(tf.mul(first, adam.beta1), tf.mul(g, 1 - adam.beta1)));
        second.assign(tf.add(tf.mul(second, adam.beta2), tf.mul(tf.square(g), 1 - adam.beta2)));
        const root = tf.add(tf.sqrt(tf.div(second, 1 - adam.beta2 ** step)), adam.epsilon);
        const update = tf.div(tf.div(first, 1 - adam.beta1 ** step), root);
        weight.assign(tf.sub(weight, tf.mul(tf.add(update, tf.mul(weight, adam.weightDecay)), adam.rate)));
      });
    });
  }
  const reference = train64();
  expect(reference.clippedSteps).toBeGreaterThan(4);
  expect(reference.clippedSteps).toBeLessThan(steps - 4);
  const ended = await Promise.all(weights.map((weight) => weight.data()));
  expectNear(
    ended.flatMap((values) => [...values]),
    reference.weights,
    1e-5,
  );
  expect(await clip().report()).toMatchObject({ steps, clippedSteps: reference.clippedSteps, nonFinite: 0 });
  tf.dispose([...weights, ...moments.flat(), ...wanted]);
});

test("a call takes three dispatches in the pass that is open, and nothing else", async () => {
  const { clipScale } = await recipe();
  const gradients = initial.map(({ values, shape }) => tf.tensor(values, shape));
  const counter = counterOfBackend();
  clipScale(gradients, 1, clipNorm).dispose();
  flush();
  const counts = counter.of(() => clipScale(gradients, 1, clipNorm).dispose());
  expect(counts).toMatchObject({ dispatches: 3, submits: 0, writes: 0, buffers: 0, copiedBytes: 0 });
  flush();
  const [first] = await clipScale(gradients, 1, clipNorm).data();
  const [other] = await clipScale(gradients, 1 / lossScaling, clipNorm / (2 * lossScaling)).data();
  expect(other).toBeCloseTo((first as number) / (2 * lossScaling), 6);
  for (const [i, gradient] of gradients.entries()) expect(await gradient.data()).toEqual(initial[i]?.values);
  expect(counter.errors).toEqual([]);
  tf.dispose(gradients);
});
