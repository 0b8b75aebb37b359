import "./support/navigatorGpu.ts";
import * as jax from "@jax-js/jax";
import { grad, jit, numpy as np, tree, vmap } from "@jax-js/jax";
import { describe, expect, test } from "vitest";
import { clipUpdates, type GradientTransformation } from "../src/adapters/jax.ts";
import * as gradclip from "../src/index.ts";
import { autoClip, clipByBlockRms, clipByGlobalNorm, clipByNorm, NonFiniteGradientError, zClip } from "../src/index.ts";
import type { Counter, Counts } from "./adapters/counter.ts";
import { clipped64, expectAllNear, expectNear, expectSteady, expectTraining, norm64 } from "./adapters/expect.ts";
import {
  chain,
  clipByOperations,
  countClipping,
  counterOfDevice,
  trainOn,
  upload,
  use,
  valuesOf,
} from "./adapters/jax.ts";
import { jaxBackends, onJax, withAllBuffersOnJax, withFewBuffersOnJax } from "./adapters/onJax.ts";
import { numbers, transformerShapes } from "./adapters/task.ts";
import { isSoftware } from "./engines/packaged.mjs";
import { examplesOf } from "./support/examples.ts";

withFewBuffersOnJax();

const steps = 20;

describe("training", () => {
  test.each(jaxBackends)("on %s", async (backend) => {
    expectTraining(await trainOn(backend, steps), steps);
  });
});

describe("what clipping costs on WebGPU", () => {
  onJax("webgpu");
  withAllBuffersOnJax();

  test("in a small network", async () => {
    const transformation = clipUpdates(clipByGlobalNorm(0.4));
    const gradclip = await countClipping((gradients) => transformation.update(gradients, [])[0], upload);
    const operations = await countClipping(clipByOperations, upload);
    const compiled = await countClipping(jit(clipByOperations), upload);
    // The six new arrays are written.
    expect(gradclip).toMatchObject({ dispatches: 5, submits: 1, copiedBytes: 0 });
    expect(operations).toMatchObject({ dispatches: 42, submits: 42 });
    expect(compiled).toMatchObject({ dispatches: 13, submits: 13 });
    transformation.destroy();
  });

  test("no command for an empty array, for one that two updates share, and for the most values that are written", async () => {
    const transformation = clipUpdates();
    const most = numbers(1, 65_536);
    const make = () => {
      const shared = np.array([3, 4]);
      return { empty: shared.ref.slice([0, 0]), x: shared.ref, y: shared, most: np.array(most) };
    };
    const counts = await countClipping((gradients) => transformation.update(gradients, [])[0], make);
    // Each command of jax-js has a submit of its own.
    expect(counts).toMatchObject({ submits: 1, copiedBytes: 0 });
    expect((await transformation.report()).norm / norm64([[3, 4], [3, 4], most])).toBeCloseTo(1, 6);
    transformation.destroy();
  });

  test("with 74 arrays", async () => {
    const shapes = transformerShapes();
    const values = shapes.map((shape, i) =>
      numbers(
        i,
        shape.reduce((a, b) => a * b, 1),
      ),
    );
    const make = () => Object.fromEntries(values.map((data, i) => [`w${i}`, np.array(data, { shape: shapes[i] })]));
    const transformation = clipUpdates();
    const gradclip = await countClipping((gradients) => transformation.update(gradients, [])[0], make);
    const operations = await countClipping(clipByOperations, make);
    const compiled = await countClipping(jit(clipByOperations), make);
    const slots = Math.min(counterOfDevice().device.limits.maxStorageBuffersPerShaderStage, 16) - 1;
    const clipping = Math.ceil(74 / slots) + 1 + Math.ceil(74 / Math.floor(slots / 2));
    expect(gradclip).toMatchObject({ dispatches: clipping, submits: 1, copiedBytes: 0 });
    expect(operations).toMatchObject({ dispatches: 519, submits: 519 });
    expect(compiled.submits).toBe(compiled.dispatches);
    // As docs/engines.md says. What jit joins, too, depends on the number of storage buffers.
    if (isSoftware) expect([slots + 1, gradclip.dispatches, compiled.dispatches]).toEqual([12, 23, 156]);
    const [clipped] = transformation.update(make(), []);
    expectAllNear(Object.values(await valuesOf(clipped)), clipped64(values, 1));
    expect((await transformation.report()).norm / norm64(values)).toBeCloseTo(1, 6);
    transformation.destroy();
  });
});

