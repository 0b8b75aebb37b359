import { describe, expect, test } from "vitest";
import { clipByGlobalNorm, clipByValue, clipGradients, createClipper } from "../src/index.ts";

const FLT_MAX = 3.4028234663852886e38;
const MIN_NORMAL = 2 ** -126;

function limitsOf(...given: [number, number?]) {
  const { limits } = (clipByValue as (...values: (number | undefined)[]) => ReturnType<typeof clipByValue>)(...given);
  return limits?.("f32");
}

describe("the limits", () => {
  test.each<[string, [number, number?], [number, number]]>([
    ["one number is for both sides", [2.5], [-2.5, 2.5]],
    ["an undefined max is one number", [2.5, undefined], [-2.5, 2.5]],
    ["rounded to float32", [0.1], [-Math.fround(0.1), Math.fround(0.1)]],
    ["two numbers", [-1, 3], [-1, 3]],
    ["both positive", [5, 10], [5, 10]],
    ["both the same", [3, 3], [3, 3]],
    ["the same once rounded", [1 + 2 ** -30, 1], [1, 1]],
    ["zero", [0], [0, 0]],
    ["negative zero is zero", [-0, -0], [0, 0]],
    ["the largest and the smallest", [MIN_NORMAL, FLT_MAX], [MIN_NORMAL, FLT_MAX]],
    ["no limits", [Infinity], [-Infinity, Infinity]],
    ["no lower limit", [-Infinity, -2], [-Infinity, -2]],
    ["no upper limit", [4, Infinity], [4, Infinity]],
  ])("%s", (_, given, wanted) => {
    expect(limitsOf(...given)).toEqual(wanted);
  });

  test("of 16-bit numbers are the outermost of the format inside", () => {
    const { limits } = clipByValue(-0.1, 1e30);
    expect(limits?.("f16")).toEqual([-1638 / 2 ** 14, 65_504]);
    expect(limits?.("bf16")).toEqual([-204 / 2 ** 11, 201 * 2 ** 92]);
    expect(clipByValue(-1e6, -1e5).limits?.("f16")).toEqual([-65_504, -65_504]);
  });

  test.each<[string, unknown[], RegExp]>([
    ["negative", [-1], /^clipByValue's limit is -1; pass /],
    ["NaN", [Number.NaN], /^clipByValue's limit is NaN; /],
    ["minus infinity for both sides", [-Infinity], /^clipByValue's limit is -Infinity; /],
    ["subnormal", [1e-40], /^clipByValue's limit is 1e-40; /],
    ["zero as a float32", [1e-50], /^clipByValue's limit is 1e-50; /],
    ["beyond float32", [1e39], /^clipByValue's limit is 1e\+39; /],
    ["min NaN", [Number.NaN, 1], /^clipByValue's min is NaN; pass 0, .* or -Infinity for no limit\.$/],
    ["max NaN", [1, Number.NaN], /^clipByValue's max is NaN; pass 0, .* or Infinity for no limit\.$/],
    ["min infinite", [Infinity, Infinity], /^clipByValue's min is Infinity; /],
    ["max minus infinite", [-Infinity, -Infinity], /^clipByValue's max is -Infinity; /],
    ["min subnormal", [-1e-40, 1], /^clipByValue's min is -1e-40; /],
    ["max beyond float32", [0, 1e39], /^clipByValue's max is 1e\+39; /],
    ["min above max", [2, 1], /^clipByValue's min is 2 and its max is 1; pass a min that is at most the max\.$/],
  ])("RangeError: %s", (_, given, message) => {
    expect(() => limitsOf(...(given as [number, number?]))).toThrow(RangeError);
    expect(() => limitsOf(...(given as [number, number?]))).toThrow(message);
  });

  test.each<[string, unknown[], RegExp]>([
    [
      "nothing",
      [],
      /^clipByValue's limit is undefined; pass 0, a positive float32 from .* or Infinity to only measure\.$/,
    ],
    ["a string", ["1"], /^clipByValue's limit is the string "1"; /],
    ["an array", [[-1, 1]], /^clipByValue's limit is an Array; /],
    ["an object", [{ min: -1 }], /^clipByValue's limit is an Object; /],
    ["a bigint", [1n, 2], /^clipByValue's min is the bigint 1n; /],
    ["null", [0, null], /^clipByValue's max is null; /],
  ])("TypeError: %s", (_, given, message) => {
    expect(() => limitsOf(...(given as [number, number?]))).toThrow(TypeError);
    expect(() => limitsOf(...(given as [number, number?]))).toThrow(message);
  });
});

describe("options", () => {
  const gradients = () => [Float32Array.of(3, -4)];

  test("that have no meaning are refused, and nothing changes", async () => {
    const clipper = await createClipper({ backend: "cpu" });
    const arrays = gradients();
    expect(() => clipper.prepare(arrays, clipByValue(1), { apply: "record" })).toThrow(
      /^options\.apply is the string "record", but clipByValue takes no norm; leave it out\.$/,
    );
    expect(() => clipper.prepare(arrays, clipByValue(1), { totalNorm: 5 })).toThrow(
      /^options\.totalNorm is 5, but clipByValue takes no norm; leave it out\.$/,
    );
    for (const options of [{ apply: "record" as const }, { totalNorm: 5 }]) {
      expect(() => clipper.prepare(arrays, clipByValue(1), options)).toThrow(TypeError);
      expect(() => clipper.prepare(arrays, clipByGlobalNorm(1), options)).not.toThrow();
    }
    const clip = clipper.prepare(arrays, clipByValue(1), { apply: "scale", nonFinite: "propagate" });
    expect(() => clip.set({ maxNorm: 2 })).toThrow(TypeError);
    expect(() => clip.set({ gradScale: -1 })).toThrow(RangeError);
    expect(arrays).toEqual(gradients());
    clipper.destroy();
  });

  test("the one-liner clips arrays", async () => {
    const arrays = gradients();
    const report = await clipGradients(arrays, clipByValue(-2, 5));
    expect([...(arrays[0] as Float32Array)]).toEqual([3, -2]);
    expect(report).toMatchObject({ norm: 4, maxAbs: 4, scale: 1, clipped: true, clippedSteps: 1, skippedSteps: 0 });
  });
});
