/** TensorFlow.js in training, in Node and in a page: with gradclip and with its own operations. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-webgpu";
import { type LayersModel, layers, sequential } from "@tensorflow/tfjs-layers";
import { withClipping } from "../../src/adapters/tfjs.ts";
import { clipByGlobalNorm } from "../../src/index.ts";
import { Counter, type Counts } from "./counter.ts";
import { examples, initialWeights, inputs, learningRate, maxNorm, type Trained, type Training, units } from "./task.ts";

let counted: { device: GPUDevice; counter: Counter } | undefined;

/** The counter of the WebGPU backend's device, which is wrapped once. */
export function counterOfBackend(): Counter {
  const { device } = tf.backend() as unknown as { device: GPUDevice };
  if (counted?.device !== device) counted = { device, counter: new Counter(device) };
  return counted.counter;
}

/** Submits the commands that TensorFlow.js has recorded. */
export function flush(): void {
  const gpu = tf.backend() as unknown as Record<string, () => void>;
  for (const name of ["endComputePassEncoder", "ensureCommandEncoderReady", "submitQueue"]) gpu[name]?.();
}

/** An optimizer that only keeps the gradients: only clipping happens. */
export class Idle extends tf.Optimizer {
  static readonly className = "Idle";
  seen: tf.NamedTensorMap = {};

  applyGradients(given: tf.NamedTensorMap | { name: string; tensor: tf.Tensor }[]): void {
    this.release();
    const entries = Array.isArray(given)
      ? given.map(({ name, tensor }) => [name, tensor] as const)
      : Object.entries(given);
    this.seen = Object.fromEntries(entries.flatMap(([name, tensor]) => (tensor ? [[name, tensor.clone()]] : [])));
  }

  async values(): Promise<Record<string, number[]>> {
    const read = Object.entries(this.seen).map(async ([name, tensor]) => [name, [...(await tensor.data())]]);
    return Object.fromEntries(await Promise.all(read));
  }

  release(): void {
    tf.dispose(this.seen);
    this.seen = {};
  }

  getConfig() {
    return {};
  }
}

/** Clipping by the operations that TensorFlow.js has; addN is wrong on WebGPU for more than seven tensors. */
export function clipByOperations(gradients: tf.NamedTensorMap, bound: number): tf.NamedTensorMap {
  return tf.tidy(() => {
    const squares = Object.values(gradients).map((gradient) => tf.sum(tf.square(gradient)));
    const norm = tf.sqrt(tf.sum(tf.stack(squares)));
    const scale = tf.div(bound, tf.maximum(norm, bound));
    return Object.fromEntries(Object.entries(gradients).map(([name, gradient]) => [name, tf.mul(gradient, scale)]));
  });
}

/** Clips by the engine's own operations, wherever `withClipping` would clip. */
function withOperations(optimizer: tf.Optimizer): tf.Optimizer {
  const applyGradients = optimizer.applyGradients.bind(optimizer);
  optimizer.applyGradients = (given) => {
    const gradients = Array.isArray(given) ? Object.fromEntries(given.map((g) => [g.name, g.tensor])) : given;
    const clipped = clipByOperations(gradients, maxNorm);
    applyGradients(clipped);
    tf.dispose(clipped);
  };
  return optimizer;
}

function network(): LayersModel {
  const model = sequential();
  units.forEach((count, i) => {
    const activation = i === units.length - 1 ? ("linear" as const) : ("tanh" as const);
    model.add(layers.dense({ units: count, activation, ...(i === 0 && { inputShape: [inputs] }) }));
  });
  model.setWeights(initialWeights().map(({ values, shape }) => tf.tensor(values, shape)));
  return model;
}

/** An epoch has one batch: it is a step. */
async function train(optimizer: tf.Optimizer, steps: number): Promise<Trained> {
  const model = network();
  model.compile({ optimizer, loss: "meanSquaredError" });
  const [x, y] = batch();
  const options = { epochs: steps, batchSize: y.shape[0], shuffle: false, verbose: 0 } as const;
  const { history } = await model.fit(x, y, options);
  const weights = await Promise.all(model.getWeights().map((weight) => weight.data()));
  model.dispose();
  tf.dispose([x, y]);
  return { losses: history.loss as number[], weights: weights.flatMap((values) => [...values]) };
}

function batch(): [tf.Tensor, tf.Tensor] {
  const { x, y } = examples();
  return [tf.tensor(x, [y.length, inputs]), tf.tensor(y, [y.length, 1])];
}

/** WebGPU: the counts of one step when everything is compiled, up to its submit. */
function countStep(optimizer: tf.Optimizer): Counts {
  const counter = counterOfBackend();
  const model = network();
  const [x, y] = batch();
  const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const step = () => {
    optimizer.minimize(() => tf.losses.meanSquaredError(y, model.predict(x) as tf.Tensor), false, variables);
    flush();
  };
  flush();
  for (let i = 0; i < 3; i++) step();
  const counts = counter.of(step);
  model.dispose();
  tf.dispose([x, y]);
  return counts;
}

const optimizers = {
  gradclip: () => withClipping(sgd(), clipByGlobalNorm(maxNorm)),
  operations: () => withOperations(sgd()),
  none: sgd,
};

function sgd() {
  return tf.train.momentum(learningRate, 0.5);
}

/** The same task three times: clipped by gradclip, by the engine's own operations, and not at all. */
export async function trainOn(backend: string, steps: number): Promise<Training> {
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no ${backend} here.`);
  if (backend === "webgpu") counterOfBackend();
  const optimizer = optimizers.gradclip();
  const gradclip = await train(optimizer, steps);
  const report = await optimizer.clip.report();
  optimizer.dispose();
  return {
    gradclip,
    operations: await train(optimizers.operations(), steps),
    none: await train(optimizers.none(), steps),
    report,
  };
}

export async function countSteps(): Promise<Record<keyof typeof optimizers, Counts>> {
  await tf.setBackend("webgpu");
  const { gradclip, operations, none } = optimizers;
  return { gradclip: countStep(gradclip()), operations: countStep(operations()), none: countStep(none()) };
}
