/** Bytes of buffers and arrays: what is taken for a buffer, and where ranges may begin and end. */
import { describe, expect, test } from "vitest";
import {
  arrayType,
  backendOf,
  bufferOf,
  byteOffsetOf,
  type Dtype,
  ELEMENT_BYTES,
  idOf,
  isGPUBuffer,
  isSame,
  type Range,
  rangeIn,
} from "../src/ranges.ts";
import { sourceIn } from "../src/source.ts";

const STORAGE = 0x80;

function fakeBuffer(size: number, extras: object = {}): GPUBuffer {
  return { size, usage: STORAGE, mapState: "unmapped", mapAsync() {}, ...extras } as unknown as GPUBuffer;
}

function wholeOf(buffer: Range["buffer"], byteLength: number, byteOffset = 0): Range {
  return { buffer, byteOffset, byteLength };
}

test("an object with a size, a usage and mapAsync is a buffer, and nothing else is", () => {
  const { size, usage, mapAsync } = fakeBuffer(4);
  expect(isGPUBuffer({ size, usage, mapAsync })).toBe(true);
  const others = [
    { usage, mapAsync },
    { size, mapAsync },
    { size, usage },
    { size: "4", usage, mapAsync },
    { size, usage, mapAsync: true },
    new Float32Array(1),
    new ArrayBuffer(4),
    null,
    undefined,
    4,
    () => 4,
  ];
  expect(others.filter(isGPUBuffer)).toEqual([]);
  expect([backendOf(fakeBuffer(4)), backendOf(new ArrayBuffer(4))]).toEqual(["webgpu", "cpu"]);
  expect([new Float32Array(1), new DataView(new ArrayBuffer(1)), [1], 5].map(arrayType)).toEqual([
    "Float32Array",
    "DataView",
    undefined,
    undefined,
  ]);
});

test("elements of 4 bytes and of 2", () => {
  expect(ELEMENT_BYTES).toEqual({ f32: 4, f16: 2, bf16: 2 });
});

describe("a whole buffer or array", () => {
  const array = new Float32Array(new ArrayBuffer(32), 8, 4);
  const bytes = new Uint8Array(array.buffer, 3, 5);
  const halves = new Uint16Array(array.buffer, 2, 3);

  test.each<[unknown, Dtype, number, number]>([
    [fakeBuffer(20), "f32", 0, 20],
    [fakeBuffer(20, { mapState: undefined }), "f16", 0, 20],
    [fakeBuffer(20, { usage: STORAGE | 4 }), "f32", 0, 20],
    [array, "f32", 8, 16],
    [bytes, "f32", 3, 5],
    [bytes, "bf16", 3, 5],
    [halves, "f16", 2, 6],
    [halves, "bf16", 2, 6],
    [new Float32Array(0), "f32", 0, 0],
  ])("case %#: its bytes", (buffer, dtype, byteOffset, byteLength) => {
    expect(bufferOf(buffer, dtype, "w")).toMatchObject({ byteOffset, byteLength });
  });

  const remedy = { f32: "a Float32Array", f16: "a Float16Array, a Uint16Array", bf16: "a Uint16Array" };

  test.each<[unknown, Dtype, string]>([
    [fakeBuffer(4, { usage: 4 }), "f32", "w is a buffer with usage 0x4, without STORAGE (0x80); add that usage."],
    [
      fakeBuffer(4, { usage: 0x81 - STORAGE }),
      "f32",
      "w is a buffer with usage 0x1, without STORAGE (0x80); add that usage.",
    ],
    [fakeBuffer(4, { mapState: "mapped" }), "f32", 'w is a buffer whose mapState is "mapped"; unmap it first.'],
    [
      array,
      "f16",
      `w.buffer is a Float32Array, but the dtype is "f16"; pass a GPUBuffer, ${remedy.f16} or a Uint8Array of their bytes.`,
    ],
    [halves, "f32", `w.buffer is a Uint16Array; pass a GPUBuffer, ${remedy.f32} or a Uint8Array of their bytes.`],
    [
      [1],
      "bf16",
      `w.buffer is an Array, but the dtype is "bf16"; pass a GPUBuffer, ${remedy.bf16} or a Uint8Array of their bytes.`,
    ],
    [undefined, "f32", `w.buffer is undefined; pass a GPUBuffer, ${remedy.f32} or a Uint8Array of their bytes.`],
  ])("case %#: is refused", (buffer, dtype, message) => {
    expect(() => bufferOf(buffer, dtype, "w")).toThrow(new TypeError(message));
  });

  test("that lost its memory", () => {
    const lost = new Float32Array(2);
    structuredClone(lost.buffer, { transfer: [lost.buffer] });
    const message = "w is on a detached ArrayBuffer; pass the array that owns it now.";
    expect(() => bufferOf(lost, "f32", "w")).toThrow(new TypeError(message));
  });
});

