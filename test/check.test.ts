/** What each function of src/check.ts takes and refuses, at its bounds, and what a message shows of a value. */
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import {
  counted,
  inWords,
  isCount,
  isPlain,
  LONGEST_WARMUP,
  readBoolean,
  readBound,
  readCount,
  readDecay,
  readInteger,
  readLimit,
  readNonNegative,
  readNormalFloat,
  readOneOf,
  readOptions,
  refuseTypeGPU,
  refuseUnknownKeys,
  shown,
} from "../src/check.ts";

const [SMALLEST, LARGEST] = [2 ** -126, (2 - 2 ** -23) * 2 ** 127];
const BELOW = SMALLEST * (1 - 2 ** -23);
const ABOVE = 2 ** 128;
const FLOAT = "1.1754943508222875e-38 to 3.4028234663852886e+38";

interface Reader {
  readonly read: (value: unknown) => unknown;
  /** Each comes back as it is, or as the second of a pair. */
  readonly takes: readonly unknown[];
  readonly refuses: readonly number[];
  readonly remedy: string;
}

const readers: Record<string, Reader> = {
  readInteger: {
    read: (value) => readInteger(value, "x", 2, 4),
    takes: [2, 3, 4],
    refuses: [1, 5, 2.5, Number.NaN, Infinity],
    remedy: "a whole number from 2 to 4",
  },
  readNormalFloat: {
    read: (value) => readNormalFloat(value, "x"),
    takes: [SMALLEST, 1, [0.1, Math.fround(0.1)], LARGEST],
    refuses: [BELOW, ABOVE, 0, -1, Number.NaN, Infinity],
    remedy: `a positive float32 from ${FLOAT}`,
  },
  readDecay: {
    read: (value) => readDecay(value, "x"),
    takes: [0, 0.5, 1 - 2 ** -53],
    refuses: [1, 1.5, -1e-9, Number.NaN],
    remedy: "a number from 0 to under 1",
  },
  readCount: {
    read: (value) => readCount(value, "x"),
    takes: [1, 2, 1_000_000],
    refuses: [0, 1.5, 1_000_001, Number.NaN, Infinity],
    remedy: "a whole number from 1 to 1000000",
  },
  readNonNegative: {
    read: (value) => readNonNegative(value, "x"),
    takes: [0, 0.5, LARGEST],
    refuses: [-1e-9, ABOVE, Number.NaN, Infinity],
    remedy: "a number from 0 to 3.4028234663852886e+38",
  },
  readBound: {
    read: (value) => readBound(value, "x"),
    takes: [0, SMALLEST, 1, [0.1, Math.fround(0.1)], LARGEST, Infinity],
    refuses: [BELOW, ABOVE, -1, Number.NaN, -Infinity],
    remedy: `0, a positive float32 from ${FLOAT}, or Infinity to only measure`,
  },
  readLimit: {
    read: (value) => readLimit(value, "x", -Infinity),
    takes: [0, [-0, 0], SMALLEST, -SMALLEST, 1, [0.1, Math.fround(0.1)], LARGEST, -LARGEST, -Infinity],
    refuses: [BELOW, -BELOW, ABOVE, -ABOVE, Infinity, Number.NaN],
    remedy: `0, a float32 whose magnitude is from ${FLOAT}, or -Infinity for no limit`,
  },
};

describe.each(Object.entries(readers))("%s", (_, { read, takes, refuses, remedy }) => {
  test.each(takes.map((one) => (Array.isArray(one) ? one : [one, one])))("takes %d as %d", (value, wanted) => {
    expect(Object.is(read(value), wanted)).toBe(true);
  });

  test.each(refuses)("refuses %d", (value) => {
    expect(() => read(value)).toThrow(new RangeError(`x is ${value}; pass ${remedy}.`));
  });

  test.each(["1", null, undefined, true, 1n])("refuses %s, which is no number", (value) => {
    expect(() => read(value)).toThrow(new TypeError(`x is ${shown(value)}; pass ${remedy}.`));
  });
});

