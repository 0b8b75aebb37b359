/** What options are read as, and refused for, without a device. */
import { expect, test } from "vitest";
import {
  adaptiveGradClip,
  type ClipMethod,
  type ClipOptions,
  clipByGlobalNorm,
  clipByGroupNorm,
  clipByNorm,
  clipPerExample,
  createClipper,
  skipAbove,
} from "../src/index.ts";
import { checkOptions } from "../src/options.ts";

const buffer = { size: 8, usage: 0x80, mapState: "unmapped", mapAsync() {} } as unknown as GPUBuffer;
const method = clipByGlobalNorm(1);

function read(options: unknown, of: ClipMethod = method) {
  return checkOptions(options as ClipOptions, of);
}

const DEFAULTS = {
  nonFinite: "zero",
  apply: "scale",
  gradScale: 1,
  totalNorm: undefined,
  skip: undefined,
  tensorNorms: false,
  history: undefined,
};

test.each<[object | undefined, object?]>([
  [undefined, {}],
  [{}],
  [{ nonFinite: "keep" }],
  [{ nonFinite: "propagate", apply: "record" }],
  [{ gradScale: 2 ** -126 }],
  [{ gradScale: 0.1 }, { gradScale: Math.fround(0.1) }],
  [{ gradScale: buffer }, { gradScale: { buffer, byteOffset: 0 } }],
  [{ totalNorm: 0 }],
  [{ totalNorm: Infinity }],
  [{ totalNorm: Number.NaN }],
  [{ totalNorm: { buffer } }, { totalNorm: { buffer, byteOffset: 0 } }],
  [{ totalNorm: { buffer, byteOffset: 4 } }],
  [{ tensorNorms: true }],
  [{ history: 1 }],
  [{ history: 65_536 }],
])("%o", (given, wanted = given) => {
  expect(read(given)).toEqual({ ...DEFAULTS, ...wanted });
});

const FLOAT = "a positive float32 from 1.1754943508222875e-38 to 3.4028234663852886e+38";
const HISTORY = "pass a whole number from 1 to 65536.";
const RULE = "pass what skipAbove(100) or skipSpikes() returns.";

test.each<[object, new (message: string) => Error, string]>([
  [{ nonFinite: 0 }, TypeError, 'options.nonFinite is 0; use "zero" or "keep" or "propagate".'],
  [{ apply: "none" }, TypeError, 'options.apply is the string "none"; use "scale" or "record".'],
  [{ gradScale: 0 }, RangeError, `options.gradScale is 0; pass ${FLOAT}.`],
  [{ gradScale: null }, TypeError, "options.gradScale is null; pass a number, or a GPUBuffer that holds one float32."],
  [
    { gradScale: { resourceType: "buffer" } },
    TypeError,
    "options.gradScale is TypeGPU's buffer; pass what root.unwrap(...) gives for it.",
  ],
  [{ totalNorm: -1 }, RangeError, "options.totalNorm is -1; pass a norm, which is at least 0."],
  [{ totalNorm: null }, TypeError, "options.totalNorm is null; pass a norm, which is at least 0."],
  [{ totalNorm: {} }, TypeError, "options.totalNorm.buffer is undefined; pass a GPUBuffer that holds one float32."],
  [
    { totalNorm: { buffer: { resourceType: "buffer" } } },
    TypeError,
    "options.totalNorm.buffer is TypeGPU's buffer; pass what root.unwrap(...) gives for it.",
  ],
  [{ tensorNorms: 1 }, TypeError, "options.tensorNorms is 1; pass true or false."],
  [{ history: 0 }, RangeError, `options.history is 0; ${HISTORY}`],
  [{ history: 65_537 }, RangeError, `options.history is 65537; ${HISTORY}`],
  [{ skip: null }, TypeError, `options.skip is null; ${RULE}`],
  [{ skip: {} }, TypeError, `options.skip is an Object; ${RULE}`],
  [{ skip: { ...skipAbove(1), begin: undefined } }, TypeError, `options.skip is an Object; ${RULE}`],
  [{ skip: { ...skipAbove(1), passes: undefined } }, TypeError, `options.skip is an Object; ${RULE}`],
])("case %# is refused", (given, kind, message) => {
  expect(() => read(given)).toThrow(new kind(message));
});

test.each(["gradScale", "totalNorm"])("a buffer as %s is refused for arrays", async (key) => {
  const clipper = await createClipper({ backend: "cpu" });
  const options = { [key]: key === "gradScale" ? buffer : { buffer } };
  const message = `options.${key} is a GPUBuffer, but the gradients are arrays; pass a number.`;
  expect(() => clipper.prepare([new Float32Array(1)], method, options)).toThrow(new TypeError(message));
});

test("a skip rule is copied", () => {
  const rule = skipAbove(1);
  const { skip } = read({ skip: rule });
  expect(skip).toEqual(rule);
  expect(skip).not.toBe(rule);
});

test("each gradient is measured too where the method does not do so by itself", () => {
  const measured = [method, clipByGroupNorm({ a: 1 }), clipByNorm(1), adaptiveGradClip()];
  expect(measured.map((one) => read({ tensorNorms: true }, one).tensorNorms)).toEqual([true, true, false, false]);
  const members = clipPerExample(1, { examples: 2 });
  expect(read({ tensorNorms: false }, members).tensorNorms).toBe(false);
  const message = "options.tensorNorms is true, but clipPerExample takes no norm of a whole gradient; leave it out.";
  expect(() => read({ tensorNorms: true }, members)).toThrow(new TypeError(message));
});

test("a method looks at the options itself", () => {
  const seen: unknown[] = [];
  const options = read({ history: 3 }, { ...method, checkOptions: (checked) => seen.push(checked) });
  expect(seen).toEqual([options]);
});
