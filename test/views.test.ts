/** What views and lists of them are read as, without a device: bytes, lengths, shapes, destinations, parameters and names. */
import { describe, expect, test } from "vitest";
import { checkGradients, type Gradients, keyOf, readGivenGradients } from "../src/gradients.ts";
import { checkView, type Declared, readView } from "../src/view.ts";

function fakeBuffer(size: number, label = ""): GPUBuffer {
  return { size, usage: 0x80, mapState: "unmapped", label, mapAsync() {} } as unknown as GPUBuffer;
}

const [buffer, other] = [fakeBuffer(32), fakeBuffer(32)];
const KNOWN = { index: 3, name: "w", group: "a" };

function viewed(gradient: unknown, examples = 1, most?: number): Declared {
  return checkView(readView(gradient, KNOWN.index, KNOWN.name), KNOWN, examples, most);
}

function bytes(of: unknown, byteOffset: number, byteLength: number) {
  return { buffer: of, byteOffset, byteLength };
}

const halves = new Uint16Array(new ArrayBuffer(16), 4, 6);
/** Imitates Float16Array, which Node 20 lacks. */
class Float16 extends Uint16Array {
  override get [Symbol.toStringTag]() {
    return "Float16Array" as "Uint16Array";
  }
}

const instance = new (class {
  get buffer() {
    return buffer;
  }
  get byteOffset() {
    return 8;
  }
})();

test.each<[string, unknown, object]>([
  ["a buffer", buffer, { length: 8, dtype: "f32", source: bytes(buffer, 0, 32) }],
  ["a view from an offset on", { buffer, byteOffset: 8 }, { length: 6, source: bytes(buffer, 8, 24) }],
  ["a view of some elements", { buffer, byteOffset: 8, length: 2 }, { length: 2, source: bytes(buffer, 8, 8) }],
  ["a view of none, at the end", { buffer, byteOffset: 32 }, { length: 0, source: bytes(buffer, 32, 0) }],
  ["16-bit elements", { buffer, byteOffset: 6, dtype: "bf16" }, { length: 13, source: bytes(buffer, 6, 26) }],
  ["an array's", { buffer: halves, dtype: "f16", byteOffset: 2 }, { length: 5, source: bytes(halves.buffer, 6, 10) }],
  ["a Float16Array", new Float16(4), { length: 4, dtype: "f16" }],
  ["a view of a Float16Array", { buffer: new Float16(4) }, { length: 4, dtype: "f16" }],
  ["getters of a class", instance, { length: 6, source: bytes(buffer, 8, 24) }],
  ["a shape", { buffer, shape: [2, 4] }, { length: 8, shape: [2, 4] }],
  ["a shape without axes", { buffer, length: 1, shape: [] }, { length: 1, shape: [] }],
  ["a destination", { buffer, into: { buffer: other } }, { into: { ...bytes(other, 0, 32), dtype: "f32" } }],
  [
    "a wide destination",
    { buffer, length: 4, dtype: "f16", into: { buffer: other, byteOffset: 4, dtype: "f32" } },
    { source: bytes(buffer, 0, 8), into: { ...bytes(other, 4, 16), dtype: "f32" } },
  ],
  ["a destination that is the source", { buffer, into: { buffer } }, { length: 8, into: undefined }],
  [
    "a destination behind the source",
    { buffer, length: 4, into: { buffer, byteOffset: 16 } },
    { into: { ...bytes(buffer, 16, 16), dtype: "f32" } },
  ],
  [
    "a parameter of another dtype",
    { buffer, parameter: { buffer: other, byteOffset: 4, dtype: "bf16" } },
    { parameter: { source: bytes(other, 4, 16), dtype: "bf16" } },
  ],
])("%s", (_, gradient, wanted) => {
  expect(viewed(gradient)).toMatchObject({ ...KNOWN, label: 'gradients[3] "w"', ...wanted });
});

