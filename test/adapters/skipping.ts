/** Training of TensorFlow.js in which some steps are bad, in Node and in a page. */
import * as tf from "@tensorflow/tfjs-core";
import { withClipping } from "../../src/adapters/tfjs.ts";
import { clipByGlobalNorm, skipAbove } from "../../src/index.ts";

const epsilon = 1e-7;

export const optimizers: Record<string, () => tf.Optimizer> = {
  sgd: () => tf.train.sgd(0.1),
  momentum: () => tf.train.momentum(0.1, 0.9),
  adam: () => tf.train.adam(0.1, 0.9, 0.99, epsilon),
  adamax: () => tf.train.adamax(0.1, 0.9, 0.99, epsilon),
  rmsprop: () => tf.train.rmsprop(0.1, 0.9, 0.5, epsilon, true),
  adagrad: () => tf.train.adagrad(0.1, 0.2),
  adadelta: () => tf.train.adadelta(0.1, 0.9, epsilon),
};

export type Kind = "good" | "NaN" | "spike";
const shapes = [[2, 3], [5], []];
const bad: Record<Kind, number> = { good: 1, NaN: Number.NaN, spike: 1e4 };

/** Every number that the optimizer and its variables hold, by variable, as bits. */
async function bitsOf(optimizer: tf.Optimizer, variables: readonly tf.Variable[]): Promise<number[][]> {
  const slots = Object.values(optimizer).flatMap((value) => (Array.isArray(value) ? value : [value]));
  const all = [...variables, ...slots.map((slot) => slot?.variable ?? slot)].filter(
    (one) => one instanceof tf.Variable,
  );
  const read = await Promise.all(all.map((one: tf.Variable) => one.data<"float32">()));
  return read.map((values) => [...new Uint32Array(values.slice().buffer)]);
}

/** What a backend holds, tensors of no one too: data, and bytes on the GPU. */
export function held(): { data: number; bytes?: number } {
  const { numBytesInGPU } = tf.memory() as { numBytesInGPU?: number };
  return { data: tf.backend().numDataIds(), bytes: numBytesInGPU };
}

/** The bits after each step, and what is held then. */
export async function trainWith(name: string, kinds: readonly Kind[], options?: object) {
  const variables = shapes.map((shape, i) => {
    const size = shape.reduce((product, length) => product * length, 1);
    const values = Float32Array.from({ length: size }, (_, k) => Math.sin(i + k));
    return tf.variable(tf.tensor(values, shape));
  });
  const optimizer = withClipping(
    (optimizers[name] as () => tf.Optimizer)(),
    clipByGlobalNorm(1),
    options ?? { skip: skipAbove(1e3) },
  );
  const after: number[][][] = [];
  const memory: ReturnType<typeof held>[] = [];
  let goods = 0;
  for (const kind of kinds) {
    const list = variables.map(({ name, shape, size }, i) => {
      const values = Float32Array.from({ length: size }, (_, k) => Math.cos(goods + i + 2 * k));
      if (i === 1) values[2] = (values[2] as number) * bad[kind];
      return { name, tensor: tf.tensor(values, shape) };
    });
    if (kind === "good") goods += 1;
    optimizer.applyGradients(list);
    tf.dispose(list);
    after.push(await bitsOf(optimizer, variables));
    memory.push(held());
  }
  const { totals } = await optimizer.clip.report();
  const { iterations } = optimizer;
  const saved = name === "adamax" ? [] : await optimizer.getWeights();
  const savedIterations = (await saved[0]?.tensor.data())?.[0];
  saved[0]?.tensor.dispose();
  optimizer.dispose();
  tf.dispose(variables);
  return { after, totals, iterations, savedIterations, memory };
}
