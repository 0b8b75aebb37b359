/** A step that is skipped leaves weights and moments of TensorFlow.js's optimizers as they were, to the bit. */
import "./support/navigatorGpu.ts";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test, vi } from "vitest";
import { clipTogether, withClipping } from "../src/adapters/tfjs.ts";
import { clipByGlobalNorm } from "../src/index.ts";
import { expectNear, expectSteadyMemory } from "./adapters/expect.ts";
import { onTfjs, tfjsBackends, withFewBuffersOnTfjs } from "./adapters/onTfjs.ts";
import { type Kind, optimizers, trainWith } from "./adapters/skipping.ts";
import { counterOfBackend, flush, Idle } from "./adapters/tfjs.ts";
import { refused } from "./support/refused.ts";

withFewBuffersOnTfjs();

const kinds: Kind[] = ["NaN", "good", "spike", "NaN", "good", "good", "spike"];
const goods = kinds.filter((kind) => kind === "good");

describe.each(tfjsBackends)("on %s", (backend) => {
  onTfjs(backend);

  test.each(Object.keys(optimizers))("a skipped step of %s changes no bit", async (name) => {
    const { after, totals, iterations, savedIterations, memory } = await trainWith(name, kinds);
    const without = await trainWith(name, goods);
    expect(totals).toMatchObject({ steps: 7, skippedSteps: 4, spikeSteps: 2, nonFiniteSteps: 2 });
    let good = 0;
    for (const [step, kind] of kinds.entries()) {
      if (kind === "good") good += 1;
      // Before the first good step the slots are there already, with what they begin with.
      if (good > 0) expect(after[step]).toEqual(without.after[good - 1]);
    }
    expect(after[1]).not.toEqual(after[4]);
    if (name !== "adamax") expect([iterations, savedIterations]).toEqual([7, 3]);
    // The slots are made in the first step, and nothing after that.
    expectSteadyMemory(memory);
  });

  test("without it the moments move the weights", async () => {
    const step = ["good", "NaN"] as const;
    const [good, zeros] = (await trainWith("adam", step, { nonFinite: "zero" })).after;
    expect(zeros?.[0]).not.toEqual(good?.[0]);
    const [kept, after] = (await trainWith("adam", step, { keepOnSkip: true })).after;
    expect(after).toEqual(kept);
  });

  test("a checkpoint counts the steps that were applied, after it was loaded too", async () => {
    const w = tf.variable(tf.tensor([1, 2]));
    const [first, second] = [0, 1].map(() =>
      withClipping(tf.train.adam(0.1), clipByGlobalNorm(1), { keepOnSkip: true }),
    );
    const step = (value: number, on = first) => on?.applyGradients([{ name: w.name, tensor: tf.tensor([value, 1]) }]);
    const iterationsOf = async (one = first) => (await one?.getWeights())?.[0]?.tensor.data();
    for (const value of [Number.NaN, 1, 2]) step(value);
    const before = [...(await w.data())];
    const saved = (await first?.getWeights()) as NonNullable<Awaited<ReturnType<tf.Optimizer["getWeights"]>>>;
    expect(await saved[0]?.tensor.data()).toEqual(new Int32Array([2]));
    const loadInto = (one = first) =>
      one?.setWeights(saved.map(({ name, tensor }) => ({ name, tensor: tensor.clone() })));
    await loadInto(second);
    step(3);
    const wanted = [...(await w.data())];
    w.assign(tf.tensor(before));
    step(Number.NaN, second);
    step(3, second);
    expectNear(await w.data(), wanted, 1e-4);
    expect(second?.iterations).toBe(4);
    expect(await iterationsOf(second)).toEqual(new Int32Array([3]));
    // The first has skipped a step before it is loaded.
    await loadInto(first);
    expect(await iterationsOf()).toEqual(new Int32Array([2]));
    for (const value of [Number.NaN, 3]) step(value);
    expect(await iterationsOf()).toEqual(new Int32Array([3]));
    w.dispose();
  });

  test("checkpoints of optimizers that share a norm do so too, until it is disposed", async () => {
    const variables = [tf.variable(tf.tensor([1, 2])), tf.variable(tf.tensor([3]))] as const;
    const optimizers = [tf.train.adam(0.1), tf.train.momentum(0.1, 0.9)] as const;
    const together = clipTogether(optimizers, clipByGlobalNorm(1), { keepOnSkip: true });
    for (const value of [Number.NaN, 1, Number.NaN, 2]) {
      const list = variables.map(({ name, shape }) => ({ name, tensor: tf.fill(shape, value) }));
      together.apply(list, (clipped) => {
        optimizers.forEach((optimizer, i) => {
          optimizer.applyGradients(clipped.slice(i, i + 1));
        });
      });
      tf.dispose(list);
    }
    const savedBy = async (optimizer: tf.Optimizer) => [...(await (await optimizer.saveIterations()).tensor.data())];
    for (const optimizer of optimizers) expect([optimizer.iterations, await savedBy(optimizer)]).toEqual([4, [2]]);
    together.dispose();
    for (const optimizer of optimizers) {
      expect(await savedBy(optimizer)).toEqual([4]);
      expect(Object.keys(optimizer)).not.toContain("saveIterations");
      expect(Object.keys(optimizer)).not.toContain("setWeights");
      optimizer.dispose();
    }
    tf.dispose([...variables]);
  });
});

