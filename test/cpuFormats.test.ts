/** 16-bit elements on the CPU: every pattern is read, every place halfway between two is rounded to the even one. */
import { describe, expect, test } from "vitest";
import { copy, type Elements, elementsOf, read, rewrite, rewriteEach } from "../src/cpu/formats.ts";

type Half = "f16" | "bf16";
const FORMATS = { f16: { exponent: 5, fraction: 10 }, bf16: { exponent: 8, fraction: 7 } } as const;

/** By the definition of IEEE 754's binary formats. */
function numberOf(pattern: number, dtype: Half): number {
  const { exponent: bits, fraction: digits } = FORMATS[dtype];
  const sign = pattern >> 15 ? -1 : 1;
  const exponent = (pattern >> digits) & (2 ** bits - 1);
  const fraction = (pattern & (2 ** digits - 1)) / 2 ** digits;
  const bias = 2 ** (bits - 1) - 1;
  if (exponent === 2 ** bits - 1) return fraction ? Number.NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction) * 2 ** (exponent - bias) : fraction * 2 ** (1 - bias));
}

const infinityOf = (dtype: Half) => (2 ** FORMATS[dtype].exponent - 1) << FORMATS[dtype].fraction;

function halves(dtype: Half, patterns: ArrayLike<number>): Elements {
  return { dtype, stored: Uint16Array.from(patterns) };
}

/** What these numbers are stored as: written over as many elements. */
function storedAs(dtype: Half, numbers: readonly number[]): number[] {
  const elements = halves(dtype, Array(numbers.length).fill(0));
  let at = 0;
  rewrite(elements, elements, (values, into) => {
    for (let i = 0; i < values.length; i++) into[i] = numbers[at++] as number;
  });
  return [...elements.stored];
}

const float = new Float32Array(1);
const word = new Int32Array(float.buffer);

/** The float32 that is so many steps further from 0. */
function moved(value: number, steps: number): number {
  float[0] = value;
  word[0] = (word[0] as number) + steps;
  return float[0];
}

const all = Array.from({ length: 65_536 }, (_, pattern) => pattern);

describe.each(["f16", "bf16"] as const)("%s", (dtype) => {
  test("every pattern is read as its value, and written as it was", () => {
    const values: number[] = [];
    read(halves(dtype, all), (run, first) => {
      expect(first).toBe(values.length);
      values.push(...run);
    });
    expect(values).toEqual(all.map((pattern) => numberOf(pattern, dtype)));
    const numbers = all.filter((pattern) => !Number.isNaN(numberOf(pattern, dtype)));
    expect(
      storedAs(
        dtype,
        numbers.map((pattern) => numberOf(pattern, dtype)),
      ),
    ).toEqual(numbers);
  });

  test("a number halfway between two becomes the even one, and one beside it the nearer", () => {
    // Behind the largest number comes infinity, where the next one would be.
    const patterns = all.slice(0, infinityOf(dtype));
    const next = (pattern: number) => 2 * numberOf(pattern, dtype) - numberOf(pattern - 1, dtype);
    const between = patterns.map((pattern) => {
      const value = numberOf(pattern, dtype);
      const above = pattern + 1 === infinityOf(dtype) ? next(pattern) : numberOf(pattern + 1, dtype);
      return (value + above) / 2;
    });
    expect(storedAs(dtype, between)).toEqual(patterns.map((pattern) => pattern + (pattern % 2)));
    expect(
      storedAs(
        dtype,
        between.map((value) => moved(value, 1)),
      ),
    ).toEqual(patterns.map((pattern) => pattern + 1));
    expect(
      storedAs(
        dtype,
        between.map((value) => -moved(value, -1)),
      ),
    ).toEqual(patterns.map((pattern) => 0x8000 + pattern));
  });

  test("a NaN stays one, with its sign, and what is too large becomes infinite", () => {
    const [nan, large, small] = storedAs(dtype, [Number.NaN, 3.4e38, -1e-45]) as [number, number, number];
    expect(numberOf(nan, dtype)).toBeNaN();
    expect([large, small]).toEqual([infinityOf(dtype), 0x8000]);
    word[0] = 0xff800001 | 0;
    const negative = halves(dtype, [0]);
    rewrite(negative, negative, (_, into) => new Uint32Array(into.buffer).set([0xff800001]));
    expect(numberOf(negative.stored[0] as number, dtype)).toBeNaN();
    expect((negative.stored[0] as number) >> 15).toBe(1);
  });

  test("only what changes is written: other elements keep their bytes", () => {
    const quiet = infinityOf(dtype) + 1;
    const source = halves(
      dtype,
      Array.from({ length: 5000 }, (_, i) => (i % 2 ? quiet : i)),
    );
    const into = halves(dtype, Array(5000).fill(7));
    const seen: number[] = [];
    rewriteEach(source, into, (value, element) => {
      seen.push(element);
      return element === 4500 ? 1 : value;
    });
    expect(seen).toEqual(Array.from({ length: 5000 }, (_, i) => i));
    const [one] = storedAs(dtype, [1]);
    expect([...into.stored]).toEqual([...source.stored].map((pattern, i) => (i === 4500 ? one : pattern)));
    rewriteEach(source, source, (_, element) => (element < 4999 ? 1 : Number.NaN));
    expect([...source.stored]).toEqual(Array.from({ length: 5000 }, (_, i) => (i < 4999 ? one : quiet)));
  });

  test("becomes float32 where results are wider", () => {
    const patterns = Array.from({ length: 5000 }, (_, i) => i);
    const wide: Elements = { dtype: "f32", stored: new Float32Array(5000) };
    copy(halves(dtype, patterns), wide);
    expect([...wide.stored]).toEqual(patterns.map((pattern) => numberOf(pattern, dtype)));
    rewrite(halves(dtype, patterns), wide, (values, into) => into.set(values.map((value) => 2 * value)));
    expect([...wide.stored]).toEqual(patterns.map((pattern) => 2 * numberOf(pattern, dtype)));
    rewriteEach(halves(dtype, patterns), wide, (value) => 3 * value);
    expect([...wide.stored]).toEqual(patterns.map((pattern) => Math.fround(3 * numberOf(pattern, dtype))));
  });
});

test("float32 is read and written where it lies, in runs", () => {
  const memory = Float32Array.from({ length: 5002 }, (_, i) => i);
  const elements = elementsOf({ buffer: memory.buffer, byteOffset: 4, byteLength: 20_000 }, "f32");
  const values: number[] = [];
  read(elements, (run, first) => {
    expect(first).toBe(values.length);
    values.push(...run);
  });
  expect(values).toEqual(Array.from({ length: 5000 }, (_, i) => i + 1));
  rewrite(elements, elements, (run, into) => into.set(run.map((value) => -value)));
  expect([...memory]).toEqual(Array.from({ length: 5002 }, (_, i) => (i > 0 && i < 5001 ? -i : i)));
  const copied: Elements = { dtype: "f32", stored: new Float32Array(5000) };
  copy(elements, copied);
  expect(copied.stored).toEqual(elements.stored);
  expect(elementsOf({ buffer: memory.buffer, byteOffset: 2, byteLength: 6 }, "f16").stored).toHaveLength(3);
});
