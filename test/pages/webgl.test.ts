/** Methods on TensorFlow.js's webgl backend that decide by unit or by value, and textures of 16 bits. */
import { describe, expect, test } from "vitest";
import { expectNear, norm64 } from "../adapters/expect.ts";
import { adaptersIn, floatsOf, stepOf } from "../adapters/inChromium.ts";
import { numbers, transformerShapes } from "../adapters/task.ts";
import { isSoftware } from "../engines/packaged.mjs";

const chromium = adaptersIn("webgl");
const { clip } = chromium;

/** A page where textures have 16 bits. */
async function openWithSmallTextures() {
  const page = await chromium.open();
  await page.evaluate(() => globalThis.adaptersInPage?.forceSmallTextures());
  return page;
}

/** Ranks 0 to 5, odd and even, long units and short ones. */
const shapes = [[7, 5], [33], [], [4, 6], [3, 5, 7], [2, 3, 3, 4], [2, 1, 3, 5, 3], [1000], [3000, 2], [2, 1500]];
const sizeOf = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);
const arraysOf = (seed: number, factor = 1, of: readonly number[][] = shapes) =>
  of.map((shape, i) => numbers(seed + i, sizeOf(shape)).map((value) => value * factor));

/** The number of the unit of each element: by its places along the axes that are kept. */
function unitsOf(shape: readonly number[], axes: readonly number[]): number[] {
  return Array.from({ length: sizeOf(shape) }, (_, element) => {
    let rest = element;
    const places = [...shape].reverse().map((length) => {
      const place = rest % length;
      rest = Math.floor(rest / length);
      return place;
    });
    return places
      .reverse()
      .reduce((unit, place, i) => (axes.includes(i) ? unit : unit * (shape[i] as number) + place), 0);
  });
}

function clippedByUnit(
  values: Float32Array,
  shape: readonly number[],
  axes: readonly number[],
  boundOf: (unit: number[]) => number,
): number[] {
  const units = unitsOf(shape, axes);
  const members: number[][] = [];
  for (const [element, unit] of units.entries()) {
    members[unit] ??= [];
    members[unit].push(element);
  }
  const scales = members.map((elements) => {
    const norm = norm64([elements.map((element) => values[element] as number)]);
    return norm === 0 ? 1 : Math.min(1, boundOf(elements) / norm);
  });
  return Array.from(values, (value, element) => value * (scales[units[element] as number] as number));
}

/** The axes of adaptiveGradClip where none are given. */
function unitwise(shape: readonly number[]): number[] {
  const all = shape.map((_, axis) => axis);
  if (shape.filter((length) => length !== 1).length <= 1) return all;
  return shape.length <= 3 ? [0] : all.slice(0, -1);
}

