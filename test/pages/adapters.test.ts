import { describe, expect, test } from "vitest";
import { clipped64, expectNear, expectSteadyMemory, expectTraining, norm64 } from "../adapters/expect.ts";
import { adaptersIn, floatsOf, stepOf } from "../adapters/inChromium.ts";
import type { Kind } from "../adapters/skipping.ts";
import { numbers, transformerShapes } from "../adapters/task.ts";
import { isSoftware } from "../engines/packaged.mjs";

const steps = 20;

const chromium = adaptersIn("adapters");
const { clip } = chromium;

test.each(["webgpu", "webgl", "cpu"])("TensorFlow.js trains on %s as with its own operations", async (backend) => {
  const train = (backend: string, steps: number) => globalThis.adaptersInPage?.trainOnTfjs(backend, steps);
  expectTraining((await chromium.page.evaluate(train, backend, steps)) as never, steps);
});

test("TensorFlow.js submits nothing more for it", async () => {
  const counts = await chromium.page.evaluate(() => globalThis.adaptersInPage?.countSteps());
  const { gradclip, none } = counts as NonNullable<typeof counts>;
  expect(gradclip).toEqual({ ...none, dispatches: none.dispatches + 5, bindGroups: gradclip.bindGroups });
});

test.each(["webgpu", "wasm"] as const)("jax-js trains on %s as with its own operations", async (backend) => {
  const train = (backend: "webgpu" | "wasm", steps: number) => globalThis.adaptersInPage?.trainOnJax(backend, steps);
  expectTraining((await chromium.page.evaluate(train, backend, steps)) as never, steps);
});

/** Ranks 0 to 5, odd and even. */
const shapes = [[7, 5], [33], [], [4, 6], [3, 5, 7], [2, 3, 3, 4], [2, 1, 3, 5, 3], [1000]];
const sizeOf = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);
const arraysOf = (factor = 1, of: readonly number[][] = shapes) =>
  of.map((shape, i) => numbers(i + 1, sizeOf(shape)).map((value) => value * factor));