test.each([
  [undefined, 4, 0],
  [0, 4, 0],
  [4, 4, 4],
  [6, 2, 6],
  [2 ** 40, 4, 2 ** 40],
])("the byte offset %s, a multiple of %d, is %d", (value, multiple, wanted) => {
  expect(byteOffsetOf(value, multiple, "w")).toBe(wanted);
});

test.each([
  [2, "2", RangeError],
  [5, "5", RangeError],
  [-4, "-4", RangeError],
  [4.5, "4.5", RangeError],
  [2 ** 53, "9007199254740992", RangeError],
  [Number.NaN, "NaN", RangeError],
  ["4", 'the string "4"', TypeError],
  [null, "null", TypeError],
  [4n, "the bigint 4n", TypeError],
])("the byte offset %s is refused", (value, shown, kind) => {
  const message = `w.byteOffset is ${shown}; pass a multiple of 4 from 0 on.`;
  expect(() => byteOffsetOf(value, 4, "w")).toThrow(new kind(message));
});

describe("a range", () => {
  const [buffer, memory] = [fakeBuffer(20), new ArrayBuffer(64)];

  test.each<[Range, number, number, Dtype, number, number]>([
    [wholeOf(buffer, 20), 0, 5, "f32", 0, 20],
    [wholeOf(buffer, 20), 8, 3, "f32", 8, 12],
    [wholeOf(buffer, 20), 20, 0, "f32", 20, 0],
    [wholeOf(buffer, 20), 18, 1, "f16", 18, 2],
    // Of these bytes the last 1 to 3 cannot be bound; an array has no such limit.
    [wholeOf(fakeBuffer(22), 22), 0, 5, "f32", 0, 20],
    [wholeOf(fakeBuffer(22), 22), 22, 0, "f16", 22, 0],
    [wholeOf(fakeBuffer(22), 22), 18, 1, "bf16", 18, 2],
    [wholeOf(fakeBuffer(24), 24), 22, 1, "f16", 22, 2],
    [wholeOf(memory, 6), 4, 1, "f16", 4, 2],
    [wholeOf(memory, 16, 8), 4, 3, "f32", 12, 12],
  ])("case %#", (whole, offset, length, dtype, byteOffset, byteLength) => {
    expect(rangeIn(whole, offset, length, dtype, "w")).toEqual({ buffer: whole.buffer, byteOffset, byteLength });
  });

  test.each<[Range, number, number, Dtype, string]>([
    [
      wholeOf(buffer, 20),
      8,
      4,
      "f32",
      "w needs 16 bytes from byte 8 (4 elements), but the buffer has 20; pass at most 3, or a longer buffer.",
    ],
    [
      wholeOf(buffer, 20),
      24,
      1,
      "f32",
      "w needs 4 bytes from byte 24 (1 element), but the buffer has 20; pass at most 0, or a longer buffer.",
    ],
    [wholeOf(memory, 16, 6), 4, 1, "f32", "w starts at byte 10 of its ArrayBuffer; start at a multiple of 4."],
    [wholeOf(memory, 16, 5), 4, 1, "f32", "w starts at byte 9 of its ArrayBuffer; start at a multiple of 4."],
    [
      wholeOf(fakeBuffer(22), 22),
      20,
      1,
      "f16",
      "w ends at byte 22 of a buffer of 22 bytes, of which 20 can be bound; pad the buffer to 24.",
    ],
  ])("case %# is refused", (whole, offset, length, dtype, message) => {
    expect(() => rangeIn(whole, offset, length, dtype, "w")).toThrow(new RangeError(message));
  });

  test("is the same where buffer, offset and length are", () => {
    const one = { buffer, byteOffset: 4, byteLength: 8 };
    const others = [{ buffer: memory }, { byteOffset: 0 }, { byteLength: 4 }].map((change) => ({ ...one, ...change }));
    expect(isSame(one, { ...one })).toBe(true);
    expect(others.map((other) => isSame(one, other))).toEqual([false, false, false]);
  });

  test("each buffer has a number of its own", () => {
    const [first, second] = [idOf(buffer), idOf(memory)];
    expect(second).not.toBe(first);
    expect([idOf(buffer), idOf(memory)]).toEqual([first, second]);
  });
});

test("one float32 in a buffer", () => {
  const buffer = fakeBuffer(8);
  expect(sourceIn(buffer, undefined, "w")).toEqual({ buffer, byteOffset: 0 });
  expect(sourceIn(buffer, 4, "w")).toEqual({ buffer, byteOffset: 4 });
  const range = "w needs 4 bytes from byte 8, but the buffer has 8; pass a buffer that holds one float32.";
  expect(() => sourceIn(buffer, 8, "w")).toThrow(new RangeError(range));
  const multiple = "w.byteOffset is 5; pass a multiple of 4 from 0 on.";
  expect(() => sourceIn(buffer, 5, "w")).toThrow(new RangeError(multiple));
  const usage = "w is a buffer with usage 0x4, without STORAGE (0x80); add that usage.";
  expect(() => sourceIn(fakeBuffer(8, { usage: 4 }), 0, "w")).toThrow(new TypeError(usage));
});
