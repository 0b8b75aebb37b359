/** A skipped step in jax-js leaves weights and moments as they were, to the bit, and nothing is read back. */
import "./support/navigatorGpu.ts";
import { jit, numpy as np, tree } from "@jax-js/jax";
import { describe, expect, test } from "vitest";
import { clipUpdates, type GradientTransformation, skipUpdates } from "../src/adapters/jax.ts";
import * as gradclip from "../src/index.ts";
import { clipByGlobalNorm, skipAbove } from "../src/index.ts";
import type { Counts } from "./adapters/counter.ts";
import { type Arrays, chain, counterOfDevice, use } from "./adapters/jax.ts";
import { jaxBackends, onJax, withFewBuffersOnJax } from "./adapters/onJax.ts";
import { numbers } from "./adapters/task.ts";
import { examplesOf } from "./support/examples.ts";

withFewBuffersOnJax();

const [rate, beta1, beta2, epsilon] = [0.1, 0.9, 0.99, 1e-3];

/** In a buffer. np.zeros is a constant until it is used, and a kernel with constants may round in another way. */
function zerosLike({ size, shape }: np.Array): np.Array {
  return np.array(new Float32Array(size), { shape });
}

/** As in Optax: the state is the count of steps and both moments. */
const adam: GradientTransformation = {
  init(params) {
    const zeros = () => tree.map(zerosLike, params);
    const state = { count: np.array(Int32Array.of(0, 1)).slice(0), mean: zeros(), square: zeros() };
    tree.dispose(params);
    return state;
  },
  update(updates, state, params) {
    tree.dispose(params);
    const { count, mean, square } = state as unknown as { count: np.Array; mean: Arrays; square: Arrays };
    const steps = np.add(count, 1);
    const mixed = (beta: number) => (old: np.Array, now: np.Array) =>
      np.add(np.multiply(old, beta), np.multiply(now, 1 - beta));
    const next = {
      count: steps,
      mean: tree.map(mixed(beta1), mean, tree.ref(updates) as Arrays),
      square: tree.map(mixed(beta2), square, tree.map((u: np.Array) => np.square(u), updates) as Arrays),
    };
    const power = np.astype(steps.ref, np.float32);
    const corrected = (moment: np.Array, beta: number) =>
      np.divide(moment, np.subtract(1, np.exp(np.multiply(power.ref, Math.log(beta)))));
    const stepOf = (m: np.Array, v: np.Array) =>
      np.multiply(np.divide(corrected(m, beta1), np.add(np.sqrt(corrected(v, beta2)), epsilon)), -rate);
    const result = tree.map(stepOf, tree.ref(next.mean), tree.ref(next.square));
    power.dispose();
    return [result as unknown as typeof updates, next];
  },
};

const momentum: GradientTransformation = {
  init(params) {
    const trace = tree.map(zerosLike, params);
    tree.dispose(params);
    return trace;
  },
  update(updates, state, params) {
    tree.dispose(params);
    const next = tree.map(
      (old: np.Array, now: np.Array) => np.add(np.multiply(old, beta1), now),
      state as Arrays,
      updates as unknown as Arrays,
    );
    const result = tree.map((t: np.Array) => np.multiply(t, -rate), tree.ref(next));
    return [result as unknown as typeof updates, next];
  },
};

const lengths = { kernel: 200, bias: 150 };
/** One is -0: what a skipped step adds must keep it. */
function initial() {
  const bias = numbers(2, lengths.bias);
  bias[0] = -0;
  return { kernel: np.array(numbers(1, lengths.kernel)), bias: np.array(bias) };
}

type Kind = "good" | "NaN" | "spike";

function gradientsOf(seed: number, kind: Kind): Arrays {
  const size = kind === "spike" ? 1e3 : 0.1;
  const kernel = numbers(seed, lengths.kernel).map((value) => value * size);
  if (kind === "NaN") kernel[77] = Number.NaN;
  return { kernel: np.array(kernel), bias: np.array(numbers(seed + 50, lengths.bias).map((value) => value * size)) };
}

async function bitsOf(arrays: unknown): Promise<number[][]> {
  const [leaves] = tree.flatten<np.Array>(arrays as Arrays);
  return Promise.all(
    leaves.map(async (leaf) => {
      const data = (await leaf.ref.data()) as Float32Array;
      return [...new Uint32Array(data.buffer, data.byteOffset, data.length)];
    }),
  );
}

/** The first step is bad too. */
const steps: Kind[] = ["NaN", "good", "good", "spike", "good", "NaN", "good"];
const skip = skipAbove(100);

async function train(inner: GradientTransformation, kinds: readonly Kind[]) {
  const clip = clipUpdates(clipByGlobalNorm(0.5), { skip });
  const optimizer = chain(clip, skipUpdates(inner, clip));
  let weights: Arrays = initial();
  let state = optimizer.init(tree.ref(weights));
  for (const [step, kind] of steps.entries()) {
    if (!kinds.includes(kind)) continue;
    const before = await bitsOf([weights, state]);
    let updates = gradientsOf(step, kind);
    [updates, state] = optimizer.update(updates, state);
    weights = tree.map((w: np.Array, u: np.Array) => np.add(w, u), weights, updates) as Arrays;
    const after = await bitsOf([weights, state]);
    if (kind === "good") expect(after).not.toEqual(before);
    else expect(after, `${kind} in step ${step}`).toEqual(before);
  }
  const report = await clip.report();
  clip.destroy();
  return { bits: await bitsOf([weights, state]), report };
}