describe("by unit, without a read", () => {
  test.each([
    [[0], 1],
    [[1], 1e20],
    [[0, 2], 3e38],
    [[1, 3], 1e-15],
  ] as const)("along axes %o, values of %s", async (axes, factor) => {
    const arrays = arraysOf(1, factor);
    const bound = 1.1 * factor;
    for (const isComputed of [false, true]) {
      const { backend, steps, report, error, taken } = await clip({
        steps: [stepOf(arrays, shapes), stepOf(arrays, shapes)],
        method: ["clipByNorm", bound],
        axes: [...axes],
        isComputed,
      });
      expect([backend, error]).toEqual(["webgl", undefined]);
      expect(taken.reads).toBe(0);
      // One of them may have more than 1,024 units.
      expect(taken.draws).toBeLessThanOrEqual(5 * shapes.length + 1);
      for (const clipped of steps) {
        clipped.forEach((bits, i) => {
          const [values, shape] = [arrays[i] as Float32Array, shapes[i] as number[]];
          expectNear(
            floatsOf(bits),
            clippedByUnit(values, shape, axes, () => bound),
          );
        });
      }
      const { tensorNorms, ...told } = JSON.parse(report);
      arrays.forEach((array, i) => {
        expect(tensorNorms[i] / norm64([array])).toBeCloseTo(1, 6);
      });
      expect(told.norm / norm64(arrays)).toBeCloseTo(1, 6);
      expect(told).toMatchObject({ clipped: true, nonFinite: 0, steps: 2, clippedSteps: 2 });
    }
  });

  test("a unit under the bound keeps every bit, and one that is not finite becomes zero by itself", async () => {
    const array = new Float32Array([3, 4, -0, Number.NaN, 30, 40, 1, Infinity]);
    const { steps, report, error, taken } = await clip({
      steps: [stepOf([array], [[4, 2]])],
      method: ["clipByNorm", 5],
      axes: [1],
    });
    expect([taken.reads, error]).toEqual([0, "NonFiniteGradientError"]);
    const values = floatsOf(steps[0]?.[0]);
    expectNear(values, [3, 4, 0, 0, 3, 4, 0, 0]);
    expect(JSON.parse(report)).toMatchObject({
      norm: "NaN",
      nonFinite: 2,
      firstNonFinite: { name: "w0", element: 3 },
      totals: { skippedSteps: 1, clippedSteps: 1, nonFiniteSteps: 1 },
    });
    const kept = await clip({
      steps: [stepOf([array], [[4, 2]])],
      method: ["clipByNorm", 50],
      axes: [1],
      options: { nonFinite: "keep" },
    });
    expect(floatsOf(kept.steps[0]?.[0])).toEqual([...array]);
  });

  test.each([1, 1e19, 1e-12])("by the ratio to its parameter, gradients of %s", async (factor) => {
    const of = shapes.filter((shape) => shape.length < 6);
    const [gradients, parameters] = [arraysOf(1, factor, of), arraysOf(50, 1, of)];
    (parameters[1] as Float32Array).fill(0);
    const clipping = 0.3 * factor;
    const { steps, report, taken } = await clip({
      steps: [stepOf(gradients, of), stepOf(gradients, of)],
      method: ["adaptiveGradClip", { clipping }],
      parameters: stepOf(parameters, of),
      isComputed: true,
    });
    expect(taken.reads).toBe(0);
    expect(taken.draws).toBeLessThanOrEqual(6 * of.length);
    steps[1]?.forEach((bits, i) => {
      const [values, shape] = [gradients[i] as Float32Array, of[i] as number[]];
      const boundOf = (elements: number[]) =>
        clipping * Math.max(1e-3, norm64([elements.map((element) => parameters[i]?.[element] as number)]));
      expectNear(floatsOf(bits), clippedByUnit(values, shape, unitwise(shape), boundOf));
    });
    expect(JSON.parse(report)).toMatchObject({ clipped: true, nonFinite: 0, steps: 2 });
  });

  test("of thousands of units the report has all that they found", async () => {
    const units = 5000;
    const array = new Float32Array(2 * units).fill(0.001);
    // One is clipped, two are not finite, and the first of these is in the middle.
    array.set([3, 4], 2 * 4987);
    array[2 * 4321] = Infinity;
    array[2 * 2900 + 1] = Infinity;
    const step = stepOf([array], [[units, 2]]);
    const task = { steps: [step], method: ["clipByNorm", 1], axes: [1], isComputed: true } as const;
    const { steps, report, taken } = await clip(task as never);
    expect(taken.draws).toBeLessThanOrEqual(6);
    expect(taken.reads).toBe(0);
    const values = floatsOf(steps[0]?.[0]);
    expectNear(values.slice(2 * 4987, 2 * 4988), [0.6, 0.8]);
    expectNear(values.slice(0, 4), [0.001, 0.001, 0.001, 0.001]);
    expect(values.slice(2 * 2900, 2 * 2901)).toEqual([0, 0]);
    expect(JSON.parse(report)).toMatchObject({
      nonFinite: 2,
      clipped: true,
      firstNonFinite: { name: "w0", element: 2 * 2900 + 1 },
      totals: { skippedSteps: 1, clippedSteps: 1, nonFiniteSteps: 1, steps: 1 },
    });
    const finite = array.map((value) => Math.min(value, 0.5));
    const whole = await clip({ steps: [stepOf([finite], [[units, 2]])], method: ["clipByNorm", 1], axes: [1] });
    const told = JSON.parse(whole.report);
    expect(told.norm / norm64([finite])).toBeCloseTo(1, 6);
    expect(told).toMatchObject({ clipped: false, nonFinite: 0 });
    // 64 folds of 79 units each: none of them counts the first of the next.
    const bad = finite.slice();
    for (const unit of [79, 158, 4999]) bad[2 * unit] = Number.NaN;
    const { report: ofBad } = await clip({
      steps: [stepOf([bad], [[units, 2]])],
      method: ["clipByNorm", 1],
      axes: [1],
    });
    expect(JSON.parse(ofBad)).toMatchObject({ nonFinite: 3, firstNonFinite: { element: 2 * 79 } });
  });

  test("more units than a texture has room for are refused before any gradient is clipped", async () => {
    const small = await chromium.open();
    await small.evaluate(() => globalThis.adaptersInPage?.limitTextures(64));
    const of = [
      [3, 2],
      [2049, 2],
    ];
    const task = { steps: [stepOf(arraysOf(1, 1, of), of)], method: ["clipByNorm", 1], axes: [1] } as const;
    const message = 'gradients[1] "w1" has 2049 units, but a texture has room for 2048; reduce more axes.';
    await expect(clip(task as never, small)).rejects.toThrow(message);
    await small.close();
  });

  test("a parameter that is not finite gives no bound", async () => {
    const [gradients, parameters] = [[new Float32Array([3, 4])], [new Float32Array([1, Number.NaN])]];
    const { steps, report } = await clip({
      steps: [stepOf(gradients, [[2]])],
      method: ["adaptiveGradClip"],
      parameters: stepOf(parameters, [[2]]),
    });
    expect(floatsOf(steps[0]?.[0])).toEqual([0, 0]);
    expect(JSON.parse(report)).toMatchObject({ norm: "NaN", nonFinite: 0, totals: { skippedSteps: 1 } });
  });

  test("refuses axes that a gradient does not have, and clips nothing", async () => {
    const task = { steps: [stepOf([new Float32Array([3, 4])], [[2]])], method: ["clipByNorm", 1], axes: [-3] } as const;
    await expect(clip(task as never)).rejects.toThrow(
      'gradients[0] "w0" has shape [2], and axis -3 is none of its 1; pass axes from -1 to 0.',
    );
  });
});