describe("TensorFlow.js on webgl", () => {
  test.each([1, 1e20, 3e38, 1e-20])("is clipped by the global norm without a read, values of %s", async (factor) => {
    const arrays = arraysOf(factor);
    const bound = factor < 1 ? 1e-21 : 1;
    for (const isComputed of [false, true]) {
      const { backend, steps, report, taken, memory } = await clip({
        steps: [1, 2, 3, 4].map(() => stepOf(arrays, shapes)),
        method: ["clipByGlobalNorm", bound],
        isComputed,
      });
      expect(backend).toBe("webgl");
      expect(taken.reads).toBe(0);
      expect(taken.draws).toBeLessThanOrEqual(5 * shapes.length);
      const wanted = clipped64(arrays, bound);
      for (const clipped of steps) {
        clipped.forEach((bits, i) => {
          expectNear(floatsOf(bits), wanted[i] as number[]);
        });
      }
      const told = JSON.parse(report);
      expect(told.norm / norm64(arrays)).toBeCloseTo(1, 6);
      expect(told).toMatchObject({ clipped: true, nonFinite: 0, steps: 4, clippedSteps: 4 });
      expect((told.scale * told.norm) / bound).toBeCloseTo(1, 6);
      expectSteadyMemory(memory);
    }
  });

  test.each([1, 2, Number.MAX_VALUE, 3])("has the norm of normType %s", async (normType) => {
    const p = normType === Number.MAX_VALUE ? "Infinity" : normType;
    const arrays = arraysOf();
    const values = arrays.flatMap((array) => [...array].map(Math.abs));
    const norm =
      p === "Infinity"
        ? Math.max(...values)
        : values.reduce((sum, v) => sum + v ** (p as number), 0) ** (1 / (p as number));
    const { steps, report, taken } = await clip({
      steps: [stepOf(arrays, shapes)],
      method: ["clipByGlobalNorm", 0.5],
      normType: p,
    });
    expect(taken.reads).toBe(0);
    expect(JSON.parse(report).norm / norm).toBeCloseTo(1, 5);
    steps[0]?.forEach((bits, i) => {
      expectNear(
        floatsOf(bits),
        [...(arrays[i] as Float32Array)].map((v) => (v * 0.5) / norm),
        4e-6,
      );
    });
  });

  test("keeps every bit at or under the bound", async () => {
    const arrays = [new Float32Array([3, 4, -0]), new Float32Array([12])];
    const task = stepOf(arrays, [[3], [1, 1]]);
    const { steps, report } = await clip({ steps: [task], method: ["clipByGlobalNorm", 13] });
    expect(steps[0]).toEqual(task.map(({ bits }) => bits));
    expect(JSON.parse(report)).toMatchObject({ norm: 13, scale: 1, clipped: false, maxAbs: 12 });
  });

  test.each([
    [Number.NaN, "zero"],
    [-Infinity, "zero"],
    [Number.NaN, "keep"],
    [Number.NaN, "propagate"],
    [Infinity, "propagate"],
  ] as const)("decides on %s by nonFinite: %s", async (bad, nonFinite) => {
    const arrays = arraysOf();
    (arrays[3] as Float32Array)[14] = bad;
    (arrays[7] as Float32Array)[999] = bad;
    const task = stepOf(arrays, shapes);
    const good = stepOf(arraysOf(), shapes);
    const { steps, report, taken } = await clip({
      steps: [task, good, task],
      method: ["clipByGlobalNorm", 1],
      options: { nonFinite },
    });
    expect(taken.reads).toBe(0);
    const isSkipped = nonFinite === "zero";
    expect(JSON.parse(report)).toMatchObject({
      norm: String(Math.abs(bad)),
      scale: { zero: 0, keep: 1, propagate: Number.isNaN(bad) ? "NaN" : 0 }[nonFinite],
      nonFinite: 2,
      firstNonFinite: { index: 3, name: "w3", element: 14 },
      lastNonFinite: { step: 3, index: 3, element: 14 },
      totals: { steps: 3, clippedSteps: 1, nonFiniteSteps: 2, skippedSteps: isSkipped ? 2 : 0 },
      badStepsInARow: 1,
    });
    const wanted = arrays.map((array) =>
      array.map((value) => {
        if (nonFinite === "keep") return value;
        if (nonFinite === "zero") return 0;
        return Number.isNaN(bad) || !Number.isFinite(value) ? Number.NaN : 0;
      }),
    );
    expect(steps[2]?.map(floatsOf)).toEqual(wanted.map((array) => [...array]));
  });

  test("adds eps to the norm", async () => {
    const step = stepOf([Float32Array.of(3, 4)], [[2]]);
    const { steps, report } = await clip({ steps: [step], method: ["clipByGlobalNorm", 1, { eps: 3 }] });
    expectNear(floatsOf(steps[0]?.[0]), [3 / 8, 4 / 8]);
    expect(JSON.parse(report)).toMatchObject({ norm: 5, scale: 1 / 8 });
  });

  test("a NaN of the least payload is a NaN", async () => {
    const step = [{ bits: [0x7f800001, 0x3f800000], shape: [2] }];
    const { steps, report } = await clip({
      steps: [step],
      method: ["clipByGlobalNorm", 1],
      options: { nonFinite: "propagate" },
    });
    expect(JSON.parse(report)).toMatchObject({ norm: "NaN", nonFinite: 1, firstNonFinite: { element: 0 } });
    expect(floatsOf(steps[0]?.[0])).toEqual([Number.NaN, Number.NaN]);
  });

  test("clips each tensor, and each group, by its own norm", async () => {
    const arrays = arraysOf();
    (arrays[1] as Float32Array)[3] = Number.NaN;
    const each = await clip({ steps: [stepOf(arrays, shapes), stepOf(arrays, shapes)], method: ["clipByNorm", 1] });
    const ofRms = await clip({ steps: [stepOf(arrays, shapes)], method: ["clipByBlockRms", 0.3] });
    expect([each.taken.reads, ofRms.taken.reads]).toEqual([0, 0]);
    expect(each.taken.draws).toBeLessThanOrEqual(5 * shapes.length);
    arrays.forEach((array, i) => {
      const isBad = i === 1;
      const zeros = [...array].map(() => 0);
      const bound = 0.3 * Math.sqrt(array.length);
      expectNear(floatsOf(each.steps[0]?.[i] as number[]), isBad ? zeros : (clipped64([array], 1)[0] as number[]));
      expectNear(floatsOf(ofRms.steps[0]?.[i] as number[]), isBad ? zeros : (clipped64([array], bound)[0] as number[]));
    });
    const { tensorNorms, ...told } = JSON.parse(each.report);
    expect(tensorNorms[4] / norm64([arrays[4] as Float32Array])).toBeCloseTo(1, 6);
    expect(told).toMatchObject({ norm: "NaN", clipped: true, firstNonFinite: { name: "w1", element: 3 } });

    const finite = arraysOf();
    const groups = await clip({
      steps: [stepOf(finite, shapes)],
      method: ["clipByGroupNorm", { first: 0.5 }, { others: 2 }],
    });
    const wanted = [...clipped64(finite.slice(0, 1), 0.5), ...clipped64(finite.slice(1), 2)];
    groups.steps[0]?.forEach((bits, i) => {
      expectNear(floatsOf(bits), wanted[i] as number[]);
    });
    const { first, others } = JSON.parse(groups.report).groups;
    expect([first.norm / norm64(finite.slice(0, 1)), others.norm / norm64(finite.slice(1))]).toEqual([
      expect.closeTo(1, 6),
      expect.closeTo(1, 6),
    ]);
    expect(groups.taken.reads).toBe(0);
  });

  test("a name that comes twice has norms of its own, in its group", async () => {
    const arrays = [[3], [4], [9]].map((values) => Float32Array.from(values));
    const of = { names: ["w0", "w0", "b"], steps: [stepOf(arrays, [[1], [1], [1]])] };
    const each = await clip({ ...of, method: ["clipByNorm", 1] });
    expect(JSON.parse(each.report).tensorNorms).toEqual([3, 4, 9]);
    const groups = await clip({ ...of, method: ["clipByGroupNorm", { first: 1 }, { others: 20 }] });
    expect(JSON.parse(groups.report).groups).toMatchObject({
      first: { norm: 5, scale: expect.closeTo(0.2, 6), clipped: true },
      others: { norm: 9, scale: 1, clipped: false },
    });
  });

  test("a group without a gradient has norm 0, and is not clipped", async () => {
    const [step] = [stepOf([Float32Array.of(3, 4)], [[2]])];
    const { report } = await clip({ steps: [step], method: ["clipByGroupNorm", { first: 1 }, { others: 2 }] });
    expect(JSON.parse(report).groups.others).toEqual({ norm: 0, scale: 1, clipped: false });
  });

  test("the norm of 4,000,000 equal values is within 1e-6", async () => {
    const value = Math.fround(0.1);
    const norm = await chromium.page.evaluate((value) => globalThis.adaptersInPage?.normOfEqual(value, 4e6), value);
    expect(Math.abs((norm as number) / (value * Math.sqrt(4e6)) - 1)).toBeLessThan(1e-6);
  });

  test("reports, saves and frees after TensorFlow.js has left webgl", async () => {
    for (const backend of ["cpu", "webgpu"]) {
      const left = await chromium.page.evaluate((backend) => globalThis.adaptersInPage?.leaveWebGL(backend), backend);
      const { before, after, ...told } = left as NonNullable<typeof left>;
      expect(told).toEqual({ norm: 5, iterations: 1, steps: 1 });
      expect(after).toEqual(before);
    }
  });

  test("unscales, skips above a norm, and lengthens", async () => {
    const arrays = [new Float32Array([30, 40])];
    const half = { gradScale: 0.5 };
    const small = await clip({ steps: [stepOf(arrays, [[2]])], method: ["clipByGlobalNorm", 100], options: half });
    expect(small.steps[0]?.map(floatsOf)).toEqual([[15, 20]]);
    const clipped = await clip({ steps: [stepOf(arrays, [[2]])], method: ["clipByGlobalNorm", 5], options: half });
    expectNear(floatsOf(clipped.steps[0]?.[0] as number[]), [3, 4]);
    expect(JSON.parse(clipped.report)).toMatchObject({ norm: 25, scale: expect.closeTo(0.1, 7), maxAbs: 20 });
    const method = ["clipByGlobalNorm", 5] as const;
    const steps = [stepOf(arrays, [[2]]), stepOf([new Float32Array([3, 4])], [[2]])];
    const spike = await clip({ steps, method, skipAbove: 49 });
    expect(spike.steps.map(([bits]) => floatsOf(bits as number[]))).toEqual([
      [0, 0],
      [3, 4],
    ]);
    expect(JSON.parse(spike.report)).toMatchObject({ norm: 5, totals: { steps: 2, skippedSteps: 1, spikeSteps: 1 } });
    const longer = await clip({ steps: [stepOf(arrays, [[2]])], method: ["normalizeByGlobalNorm", 100] });
    expectNear(floatsOf(longer.steps[0]?.[0] as number[]), [60, 80]);
    expect(small.taken.reads + spike.taken.reads + longer.taken.reads).toBe(0);
  });

  test("takes at most five draws a tensor for 74 tensors of a transformer, and no read", async () => {
    const of = transformerShapes();
    const arrays = arraysOf(1, of);
    const { steps, taken } = await clip({
      steps: [stepOf(arrays, of), stepOf(arrays, of)],
      method: ["clipByGlobalNorm", 1],
      isComputed: true,
    });
    const wanted = clipped64(arrays, 1);
    steps[1]?.forEach((bits, i) => {
      expectNear(floatsOf(bits), wanted[i] as number[]);
    });
    expect(taken.reads).toBe(0);
    expect(taken.draws).toBeLessThanOrEqual(5 * 74);
    // A small tensor is packed by an upload or by a draw; where depends on the size of the largest texture.
    if (isSoftware) expect(taken.draws).toBe(266);
  });

  test.each(["sgd", "momentum", "adam", "adamax", "rmsprop", "adagrad", "adadelta"])(
    "a skipped step of %s changes no bit",
    async (name) => {
      const kinds: Kind[] = ["NaN", "good", "spike", "NaN", "good", "spike"];
      const run = (kinds: Kind[]) =>
        chromium.page.evaluate((name, kinds) => globalThis.adaptersInPage?.skipOn("webgl", name, kinds), name, kinds);
      const [skipping, without] = [await run(kinds), await run(["good", "good"])];
      expect(skipping).toMatchObject({ backend: "webgl", totals: { steps: 6, skippedSteps: 4, spikeSteps: 2 } });
      expect([1, 2, 3, 4, 5].map((step) => skipping?.after[step])).toEqual(
        [0, 0, 0, 1, 1].map((step) => without?.after[step]),
      );
      if (name !== "adamax") expect([skipping?.iterations, skipping?.savedIterations]).toEqual([6, 2]);
      expectSteadyMemory(skipping?.memory);
    },
  );
});

chromium.expectNoComplaints();
