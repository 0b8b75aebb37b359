/** A step may lack gradients: null, undefined, a key that is missing, or a view that declares one. */
import { describe, expect, test } from "vitest";
import { clipByGlobalNorm, clipByNorm, type Gradient, type Gradients } from "../src/index.ts";
import { bench, cpu, sides } from "./support/bench.ts";
import { refused } from "./support/refused.ts";

type Memory = GPUBuffer | Float32Array;
type Make = (...values: number[]) => Memory;

describe.each(sides)("on the %s", (side) => {
  const make: Make = (...values) => (side === "GPU" ? bench.buffer(values) : Float32Array.from(values));
  const clipper = () => (side === "GPU" ? bench.clipper : cpu);
  const valuesOf = async (memory: Memory) =>
    memory instanceof Float32Array ? [...memory] : await bench.values(memory);

  const ways: [string, (make: Make) => Gradients, (bias: Gradient) => Gradients][] = [
    ["null in a list", (make) => [make(30, 40), make(3, 4)], (bias) => [null, bias]],
    ["undefined in a list", (make) => [make(30, 40), make(3, 4)], (bias) => [undefined, bias]],
    ["a missing key", (make) => ({ kernel: make(30, 40), bias: make(3, 4) }), (bias) => ({ bias })],
    ["null under a key", (make) => ({ kernel: make(30, 40), bias: make(3, 4) }), (bias) => ({ bias, kernel: null })],
    [
      "a key that a Map lacks",
      (make) => new Map([...Object.entries({ kernel: make(30, 40), bias: make(3, 4) })]),
      (bias) => new Map([["bias", bias]]),
    ],
    ["a view without a buffer", (make) => [make(30, 40), make(3, 4)], (bias) => [{ length: 2 }, bias]],
    ["a gradient that was only declared", (make) => [{ length: 2 }, make(3, 4)], (bias) => [null, bias]],
  ];

  test.each(ways)("%s", async (_, prepared, now) => {
    const clip = clipper().prepare(prepared(make), clipByGlobalNorm(2.5));
    const bias = make(6, 8);
    clip.run(now(bias));
    expect(await clip.report()).toMatchObject({ norm: 10, clipped: true, steps: 1 });
    expect(await valuesOf(bias)).toEqual([1.5, 2]);
  });

  test("what was declared is clipped once it is given, and keeps its name", async () => {
    const declared = { length: 2, shape: [2], dtype: "f32", name: "expert" } as const;
    const clip = clipper().prepare([make(3, 4), declared], clipByGlobalNorm(6.5));
    expect(clip.names).toEqual([undefined, "expert"]);
    clip.run();
    expect((await clip.report()).norm).toBe(5);
    const [router, expert] = [make(3, 4), make(12, Number.NaN)];
    clip.run([router, expert]);
    expect((await clip.report()).firstNonFinite).toEqual({ index: 1, name: "expert", element: 1 });
    const [other, good] = [make(3, 4), make(12, 0)];
    clip.run([other, good]);
    expect((await clip.report()).norm).toBe(13);
    expect(await valuesOf(good)).toEqual([6, 0]);
    expect(await valuesOf(other)).toEqual([1.5, 2]);
    expect(await valuesOf(expert)).toEqual([0, 0]);
    expect(await valuesOf(router)).toEqual([0, 0]);
  });

  test("a clip of declared gradients alone runs from its first step on", async () => {
    const clip = clipper().prepare({ a: { length: 1 }, b: { length: 2 } }, clipByNorm(1));
    clip.run();
    const report = await clip.report();
    expect(report).toMatchObject({ norm: 0, clipped: false, nonFinite: 0, maxAbs: 0, steps: 1 });
    expect([...(report.tensorNorms ?? [])]).toEqual([Number.NaN, Number.NaN]);
    const b = make(3, 4);
    clip.run({ b });
    expect([...((await clip.report()).tensorNorms ?? [])]).toEqual([Number.NaN, 5]);
    expect((await valuesOf(b)).map(Math.fround)).toEqual([Math.fround(0.6), Math.fround(0.8)]);
  });

  const refusals: [string, object, string][] = [
    ["no length", {}, "an Object; pass a GPUBuffer, a Float32Array or a view { buffer, byteOffset, length }."],
    [
      "a shape alone",
      { shape: [2] },
      "an Object; pass a GPUBuffer, a Float32Array or a view { buffer, byteOffset, length }.",
    ],
  ];

  test.each(refusals)("a view with no buffer and %s is refused", async (_, view, rest) => {
    await refused(() => clipper().prepare([view as Gradient]), TypeError, `gradients[0] is ${rest}`);
  });

  test.each(["byteOffset", "into", "parameter"])("a view with no buffer and %s is refused", async (key) => {
    const view = { length: 2, [key]: key === "byteOffset" ? 0 : { buffer: make(1, 2) } };
    const message = `gradients[0] without a buffer has an unknown property "${key}"; it takes length, dtype, name, group and shape.`;
    await refused(() => clipper().prepare([view]), TypeError, message);
  });

  test("a length or a shape that is none is refused", async () => {
    const length = "gradients[0].length is 1.5; pass a whole number of elements.";
    await refused(() => clipper().prepare([{ length: 1.5 }]), RangeError, length);
    const shape = "gradients[0].shape is [3], but it has 2 elements; pass a shape with as many.";
    await refused(() => clipper().prepare([{ length: 2, shape: [3] }]), RangeError, shape);
  });

  test("a missing buffer in a view that names it is refused, at a step too", async () => {
    const clip = clipper().prepare([{ length: 2 }]);
    const message =
      "gradients[0].buffer is undefined; pass a GPUBuffer, a Float32Array or a Uint8Array of their bytes.";
    clip.run([{ length: 2 }]);
    await refused(() => clip.run([{ buffer: undefined, length: 2 }]), TypeError, message);
  });
});

test("a clip of declared gradients lives where its clipper does", async () => {
  const clip = bench.clipper.prepare([{ length: 2 }]);
  const message = "The clip was prepared for gradients on webgpu, and these are on cpu; prepare another.";
  await refused(() => clip.run([new Float32Array(2)]), TypeError, message);
});

test("the same gradients, absent in the same places, bind nothing anew", () => {
  const [a, b, c] = [bench.buffer([1, 2]), bench.buffer([3]), bench.buffer([4])];
  const clip = bench.clipper.prepare([a, b, c]);
  const encoder = bench.device.createCommandEncoder();
  clip.encode(encoder, [a, null, c]);
  const made = () => bench.calls.filter((call) => call.startsWith("create")).length;
  const before = made();
  clip.encode(encoder, [a, undefined, c]);
  clip.encode(encoder, [a, null, c]);
  expect(made()).toBe(before);
  encoder.finish();
});

test("a gap is planned for anew, though the buffers lie alike", async () => {
  const clip = bench.clipper.prepare([bench.buffer([1, 1]), bench.buffer([1, 1]), bench.buffer([1, 1])], clipByNorm(1));
  const clipped = bench.buffer([3, 4]);
  clip.run([clipped, null, null]);
  expect([...((await clip.report()).tensorNorms ?? [])]).toEqual([5, Number.NaN, Number.NaN]);
  const other = bench.buffer([6, 8]);
  clip.run([null, other, null]);
  expect([...((await clip.report()).tensorNorms ?? [])]).toEqual([Number.NaN, 10, Number.NaN]);
  await bench.values(clipped);
  await bench.values(other);
});
