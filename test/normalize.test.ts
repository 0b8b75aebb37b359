/** normalizeByGlobalNorm: what is refused, and where the scale does not differ from gradScale. */
import { describe, expect, test } from "vitest";
import { clipByGlobalNorm, normalizeByGlobalNorm } from "../src/index.ts";
import { bench, clipperOn, cpu, memoryOn, sides } from "./support/bench.ts";
import { refused } from "./support/refused.ts";

const RANGE = /; pass a positive float32 from .*\.$/;

test.each([0, -1, Infinity, Number.NaN, 1e-39])("a norm of %s is refused", async (norm) => {
  const error = await refused(() => normalizeByGlobalNorm(norm), RangeError, RANGE);
  expect(error.message).toContain(`normalizeByGlobalNorm's norm is ${norm}`);
  const clip = cpu.prepare([Float32Array.of(3, 4)], normalizeByGlobalNorm());
  await refused(() => clip.set({ maxNorm: norm }), RangeError, RANGE);
  await refused(() => cpu.prepare([], { ...normalizeByGlobalNorm(), maxNorm: norm }), RangeError, RANGE);
  clip.run();
  expect((await clip.report()).scale).toBe(Math.fround(0.2));
});

test("a norm that is no number is refused", async () => {
  await refused(() => normalizeByGlobalNorm("1" as never), TypeError, /norm is the string "1"; /);
});

test("clips may still be set to 0 and Infinity", () => {
  const clip = cpu.prepare([Float32Array.of(1)], clipByGlobalNorm(1));
  clip.set({ maxNorm: 0 });
  clip.set({ maxNorm: Infinity });
});

describe.each(sides)("on the %s", (side) => {
  const valuesOf = async (memory: GPUBuffer | Float32Array) =>
    memory instanceof Float32Array ? [...memory] : await bench.values(memory);

  test("set changes the length", async () => {
    const memory = memoryOn(side, [0.3, 0.4]);
    const clip = clipperOn(side).prepare([memory], normalizeByGlobalNorm());
    clip.set({ maxNorm: 10 });
    clip.run();
    expect(await valuesOf(memory)).toEqual([6, 8]);
    expect(await clip.report()).toMatchObject({ norm: 0.5, scale: 20, clipped: true });
  });

  test("a norm below the length by its last bit may leave everything as it is", async () => {
    // The norm rounds to 1 - 2^-24, and 1 divided by the exact one to 1.
    const values = [1 - 2 ** -24, 2 ** -12.5].map(Math.fround);
    const memory = memoryOn(side, values);
    const clip = clipperOn(side).prepare([memory], normalizeByGlobalNorm());
    clip.run();
    expect(await clip.report()).toMatchObject({ norm: 1 - 2 ** -24, scale: 1, clipped: false, clippedSteps: 0 });
    expect(await valuesOf(memory)).toEqual(values);
  });
});