describe.each(jaxBackends)("on %s", (backend) => {
  onJax(backend);

  test.each([
    ["adam", adam],
    ["momentum", momentum],
  ])("%s goes on as if a skipped step had not been", async (_, inner) => {
    const { bits, report } = await train(inner, ["good", "NaN", "spike"]);
    expect(report).toMatchObject({ steps: 7, skippedSteps: 3, nonFiniteSteps: 2, spikeSteps: 1 });
    expect(bits).toEqual((await train(inner, ["good"])).bits);
  });

  test("skipped() is of its step, also when it is read after later ones, and an apply step under jit takes it", async () => {
    const clip = clipUpdates(clipByGlobalNorm(0.5), { skip });
    expect(() => clip.skipped()).toThrow("No step was skipped or taken yet; call update first.");
    const apply = jit((weights: Arrays, updates: Arrays, skipped: np.Array) => {
      const next = tree.map(
        (w: np.Array, u: np.Array) => np.where(skipped.ref, w.ref, np.subtract(w, np.multiply(u, rate))),
        weights,
        updates,
      ) as Arrays;
      skipped.dispose();
      return next;
    });
    let weights: Arrays = initial();
    const seen: np.Array[] = [];
    for (const [step, kind] of steps.entries()) {
      const before = await bitsOf(weights);
      const [updates] = clip.update(gradientsOf(step, kind), []);
      seen.push(clip.skipped());
      weights = apply(weights, updates, clip.skipped());
      const after = await bitsOf(weights);
      if (kind === "good") expect(after).not.toEqual(before);
      else expect(after, `${kind} in step ${step}`).toEqual(before);
    }
    const values = await Promise.all(seen.map((skipped) => skipped.data()));
    expect(values.map((data: ArrayLike<number>) => Boolean(data[0]))).toEqual(steps.map((kind) => kind !== "good"));
    tree.dispose(weights);
    clip.destroy();
  });
});

test("the example of docs/engines.md skips a step", async () => {
  await use("wasm");
  const packages = { gradclip, "gradclip/jax": { clipUpdates, skipUpdates }, "@jax-js/optax": { chain } };
  const examples = examplesOf("docs/engines.md", packages, "jax-js");
  expect(examples.length).toBe(2);
  const optimizer = (await examples[1]?.({ adam }, "optimizer")) as GradientTransformation;
  let state = optimizer.init(initial());
  for (const kind of ["good", "NaN"] as const) {
    const before = await bitsOf(state);
    let updates = gradientsOf(1, kind);
    [updates, state] = optimizer.update(updates, state);
    const isZero = (await bitsOf(updates)).flat().every((bits) => bits === 0x80000000);
    expect([kind, isZero]).toEqual([kind, kind === "NaN"]);
    if (kind === "NaN") expect(await bitsOf(state)).toEqual(before);
    tree.dispose(updates);
  }
  tree.dispose(state);
});

describe("what it costs on WebGPU", () => {
  onJax("webgpu");

  test("nothing is left of a step, skipped or not", async () => {
    const clip = clipUpdates(clipByGlobalNorm(0.5), { skip });
    const flags: np.Array[] = [];
    const skipped = () => {
      const flag = clip.skipped();
      flags.push(flag);
      return flag;
    };
    const same: GradientTransformation = { init: () => [], update: (updates, state) => [updates, state] };
    const optimizer = chain(clip, skipUpdates(same, { skipped }));
    let state = optimizer.init({});
    const kept: unknown[] = [];
    for (let step = 0; step < 300; step++) {
      let updates: Arrays = gradientsOf(step, step % 3 === 0 ? "NaN" : "good");
      [updates, state] = optimizer.update(updates, state);
      for (const array of Object.values(updates)) array.ref.gpuBufferSync();
      tree.dispose(updates);
      kept.push(counterOfDevice().storage());
    }
    expect(flags.map(({ refCount }) => refCount)).toEqual(Array(300).fill(0));
    expect(kept[299]).toEqual(kept[150]);
    tree.dispose(state);
    clip.destroy();
  });

  test("with adam", () => {
    const clip = clipUpdates(clipByGlobalNorm(0.5), { skip });
    const ways = { skip: chain(clip, skipUpdates(adam, clip)), zero: chain(clip, adam) };
    const countsOf = (optimizer: GradientTransformation) => {
      let state = optimizer.init(initial());
      const counts = [1, 2, 3].map((step) => {
        const gradients = gradientsOf(step, "good");
        return counterOfDevice().of(() => {
          const [updates, next] = optimizer.update(gradients, state);
          for (const array of tree.flatten<np.Array>([updates, tree.ref(next)])[0]) array.ref.gpuBufferSync();
          state = next;
          tree.dispose(updates);
        });
      });
      tree.dispose(state);
      return counts.at(-1) as Counts;
    };
    const [skipping, zeroing] = [countsOf(ways.skip), countsOf(ways.zero)];
    // A dispatch for each of two updates and five parts of the state, and two for the flag, which one submit copies.
    expect(skipping).toMatchObject({ dispatches: zeroing.dispatches + 9, submits: zeroing.submits + 10 });
    expect([skipping.copiedBytes, zeroing.copiedBytes]).toEqual([4, 0]);
    clip.destroy();
  });
});