test.each([[0], undefined])("a step without a gradient has no norm of the one before, axes %o", async (axes) => {
  const steps = [stepOf([new Float32Array([3, 4])], [[2]]), []];
  const { report } = await clip({ steps, method: ["clipByNorm", 1], ...(axes && { axes }) });
  expect(JSON.parse(report)).toMatchObject({
    norm: 0,
    clipped: false,
    steps: 2,
    clippedSteps: 1,
    tensorNorms: ["NaN"],
  });
});

test.each([
  ["clipByGlobalNorm", [15, 15]],
  ["clipByGlobalNorm", [3, 15, 9]],
  ["clipByNorm", [15, 15], [0]],
  ["clipByNorm", [15, 15], [1]],
] as const)("%s of %o counts nothing beside a matrix of odd sides", async (method, shape, axes?: readonly number[]) => {
  const norm = (...values: Parameters<NonNullable<typeof globalThis.adaptersInPage>["normOfOnes"]>) =>
    globalThis.adaptersInPage?.normOfOnes(...values);
  const found = await chromium.page.evaluate(norm, [...shape], method, axes && [...axes]);
  expect(found).toBeCloseTo(Math.sqrt(sizeOf(shape)), 4);
});

describe("by value, without a read", () => {
  test.each([
    [[0.5], -0.5, 0.5],
    [[-0.25, 0.75], -0.25, 0.75],
    [[-Infinity, 0], -Infinity, 0],
  ] as const)("to limits %o", async (limits, low, high) => {
    const arrays = arraysOf(1);
    const { steps, report, taken } = await clip({
      steps: [stepOf(arrays, shapes), stepOf(arrays, shapes)],
      method: ["clipByValue", ...limits.map((limit) => (Number.isFinite(limit) ? limit : String(limit)))],
      isComputed: true,
    });
    expect(taken.reads).toBe(0);
    expect(taken.draws).toBeLessThanOrEqual(5 * shapes.length);
    steps[1]?.forEach((bits, i) => {
      const wanted = Array.from(arrays[i] as Float32Array, (value) => Math.min(high, Math.max(low, value)));
      expect(floatsOf(bits)).toEqual(wanted.map(Math.fround));
    });
    const most = Math.max(...arrays.flatMap((array) => [...array].map(Math.abs)));
    expect(JSON.parse(report)).toMatchObject({ norm: most, maxAbs: most, scale: 1, clipped: true, clippedSteps: 2 });
  });

  test("keeps a NaN, counts it, and limits an infinity", async () => {
    const arrays = [new Float32Array([Number.NaN, Infinity, -Infinity, 3, -0.5, -0])];
    const { steps, report } = await clip({
      steps: [stepOf(arrays, [[2, 3]])],
      method: ["clipByValue", 1],
      options: { gradScale: 0.5 },
    });
    expect(floatsOf(steps[0]?.[0])).toEqual([Number.NaN, 1, -1, 1, -0.25, -0]);
    expect(JSON.parse(report)).toMatchObject({
      norm: "NaN",
      scale: 0.5,
      clipped: true,
      nonFinite: 3,
      firstNonFinite: { element: 0 },
      totals: { skippedSteps: 0, nonFiniteSteps: 1, clippedSteps: 1 },
    });
  });

  test("an infinity stays where a limit is infinite, scaled too", async () => {
    const { steps } = await clip({
      steps: [stepOf([new Float32Array([-Infinity, Infinity, -4])], [[3]])],
      method: ["clipByValue", "-Infinity", 0],
      options: { gradScale: 0.5 },
    });
    expect(floatsOf(steps[0]?.[0])).toEqual([-Infinity, 0, -2]);
  });

  test("at the limits every bit stays", async () => {
    const task = stepOf([new Float32Array([1, -1, -0, 0.3, 1e-45, 0])], [[6]]);
    const { steps, report } = await clip({ steps: [task], method: ["clipByValue", 1] });
    expect(steps[0]).toEqual(task.map(({ bits }) => bits));
    expect(JSON.parse(report)).toMatchObject({ norm: 1, clipped: false, clippedSteps: 0 });
  });
});