test("without a buffer a gradient is declared: with a length, and no place", () => {
  const read = { ...KNOWN, label: 'gradients[3] "w"' };
  expect(viewed({ length: 6, shape: [2, 3], dtype: "f16" })).toEqual({
    ...read,
    length: 6,
    shape: [2, 3],
    dtype: "f16",
  });
  expect(viewed({ length: 6 })).toEqual({ ...read, length: 6, dtype: "f32", shape: undefined });
});

test("a list that changes after it was read changes no shape", () => {
  const shape = [8];
  const read = readView({ buffer, shape }, 0, undefined);
  shape[0] = 4;
  expect(checkView(read, KNOWN, 1, undefined).shape).toEqual([8]);
});

describe("of four examples", () => {
  test("a destination has room for the sum, which has its place in the first example otherwise", () => {
    expect(viewed({ buffer, into: { buffer: other } }, 4)).toMatchObject({ into: bytes(other, 0, 8) });
    expect(viewed({ buffer, into: { buffer } }, 4)).toMatchObject({ into: undefined });
  });

  test.each([
    [8, 8],
    [6, 8],
    [2, 8],
    [0, 8],
    [5, 5],
    [1, 1],
    [12, 12],
  ])("the first %d of 8 elements count as %d", (length, wanted) => {
    const view = { buffer: fakeBuffer(64), length };
    expect(viewed(view, 4, 8)).toMatchObject({ length: wanted, source: { byteLength: 4 * length } });
    expect(viewed({ ...view, into: { buffer: other } }, 4, 8)).toMatchObject({
      into: { byteLength: 4 * Math.floor(wanted / 4) },
    });
  });
});

const at = 'gradients[3] "w"';

test.each<[unknown, new (message: string) => Error, string]>([
  [{ buffer, byteOffset: 36 }, RangeError, `${at} starts at byte 36 of a buffer of 32 bytes; start inside it.`],
  [
    { buffer: fakeBuffer(31) },
    RangeError,
    `${at} spans 31 bytes, which is not a multiple of 4; pass its length in elements.`,
  ],
  [{ buffer, length: -1 }, RangeError, `${at}.length is -1; pass a whole number of elements.`],
  [{ length: 1.5 }, RangeError, `${at}.length is 1.5; pass a whole number of elements.`],
  [{ buffer, dtype: "f64" }, TypeError, `${at}.dtype is the string "f64"; use "f32" or "f16" or "bf16".`],
  [
    { buffer: halves },
    TypeError,
    `${at}.buffer is a Uint16Array and its dtype is missing; add dtype: "f16" or "bf16".`,
  ],
  [{ buffer, shape: 8 }, TypeError, `${at}.shape is 8; pass a list of whole numbers.`],
  [{ buffer, shape: [8.5] }, TypeError, `${at}.shape is an Array; pass a list of whole numbers.`],
  [{ buffer, shape: [2, 3] }, RangeError, `${at}.shape is [2,3], but it has 8 elements; pass a shape with as many.`],
  [{ buffer, name: 5 }, TypeError, `${at}.name is 5; pass a string.`],
  [{ buffer, into: { buffer: other, dtype: "f16" } }, TypeError, `${at}.into.dtype is the string "f16"; use "f32".`],
  [
    { buffer, into: { buffer: other, length: 8 } },
    TypeError,
    `${at}.into has an unknown property "length"; it takes buffer, byteOffset and dtype.`,
  ],
  [
    { buffer, name: "v", parameter: { buffer: other, shape: [8] } },
    TypeError,
    'gradients[3] "v".parameter has an unknown property "shape"; it takes buffer, byteOffset and dtype.',
  ],
  [
    { buffer, into: { buffer: other, byteOffset: 4 } },
    RangeError,
    `${at}.into needs 32 bytes from byte 4 (8 elements), but the buffer has 32; pass at most 7, or a longer buffer.`,
  ],
  [
    { buffer, parameter: { buffer: fakeBuffer(28) } },
    RangeError,
    `${at}.parameter needs 32 bytes from byte 0 (8 elements), but the buffer has 28; pass at most 7, or a longer buffer.`,
  ],
  [5, TypeError, `${at} is 5; pass a GPUBuffer, a Float32Array or a view { buffer, byteOffset, length }.`],
  [
    new Uint16Array(4),
    TypeError,
    `${at} is a Uint16Array; pass a view { buffer, dtype: "f16" } or { buffer, dtype: "bf16" }.`,
  ],
  [
    new Uint8Array(4),
    TypeError,
    `${at} is a Uint8Array; pass a GPUBuffer, a Float32Array or a view { buffer, byteOffset, length }.`,
  ],
  [
    new (class Lengths {
      length = 4;
    })(),
    TypeError,
    `${at} is an instance of Lengths; pass a GPUBuffer, a Float32Array or a view { buffer, byteOffset, length }.`,
  ],
  [
    { length: 4, byteOffset: 4 },
    TypeError,
    `${at} without a buffer has an unknown property "byteOffset"; it takes length, dtype, name, group and shape.`,
  ],
])("refused: case %#", (gradient, kind, message) => {
  expect(() => viewed(gradient)).toThrow(new kind(message));
});