class Named {}
const nameless = Object.setPrototypeOf({}, Object.create(null, { some: { value: 1 } }));
Object.setPrototypeOf(Object.getPrototypeOf(nameless), Object.create(null));
const elsewhere = runInNewContext("({})");

test.each([
  [5, "5"],
  [true, "true"],
  [null, "null"],
  [undefined, "undefined"],
  [5n, "the bigint 5n"],
  ["a", 'the string "a"'],
  ["a".repeat(41), `the string "${"a".repeat(40)}"`],
  [() => 1, "a function"],
  [[1], "an Array"],
  [{}, "an Object"],
  [Object.create(null), "an Object"],
  [elsewhere, "an Object"],
  [new Named(), "an instance of Named"],
  [nameless, "an instance of a class"],
  [new Float32Array(1), "a Float32Array"],
  [new Uint8Array(1), "a Uint8Array"],
  [new Int8Array(1), "an Int8Array"],
  [new ArrayBuffer(1), "an ArrayBuffer"],
  [/a/, "a RegExp"],
])("a message shows %o as %s", (value, wanted) => {
  expect(shown(value)).toBe(wanted);
});

test.each([
  [{}, true],
  [Object.create(null), true],
  [elsewhere, true],
  [Object.create(Object.create(null)), true],
  [new Named(), false],
  [nameless, false],
  [[], false],
  [null, false],
  [undefined, false],
  [5, false],
  [() => 1, false],
])("%o is plain: %s", (value, wanted) => {
  expect(isPlain(value)).toBe(wanted);
});

test("a memory is filled for a million steps at most", () => {
  expect(LONGEST_WARMUP).toBe(1_000_000);
});

test("a count is a whole number from 0 on that a double holds", () => {
  expect([0, 1, 2 ** 53 - 1].filter(isCount)).toHaveLength(3);
  expect([-1, 0.5, 2 ** 53, Number.NaN, Infinity].filter(isCount)).toEqual([]);
});

test("lists and counts in words", () => {
  expect([[], ["a"], ["a", "b"], ["a", "b", "c"]].map(inWords)).toEqual(["", "a", "a and b", "a, b and c"]);
  expect([0, 1, 2].map((count) => counted(count, "byte"))).toEqual(["0 bytes", "1 byte", "2 bytes"]);
});

test("options are an object's own properties, of known names", () => {
  expect({ ...readOptions(undefined, "options", ["a"]) }).toEqual({});
  expect({ ...readOptions({ a: 1 }, "options", ["a", "b"]) }).toEqual({ a: 1 });
  expect(Object.getPrototypeOf(readOptions({}, "options", ["a"]))).toBeNull();
  const pass = "pass an object with a and b.";
  for (const value of [null, 5, "a", [], new Named()]) {
    const message = `options is ${shown(value)}; ${pass}`;
    expect(() => readOptions(value, "options", ["a", "b"])).toThrow(new TypeError(message));
  }
  const message = 'options has an unknown property "c"; it takes a and b.';
  expect(() => readOptions({ a: 1, c: 2 }, "options", ["a", "b"])).toThrow(new TypeError(message));
  expect(refuseUnknownKeys({ b: 1, a: 2 }, "options", ["a", "b"])).toEqual(["b", "a"]);
});

test("one of several words, and booleans", () => {
  expect(readOneOf("b", "x", ["a", "b"])).toBe("b");
  expect(() => readOneOf("c", "x", ["a", "b"])).toThrow(new TypeError('x is the string "c"; use "a" or "b".'));
  expect([true, false].map((value) => readBoolean(value, "x"))).toEqual([true, false]);
  expect(() => readBoolean(1, "x")).toThrow(new TypeError("x is 1; pass true or false."));
});

test("TypeGPU's objects are named, and others are not looked at", () => {
  for (const value of [undefined, null, 5, {}, { resourceType: 5 }]) refuseTypeGPU(value, "x");
  expect(() => refuseTypeGPU({ resourceType: "buffer" }, "x")).toThrow(
    new TypeError("x is TypeGPU's buffer; pass what root.unwrap(...) gives for it."),
  );
});