describe.each(jaxBackends)("updates on %s", (backend) => {
  onJax(backend);

  test("go through a chain of transformations", async () => {
    const negate: GradientTransformation = {
      init(params) {
        tree.dispose(params);
        return [];
      },
      update(updates, state, params) {
        tree.dispose(params);
        return [tree.map((u: np.Array) => np.negative(u), updates) as typeof updates, state];
      },
    };
    const clip = clipUpdates(clipByGlobalNorm(1));
    const optimizer = chain(clip, negate);
    const params = { kernel: np.array([1, 2]), bias: np.array([3]) };
    let state = optimizer.init(tree.ref(params));
    for (const scale of [1, 2]) {
      const gradients = { kernel: np.array([3 * scale, 4 * scale]), bias: np.array([12 * scale]) };
      const { kernel } = gradients;
      let updates: typeof params;
      [updates, state] = optimizer.update(gradients, state, tree.ref(params));
      const values = await valuesOf(updates);
      expectNear(values.kernel as number[], [-3 / 13, -4 / 13]);
      expectNear(values.bias as number[], [-12 / 13]);
      expect(kernel.refCount).toBe(0);
      expect(await clip.report()).toMatchObject({ norm: 13 * scale, clipped: true, steps: 1 });
    }
    // What was passed was consumed: the one reference that is left is the one that was kept.
    expect(params.kernel.refCount).toBe(1);
    tree.dispose(params);
    clip.destroy();
  });

  test("of x + y count for both and are each clipped once", async () => {
    const clip = clipUpdates();
    const loss = (x: np.Array, y: np.Array) => np.multiply(np.sum(np.square(np.add(x, y))), 0.5);
    const [x, y] = grad(loss, { argnums: [0, 1] })(np.array([1, 2]), np.array([2, 2])) as [np.Array, np.Array];
    const [clipped] = clip.update({ x, y }, []);
    const [wanted] = clipped64(
      [
        [3, 4],
        [3, 4],
      ],
      1,
    );
    for (const values of Object.values(await valuesOf(clipped))) expectNear(values, wanted as number[]);
    expect((await clip.report()).norm).toBeCloseTo(Math.sqrt(2 * 25), 6);
    clip.destroy();
  });

  test("may be slices, of any length and from anywhere", async () => {
    const clip = clipUpdates();
    const values = numbers(1, 300);
    const whole = np.array(values);
    const matrix = np.array(values, { shape: [20, 15] });
    const updates = {
      beginning: whole.ref.slice([0, 100]),
      longer: whole.ref.slice([0, 200]),
      end: whole.ref.slice([250, 300]),
      column: matrix.slice([], 3),
      whole,
    };
    const column = values.filter((_, i) => i % 15 === 3);
    const given = [values.slice(0, 100), values.slice(0, 200), values.slice(250), column, values];
    const [clipped] = clip.update(updates, []);
    expectAllNear(Object.values(await valuesOf(clipped)), clipped64(given, 1));
    expect((await clip.report()).norm / norm64(given)).toBeCloseTo(1, 6);
    clip.destroy();
  });

  test("that somebody reads later are read as they were", async () => {
    const clip = clipUpdates();
    const gradient = np.add(np.array([1, 2]), np.array([2, 2]));
    const square = np.sum(np.square(gradient.ref));
    const kept = gradient.ref;
    const [clipped] = clip.update({ gradient }, []);
    expect(await kept.data()).toEqual(new Float32Array([3, 4]));
    expect(await square.data()).toEqual(new Float32Array([25]));
    expectNear((await valuesOf(clipped)).gradient as number[], [0.6, 0.8]);
    clip.destroy();
  });

  test("of networks under vmap are clipped each by its own norm", async () => {
    const clip = clipUpdates(clipByGlobalNorm(1, { members: 3 }));
    const gradients = vmap(grad((w: np.Array) => np.multiply(np.sum(np.square(w)), 0.5)));
    const weights = np.array([3, 4, 0.3, 0.4, 6, 8], { shape: [3, 2] });
    const [clipped] = clip.update({ w: gradients(weights) as np.Array }, []);
    expectNear((await valuesOf(clipped)).w as number[], [0.6, 0.8, 0.3, 0.4, 0.6, 0.8]);
    const { memberNorms, clippedMembers } = await clip.report();
    expectNear(memberNorms as Float64Array, [5, 0.5, 10]);
    expect(clippedMembers).toBe(2);
    clip.destroy();
  });

  test.each([clipByGlobalNorm(1), clipByNorm(1), clipByBlockRms(0.1), autoClip(), zClip()])(
    "are measured by $name",
    async (method) => {
      const clip = clipUpdates(method);
      tree.dispose(clip.update({ kernel: np.array([[3, 4]]), bias: np.array([12]) }, [])[0]);
      expect(await clip.report()).toMatchObject({ norm: 13, maxAbs: 12, steps: 1 });
      clip.destroy();
    },
  );

  test("keep the form of their tree, and are named by their paths", async () => {
    const clip = clipUpdates();
    const updates = { layers: [{ kernel: np.array([[1, 2]]), bias: np.array(Number.NaN) }], empty: np.zeros([0, 3]) };
    const [clipped] = clip.update(updates, []);
    expect(clipped.layers[0]?.kernel.shape).toEqual([1, 2]);
    expect(clipped.layers[0]?.bias.shape).toEqual([]);
    expect(clipped.empty.shape).toEqual([0, 3]);
    expect([...(await (clipped.layers[0] as { kernel: np.Array }).kernel.data())]).toEqual([0, 0]);
    const error = await clip.report({ throwIfNonFinite: true }).catch((error) => error);
    expect(error).toBeInstanceOf(NonFiniteGradientError);
    expect(error.report.firstNonFinite).toEqual({ index: 1, name: "layers/0/bias", element: 0 });
    clip.destroy();
  });

  test("of another tree get a clip of their own", async () => {
    const clip = clipUpdates(clipByNorm(1));
    clip.update({ a: np.array([3, 4]) }, []);
    clip.update({ a: np.array([3, 4]), b: np.array([5, 12]) }, []);
    expect((await clip.report()).tensorNorms).toEqual(new Float64Array([5, 13]));
    clip.destroy();
  });
});