function listed(gradients: unknown, prepared?: unknown) {
  const first = prepared === undefined ? undefined : checkGradients(readGivenGradients(prepared as Gradients));
  return checkGradients(readGivenGradients(gradients as Gradients, first), undefined, first);
}

describe("a list", () => {
  test("has places, those that are declared, and those that are present and have elements", () => {
    const list = listed([null, buffer, { buffer: other, length: 0 }, undefined, { length: 2, name: "e", group: 5 }]);
    expect(list.places.map((place) => place?.length)).toEqual([undefined, 8, 0, undefined, 2]);
    expect(list.declared.map(({ index }) => index)).toEqual([1, 4]);
    expect(list.declared[1]).toMatchObject({ name: "e", group: 5, label: 'gradients[4] "e"' });
    expect(list.tensors.map(({ index }) => index)).toEqual([1]);
    expect(list).toMatchObject({
      backend: "webgpu",
      keys: undefined,
      names: [undefined, undefined, undefined, undefined, "e"],
    });
    expect(listed([new Float32Array(1)]).backend).toBe("cpu");
    expect(listed([]).backend).toBeUndefined();
  });

  test("names a gradient by its view, else by its key, else by its buffer's label", () => {
    const labelled = fakeBuffer(4, "fresh");
    expect(listed([{ buffer: labelled, name: "v" }, fakeBuffer(4, "b")]).names).toEqual(["v", "b"]);
    expect(listed({ a: labelled, b: { buffer, name: "v" }, "": fakeBuffer(4, "c") }).names).toEqual(["a", "v", "c"]);
    expect(listed(new Map([["a", labelled]]))).toMatchObject({ names: ["a"], keys: ["a"] });
  });

  test("at a step has prepare's order, names and groups", () => {
    const prepared = { a: { buffer, name: "x", group: "g" }, b: other };
    const list = listed({ b: { buffer: other, group: "h" }, a: { buffer: fakeBuffer(32), name: "y" } }, prepared);
    expect(list.tensors.map(({ name, group }) => [name, group])).toEqual([
      ["x", "g"],
      ["b", undefined],
    ]);
    const fewer = listed({ b: other }, prepared);
    expect(fewer.tensors.map(({ index }) => index)).toEqual([1]);
    expect(fewer.declared.map(({ index }) => index)).toEqual([0, 1]);
    expect(fewer.declared[0]).toEqual({
      index: 0,
      name: "x",
      label: 'gradients[0] "x"',
      length: 8,
      dtype: "f32",
      group: "g",
      shape: undefined,
    });
  });

  test.each<[unknown, string]>([
    [undefined, "undefined"],
    [null, "null"],
    [5, "5"],
    [new Float32Array(1), "a Float32Array"],
    [buffer, "an Object"],
    [new Date(0), "a Date"],
  ])("is none: case %#", (gradients, shown) => {
    const each = "each a GPUBuffer, a Float32Array or a view { buffer, byteOffset, length }.";
    const message = `gradients is ${shown}; pass a list or an object of gradients, ${each}`;
    expect(() => listed(gradients)).toThrow(new TypeError(message));
  });

  test("of a method without examples has destinations for all, and may be empty at a step", () => {
    const view = { buffer, into: { buffer: other } };
    expect(listed([view]).tensors[0]).toMatchObject({ into: bytes(other, 0, 32) });
    expect(listed([{ ...view, length: 0 }], [view]).places[0]).toMatchObject({ length: 0 });
    const prepared = checkGradients(readGivenGradients([view]), 4);
    expect(prepared.tensors[0]).toMatchObject({ length: 8, into: bytes(other, 0, 8) });
    const few = readGivenGradients([{ ...view, length: 4 }], prepared);
    expect(checkGradients(few, 4, prepared).tensors[0]).toMatchObject({ length: 8, source: bytes(buffer, 0, 16) });
  });

  test.each<[unknown, unknown, new (message: string) => Error, string]>([
    [{ a: buffer }, [buffer], TypeError, "gradients has names, but the clip was prepared for a list; pass a list."],
    [
      [buffer],
      { a: buffer },
      TypeError,
      "gradients is a list, but the clip was prepared for names; pass an object or a Map.",
    ],
    [[buffer], [buffer, other], RangeError, "There is 1 gradient, but the clip was prepared for 2; prepare another."],
    [[], [buffer], RangeError, "There are 0 gradients, but the clip was prepared for 1; prepare another."],
    [
      { a: buffer, b: null },
      { a: buffer },
      RangeError,
      'gradients has "b", which the clip was not prepared for; prepare another.',
    ],
  ])("that is not as prepared is refused: case %#", (now, then, kind, message) => {
    expect(() => listed(now, then)).toThrow(new kind(message));
  });

  const both = "are a GPUBuffer and an array; pass all on the GPU or all as arrays.";
  const array = new Float32Array(8);
  test.each<[unknown, string]>([
    [[buffer, array], `gradients[0] and gradients[1] ${both}`],
    [[array, buffer], `gradients[1] and gradients[0] ${both}`],
    [[{ buffer, into: { buffer: array } }], `gradients[0] and its into ${both}`],
    [[{ buffer: array, into: { buffer } }], `gradients[0] and its into ${both}`],
    [[{ buffer, parameter: { buffer: array } }], `gradients[0] and its parameter ${both}`],
  ])("with both buffers and arrays is refused: case %#", (list, message) => {
    expect(() => listed(list)).toThrow(new TypeError(message));
  });
});

describe("a list's key", () => {
  const key = (...views: unknown[]) => keyOf(readGivenGradients(views as Gradients));

  test("has all that a plan and its bindings depend on, and neither names nor groups", () => {
    expect(key(null)).toEqual([undefined, undefined, undefined, undefined, undefined]);
    expect(key({ length: 2, name: "a", group: "b" })).toEqual([true, undefined, undefined, 2, undefined]);
    const view = { buffer, byteOffset: 4, length: 2, dtype: "f16", shape: [2, 1] };
    const into = { buffer: other, byteOffset: 8, dtype: "f32" };
    expect(key({ ...view, into, parameter: { ...into, dtype: "bf16" } })).toEqual([
      ...[false, buffer, 4, 2, "f16"],
      ...["into", other, 8, "f32"],
      ...["parameter", other, 8, "bf16"],
      ...["shape", 2, 1],
    ]);
  });

  test("with a shape that will be refused is the same as no other", () => {
    expect(key({ buffer, shape: 5 }).at(-1)).toEqual({});
    expect(key({ buffer, shape: 5 }).at(-1)).not.toBe(key({ buffer, shape: 5 }).at(-1));
  });
});