test("a checkpoint counts the steps of all backends that the training was on", async () => {
  await tf.setBackend("webgpu");
  class Counting extends Idle {
    override applyGradients(given: Parameters<Idle["applyGradients"]>[0]): void {
      super.applyGradients(given);
      this.incrementIterations();
    }
  }
  const optimizer = withClipping(new Counting(), clipByGlobalNorm(1), { keepOnSkip: true });
  for (const backend of ["webgpu", "cpu", "webgpu", "cpu"]) {
    await tf.setBackend(backend);
    const w = tf.variable(tf.tensor([1, 2]));
    for (const value of [Number.NaN, 1]) {
      const tensor = tf.tensor([value, 1]);
      optimizer.applyGradients([{ name: w.name, tensor }]);
      tensor.dispose();
    }
    w.dispose();
  }
  const { numTensors } = tf.memory();
  const { tensor } = await optimizer.saveIterations();
  expect(await tensor.data()).toEqual(new Int32Array([4]));
  tensor.dispose();
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(optimizer.iterations).toBe(8);
  expect((await optimizer.clip.report()).totals).toMatchObject({ steps: 4, skippedSteps: 2 });
});

test("keepOnSkip is a boolean", async () => {
  const make = () => withClipping(new Idle(), clipByGlobalNorm(1), { keepOnSkip: 1 as never });
  await refused(make, TypeError, "withClipping's keepOnSkip is 1; pass true or false.");
});

describe("what it costs on webgpu", () => {
  onTfjs("webgpu");

  test("one dispatch for each variable and moment, four for the verdict, no read", async () => {
    const variables = [[2, 3], [5], []].map((shape) => tf.variable(tf.ones(shape)));
    const reads = (["read", "readSync"] as const).map((name) => vi.spyOn(tf.backend(), name));
    const counts = [false, true].map((keepOnSkip) => {
      const optimizer = withClipping(tf.train.adam(0.1, 0.9, 0.99, 1e-7), clipByGlobalNorm(1), { keepOnSkip });
      const step = () => {
        optimizer.applyGradients(variables.map(({ name, shape }) => ({ name, tensor: tf.ones(shape) })));
        flush();
      };
      step();
      const counted = counterOfBackend().of(step);
      optimizer.dispose();
      return counted;
    });
    const [without, kept] = counts as [(typeof counts)[0], (typeof counts)[0]];
    // Three variables, their six moments, and two powers of beta; the verdict; and TensorFlow.js computes with the powers on the
    // host as long as they are there.
    expect(kept.dispatches - without.dispatches).toBe(11 + 4 + 4);
    for (const read of reads) expect(read).not.toHaveBeenCalled();
    tf.dispose(variables);
  });
});
