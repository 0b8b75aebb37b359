/** jax-js in training, in Node and in a page: with gradclip and with its own operations. */
import {
  blockUntilReady,
  defaultDevice,
  getWebGPUDevice,
  init,
  type JsTree,
  numpy as np,
  tree,
  valueAndGrad,
} from "@jax-js/jax";
import { clipUpdates, type GradientTransformation } from "../../src/adapters/jax.ts";
import { clipByGlobalNorm } from "../../src/index.ts";
import { Counter, type Counts } from "./counter.ts";
import { examples, initialWeights, inputs, learningRate, maxNorm, type Trained, type Training, units } from "./task.ts";

export type Arrays = Record<string, np.Array>;

let counter: Counter | undefined;

/** The counter of jax-js's device, which is wrapped once. */
export function counterOfDevice(): Counter {
  counter ??= new Counter(getWebGPUDevice());
  return counter;
}

export async function use(backend: "webgpu" | "wasm" | "cpu"): Promise<void> {
  const available = await init(backend);
  if (!available.includes(backend)) throw new Error(`jax-js has no ${backend} here.`);
  defaultDevice(backend);
}

export function upload(seed?: number): Arrays {
  return Object.fromEntries(initialWeights(seed).map(({ name, shape, values }) => [name, np.array(values, { shape })]));
}

export async function valuesOf(updates: Arrays): Promise<Record<string, number[]>> {
  const read = Object.entries(updates).map(async ([name, array]) => [name, [...(await array.data())]]);
  return Object.fromEntries(await Promise.all(read));
}

function loss(weights: Arrays, x: np.Array, y: np.Array): np.Array {
  let activations = x;
  units.forEach((_, i) => {
    const { [`kernel${i}`]: kernel, [`bias${i}`]: bias } = weights as Record<string, np.Array>;
    const sums = np.add(np.matmul(activations, kernel as np.Array), bias as np.Array);
    activations = i === units.length - 1 ? sums : np.tanh(sums);
  });
  return np.mean(np.square(np.subtract(activations, y)));
}

function batch(): [np.Array, np.Array] {
  const { x, y } = examples();
  return [np.array(x, { shape: [y.length, inputs] }), np.array(y, { shape: [y.length, 1] })];
}

/** Optax's chain: each part takes the updates of the part before, and keeps its own state. */
export function chain(...parts: GradientTransformation[]): GradientTransformation {
  return {
    init(params) {
      const states = parts.map((part) => part.init(tree.ref(params)));
      tree.dispose(params);
      return states;
    },
    update(updates, state, params) {
      let passed = updates;
      const states = parts.map((part, i) => {
        const [next, nextState] = part.update(
          passed,
          (state as JsTree<np.Array>[])[i] ?? [],
          params && tree.ref(params),
        );
        passed = next;
        return nextState;
      });
      tree.dispose(params);
      return [passed, states];
    },
  };
}

/** The work of a transformation's `update`; consumes the gradients. */
export type Clipping = (gradients: Arrays) => Arrays;

/** As Optax does it, by the operations that jax-js has. */
export function clipByOperations(gradients: Arrays): Arrays {
  const squares = Object.values(gradients).map((gradient) => np.sum(np.square(gradient.ref)));
  const norm = np.sqrt(squares.reduce((sum, square) => np.add(sum, square)));
  const isSmall = np.less(norm.ref, maxNorm);
  const entries = Object.entries(gradients).map(([name, gradient]) => {
    const clipped = np.multiply(np.divide(gradient.ref, norm.ref), maxNorm);
    return [name, np.where(isSmall.ref, gradient, clipped)];
  });
  tree.dispose([norm, isSmall]);
  return Object.fromEntries(entries);
}

const gradientsOf = valueAndGrad(loss);

function descend(weights: Arrays, updates: Arrays): Arrays {
  return tree.map((w: np.Array, u: np.Array) => np.subtract(w, np.multiply(u, learningRate)), weights, updates);
}

async function train(clip: Clipping, steps: number): Promise<Trained> {
  let weights = upload();
  const [x, y] = batch();
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const [loss, gradients] = gradientsOf(tree.ref(weights), x.ref, y.ref);
    weights = descend(weights, clip(gradients as Arrays));
    losses.push((await loss.data())[0] as number);
  }
  tree.dispose([x, y]);
  const values = await Promise.all(Object.values(weights).map((weight) => weight.data()));
  return { losses, weights: values.flatMap((data: ArrayLike<number>) => [...Array.from(data)]) };
}

/**
 * The same task three times: clipped by gradclip, by the engine's own operations, and not at all. jax-js's cpu interprets each
 * element: its weights are compared with those that wasm has, in a tenth of the time.
 */
export async function trainOn(backend: "webgpu" | "wasm" | "cpu", steps: number): Promise<Training> {
  await use(backend);
  const transformation = clipUpdates(clipByGlobalNorm(maxNorm));
  const gradclip = await train((gradients) => transformation.update(gradients, [])[0], steps);
  const report = await transformation.report();
  transformation.destroy();
  if (backend === "cpu") await use("wasm");
  return { gradclip, operations: await train(clipByOperations, steps), none: await train((g) => g, steps), report };
}

/** The counts of clipping when everything is compiled, up to its submits. */
export async function countClipping(clip: Clipping, gradients: () => Arrays): Promise<Counts> {
  const counts: Counts[] = [];
  for (let i = 0; i < 3; i++) {
    const given = gradients();
    await blockUntilReady(given);
    counts.push(
      counterOfDevice().of(() => {
        const clipped = clip(given);
        for (const array of Object.values(clipped)) array.ref.gpuBufferSync();
        tree.dispose(clipped);
      }),
    );
  }
  return counts.at(-1) as Counts;
}