test("a step frees what it copied, and destroy what gradclip made", async () => {
  await use("webgpu");
  const counter = counterOfDevice();
  const ours = () => [...counter.live.values()].filter((label) => label.startsWith("gradclip")).length;
  const before = ours();
  const clip = clipUpdates();
  const kept: ReturnType<Counter["storage"]>[] = [];
  for (let step = 0; step < 5; step++) {
    // jax-js keeps freed memory for arrays of the same size, which no other test has.
    const whole = np.array(numbers(step, 2017));
    const [updates] = clip.update({ part: whole.ref.slice([0, 1409]), whole }, []);
    tree.dispose(updates);
    kept.push(counter.storage());
  }
  expect(kept).toEqual(Array(5).fill(kept[0]));
  expect(ours()).toBeGreaterThan(before);
  clip.skipped().dispose();
  clip.destroy();
  expect(ours()).toBe(before);
  expect(() => clip.skipped()).toThrow("No step was skipped or taken yet");
});

test("a thousand steps, each with new arrays, take the same and keep nothing", async () => {
  await use("webgpu");
  const clip = clipUpdates();
  const counter = counterOfDevice();
  const counts: Counts[] = [];
  const kept: ReturnType<Counter["storage"]>[] = [];
  for (let step = 0; step < 1000; step++) {
    const gradients = Object.fromEntries([100, 30, 7].map((length) => [`w${length}`, np.ones([length])]));
    for (const array of Object.values(gradients)) array.ref.gpuBufferSync();
    counts.push(counter.of(() => tree.dispose(clip.update(gradients, [])[0])));
    if (step % 20 === 0) await counter.device.queue.onSubmittedWorkDone();
    kept.push(counter.storage());
  }
  expectSteady(counts, kept);
  expect(await clip.report()).toMatchObject({ steps: 1000, clippedSteps: 1000 });
  clip.destroy();
});

test("the example of docs/engines.md trains a line", async () => {
  await use("wasm");
  const packages = { "@jax-js/jax": jax, gradclip, "gradclip/jax": { clipUpdates } };
  const examples = examplesOf("docs/engines.md", packages, "jax-js");
  const loss = ({ slope }: { slope: np.Array }, x: np.Array, y: np.Array) =>
    np.sum(np.square(np.subtract(np.multiply(slope, x), y)));
  const context = { loss, weights: { slope: np.array([0]) }, x: np.array([1, 2]), y: np.array([3, 6]), steps: 40 };
  const result = (await examples[0]?.(context, "{ report, slope: await weights.slope.data() }")) as {
    report: gradclip.ClipReport;
    slope: Float32Array;
  };
  // The gradient is 10 (slope - 3): clipped to 1, the slope takes steps of 0.1 up to 2.9, and from there one more.
  expect(result.report.steps).toBe(40);
  expect([29, 30]).toContain(result.report.clippedSteps);
  expect(result.slope[0]).toBeCloseTo(3, 5);
});