test("draws and reads for 74 tensors of a transformer", async () => {
  const of = transformerShapes();
  const arrays = arraysOf(1, 1, of);
  const steps = [stepOf(arrays, of), stepOf(arrays, of)];
  const drawsOf = async (task: Partial<Parameters<typeof clip>[0]>) => {
    const { taken } = await clip({ steps, isComputed: true, method: ["clipByGlobalNorm", 1], ...task });
    expect(taken.reads).toBe(0);
    return taken.draws;
  };
  const draws = {
    all: await drawsOf({}),
    value: await drawsOf({ method: ["clipByValue", 0.5] }),
    axes: await drawsOf({ method: ["clipByNorm", 1], axes: [0] }),
    adaptive: await drawsOf({ method: ["adaptiveGradClip"], parameters: steps[0] as never }),
  };
  for (const count of Object.values(draws)) expect(count).toBeLessThanOrEqual(5 * 74);
  // How a small tensor is packed depends on the size of the largest texture.
  if (isSoftware) expect(draws).toEqual({ all: 266, value: 266, axes: 338, adaptive: 338 });
  const page = await openWithSmallTextures();
  const byReading = await clip({ steps: steps.slice(1), isComputed: true, method: ["clipByGlobalNorm", 1] }, page);
  // TensorFlow.js has computed the other 42 on the host.
  expect(byReading.taken.reads).toBe(32);
  await page.close();
});

describe("what would read every gradient back is refused, and nothing is applied:", () => {
  const step = stepOf([new Float32Array([3, 4])], [[2, 1]]);
  const bound = ["clipByGlobalNorm", 1] as const;
  test.each([
    ["autoClip", { method: ["autoClip"] }],
    ["zClip", { method: ["zClip"] }],
    ["adaGC", { method: ["adaGC"] }],
    ["clipByGlobalNorm with members", { method: ["clipByGlobalNorm", 1, { members: 2 }] }],
    ["skipSpikes", { method: bound, skipsSpikes: true }],
    ["skipAbove beside the norms of clipByNorm", { method: ["clipByNorm", 1], skipAbove: 3 }],
    ["The option tensorNorms", { method: bound, options: { tensorNorms: true } }],
    ["The option history", { method: bound, options: { history: 3 } }],
  ] as const)("%s", async (what, task) => {
    const message = `${what} would read every gradient back on TensorFlow.js's webgl backend; call await tf.setBackend("webgpu") or "wasm", or leave it out.`;
    await expect(clip({ steps: [step], ...task } as never)).rejects.toThrow(message);
  });
});

test("with textures of 16 bits gradients are read and clipped on the CPU", async () => {
  const page = await openWithSmallTextures();
  const arrays = [numbers(1, 4000), numbers(2, 2500)];
  const task = stepOf(arrays, [
    [80, 50],
    [50, 50],
  ]);
  for (const method of [["clipByGlobalNorm", 1], ["clipByValue", 0.5], ["autoClip"]] as const) {
    const options = { history: 3 };
    const { backend, report, taken } = await clip({ steps: [task], method, options, isComputed: true }, page);
    expect(backend).toBe("webgl");
    expect(taken.reads).toBe(2);
    if (method[0] !== "clipByValue") expect(JSON.parse(report).norm / norm64(arrays)).toBeCloseTo(1, 3);
  }
  await page.close();
});

chromium.expectNoComplaints();
