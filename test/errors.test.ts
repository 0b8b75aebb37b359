/** Gradients that cannot be clipped are refused before anything happens, alike on the GPU and on the CPU. */
import { describe, test } from "vitest";
import type { Gradients } from "../src/index.ts";
import { bench, cpu } from "./support/bench.ts";
import { type ErrorClass, refusedOnArrays } from "./support/refused.ts";

type Memory = GPUBuffer | Float32Array;
/** Memory on the side that is tested, of these values. */
type Make = (values: number[]) => Memory;
type Row = [name: string, gradients: (make: Make) => unknown, kind: ErrorClass, message: string | RegExp];

const ACCEPTED = "a GPUBuffer, a Float32Array or a view { buffer, byteOffset, length }";

function notAList(shown: string): [ErrorClass, string] {
  return [TypeError, `gradients is ${shown}; pass a list or an object of gradients, each ${ACCEPTED}.`];
}

const lists: Row[] = [
  ["undefined", () => undefined, ...notAList("undefined")],
  ["null", () => null, ...notAList("null")],
  ["a string", () => "abc", ...notAList('the string "abc"')],
  ["a number", () => 5, ...notAList("5")],
  ["a function", () => () => [], ...notAList("a function")],
  ["a Float32Array that is not in a list", () => new Float32Array(2), ...notAList("a Float32Array")],
  ["a Float64Array", () => new Float64Array(2), ...notAList("a Float64Array")],
  ["a DataView", () => new DataView(new ArrayBuffer(8)), ...notAList("a DataView")],
  ["an ArrayBuffer", () => new ArrayBuffer(8), ...notAList("an ArrayBuffer")],
  ["a SharedArrayBuffer", () => new SharedArrayBuffer(8), ...notAList("a SharedArrayBuffer")],
  ["a GPUBuffer that is not in a list", () => bench.buffer([1, 2]), ...notAList("a GPUBuffer")],
  ["a promise that was not awaited", (make) => Promise.resolve([make([1])]), ...notAList("a Promise")],
];

function notAGradient(shown: string, label = "gradients[1]"): [ErrorClass, string] {
  return [TypeError, `${label} is ${shown}; pass ${ACCEPTED}.`];
}

const entries: Row[] = (
  [
    ["a number", () => 5, "5"],
    ["a string", () => "w", 'the string "w"'],
    ["true", () => true, "true"],
    ["a bigint", () => 1n, "the bigint 1n"],
    ["a symbol", () => Symbol("w"), "Symbol(w)"],
    ["a function", () => () => 1, "a function"],
    ["an array of numbers", () => [1, 2], "an Array"],
    ["a Float64Array", () => new Float64Array(2), "a Float64Array"],
    ["an Int32Array", () => new Int32Array(2), "an Int32Array"],
    ["a DataView", () => new DataView(new ArrayBuffer(8)), "a DataView"],
    ["an ArrayBuffer", () => new ArrayBuffer(8), "an ArrayBuffer"],
    ["an object with a size", () => ({ size: 256 }), "an Object"],
    ["a promise", () => Promise.resolve(), "a Promise"],
    ["a GPUTexture", () => texture(), "a GPUTexture"],
  ] as [string, () => unknown, string][]
).map(([name, entry, shown]) => [name, (make) => [make([1, 2]), entry()], ...notAGradient(shown)]);

function texture(): GPUTexture {
  return bench.device.createTexture({ size: [4], format: "r8unorm", usage: 1 });
}

/** The second of two gradients, over 16 bytes, with this in its view. */
function view(extras: object): (make: Make) => unknown {
  return (make) => [make([1, 2]), { buffer: make([3, 4, 5, 6]), ...extras }];
}

const POSITION = (label: string, shown: string) => `${label}.byteOffset is ${shown}; pass a multiple of 4 from 0 on.`;
const COUNT = (shown: string) => `gradients[1].length is ${shown}; pass a whole number of elements.`;

const views: Row[] = [
  [
    "a property that is misspelt",
    view({ offset: 4 }),
    TypeError,
    /^gradients\[1\] has an unknown property "offset"; it takes buffer, byteOffset, length, dtype, into,? .*\.$/,
  ],
  [
    "a buffer that is missing",
    () => [{ buffer: undefined }],
    TypeError,
    "gradients[0].buffer is undefined; pass a GPUBuffer, a Float32Array or a Uint8Array of their bytes.",
  ],
  [
    "a buffer that is an ArrayBuffer",
    () => [{ buffer: new ArrayBuffer(8) }],
    TypeError,
    "gradients[0].buffer is an ArrayBuffer; pass a GPUBuffer, a Float32Array or a Uint8Array of their bytes.",
  ],
  [
    "a buffer that is a list",
    () => [{ buffer: [1, 2] }],
    TypeError,
    "gradients[0].buffer is an Array; pass a GPUBuffer, a Float32Array or a Uint8Array of their bytes.",
  ],
  [
    "a dtype that does not exist",
    view({ dtype: "f64" }),
    TypeError,
    /^gradients\[1\]\.dtype is the string "f64"; use "f32".*\.$/,
  ],
  ["a dtype that is no string", view({ dtype: 32 }), TypeError, /^gradients\[1\]\.dtype is 32; use "f32".*\.$/],
  ["a byteOffset between elements", view({ byteOffset: 2 }), RangeError, POSITION("gradients[1]", "2")],
  ["a byteOffset that is no whole number", view({ byteOffset: 4.5 }), RangeError, POSITION("gradients[1]", "4.5")],
  ["a negative byteOffset", view({ byteOffset: -4 }), RangeError, POSITION("gradients[1]", "-4")],
  ["a byteOffset of NaN", view({ byteOffset: Number.NaN }), RangeError, POSITION("gradients[1]", "NaN")],
  ["a byteOffset of 2^53", view({ byteOffset: 2 ** 53 }), RangeError, POSITION("gradients[1]", "9007199254740992")],
  [
    "a byteOffset that is a string",
    view({ byteOffset: "4" }),
    TypeError,
    /^gradients\[1\]\.byteOffset is the string "4"; pass a .*\.$/,
  ],
  [
    "a byteOffset that is null",
    view({ byteOffset: null }),
    TypeError,
    /^gradients\[1\]\.byteOffset is null; pass a .*\.$/,
  ],
  [
    "a byteOffset behind the end",
    view({ byteOffset: 20 }),
    RangeError,
    "gradients[1] starts at byte 20 of a buffer of 16 bytes; start inside it.",
  ],
  [
    "elements where the buffer ends",
    view({ byteOffset: 16, length: 1 }),
    RangeError,
    "gradients[1] needs 4 bytes from byte 16 (1 element), but the buffer has 16; pass at most 0, or a longer buffer.",
  ],
  [
    "more elements than the buffer has",
    view({ length: 5 }),
    RangeError,
    "gradients[1] needs 20 bytes from byte 0 (5 elements), but the buffer has 16; pass at most 4, or a longer buffer.",
  ],
  [
    "more elements than the rest has",
    view({ byteOffset: 8, length: 3 }),
    RangeError,
    "gradients[1] needs 12 bytes from byte 8 (3 elements), but the buffer has 16; pass at most 2, or a longer buffer.",
  ],
  ["a length of 4.5", view({ length: 4.5 }), RangeError, COUNT("4.5")],
  ["a negative length", view({ length: -1 }), RangeError, COUNT("-1")],
  ["a length of NaN", view({ length: Number.NaN }), RangeError, COUNT("NaN")],
  ["a length of Infinity", view({ length: Infinity }), RangeError, COUNT("Infinity")],
  ["a length of 2^53", view({ length: 2 ** 53 }), RangeError, COUNT("9007199254740992")],
  [
    "a length that is a string",
    view({ length: "4" }),
    TypeError,
    /^gradients\[1\]\.length is the string "4"; pass a .*\.$/,
  ],
  [
    "a buffer of other numbers",
    () => [{ buffer: new Float64Array(2) }],
    TypeError,
    "gradients[0].buffer is a Float64Array; pass a GPUBuffer, a Float32Array or a Uint8Array of their bytes.",
  ],
  ["a shape that is no list", view({ shape: 4 }), TypeError, "gradients[1].shape is 4; pass a list of whole numbers."],
  [
    "a shape of fractions",
    view({ shape: [1.5, 2] }),
    TypeError,
    /^gradients\[1\]\.shape is .*; pass a list of whole numbers\.$/,
  ],
  [
    "a shape of another size",
    view({ shape: [2, 3] }),
    RangeError,
    "gradients[1].shape is [2,3], but it has 4 elements; pass a shape with as many.",
  ],
  ["a length that is null", view({ length: null }), TypeError, /^gradients\[1\]\.length is null; pass a .*\.$/],
];

const intos: Row[] = [
  [
    "an into that is null",
    view({ into: null }),
    TypeError,
    "gradients[1].into is null; pass an object with buffer, byteOffset and dtype.",
  ],
  [
    "an into that is bare memory",
    (make) => [{ buffer: make([1]), into: make([1]) }],
    TypeError,
    /^gradients\[0\]\.into(\.buffer)? .*; (pass|it takes) .*\.$/,
  ],
  [
    "an into without a buffer",
    view({ into: {} }),
    TypeError,
    "gradients[1].into.buffer is undefined; pass a GPUBuffer, a Float32Array or a Uint8Array of their bytes.",
  ],
  [
    "an into with a length",
    view({ into: { buffer: 0, length: 4 } }),
    TypeError,
    /^gradients\[1\]\.into has an unknown property "length"; it takes buffer, byteOffset and dtype.*\.$/,
  ],
  [
    "an into between elements",
    (make) => view({ into: { buffer: make([0]), byteOffset: 1 } })(make),
    RangeError,
    POSITION("gradients[1].into", "1"),
  ],
  [
    "an into that is too small",
    (make) => view({ into: { buffer: make([0, 0, 0]) } })(make),
    RangeError,
    "gradients[1].into needs 16 bytes from byte 0 (4 elements), but the buffer has 12; pass at most 3, or a longer buffer.",
  ],
  [
    "an into that starts too late",
    (make) => view({ into: { buffer: make([0, 0, 0, 0]), byteOffset: 4 } })(make),
    RangeError,
    "gradients[1].into needs 16 bytes from byte 4 (4 elements), but the buffer has 16; pass at most 3, or a longer buffer.",
  ],
];

/** Both on one memory of 64 elements. */
function shared(...parts: ((buffer: Memory, make: Make) => object)[]): (make: Make) => unknown {
  return (make) => {
    const buffer = make(new Array(64).fill(1));
    return parts.map((part) => part(buffer, make));
  };
}

const at = (byteOffset: number, length: number) => (buffer: Memory) => ({ buffer, byteOffset, length });
const apart = (byteOffset: number, length: number) => (buffer: Memory, make: Make) => ({
  buffer: make(new Array(length).fill(1)),
  into: { buffer, byteOffset },
});

function overlapping(first: string, second: string, bytes: string): [ErrorClass, string] {
  const [a, b] = [first, second].map((subject) => subject.split(".")[1]);
  const remedy = a === b ? "apart or the same" : "apart";
  return [RangeError, `${first} and ${second} overlap (${bytes} of one buffer); pass ranges that are ${remedy}.`];
}

const overlaps: Row[] = [
  [
    "two gradients that overlap in part",
    shared(at(0, 4), at(8, 4)),
    ...overlapping("gradients[0]", "gradients[1]", "bytes 0 to 16 and bytes 8 to 24"),
  ],
  [
    "two that overlap, the later first",
    shared(at(8, 4), at(0, 3)),
    ...overlapping("gradients[0]", "gradients[1]", "bytes 8 to 24 and bytes 0 to 12"),
  ],
  [
    "one inside another",
    shared(at(0, 64), at(100, 1)),
    ...overlapping("gradients[0]", "gradients[1]", "bytes 0 to 256 and bytes 100 to 104"),
  ],
  [
    "two that begin together",
    shared(at(0, 4), at(0, 3)),
    ...overlapping("gradients[0]", "gradients[1]", "bytes 0 to 16 and bytes 0 to 12"),
  ],
  [
    "one that a long one before others reaches",
    shared(at(0, 64), at(0, 64), at(252, 1)),
    RangeError,
    /^gradients\[[01]\] and gradients\[2\] overlap \(bytes 0 to 256 and bytes 252 to 256 of one buffer\); pass ranges that are apart or the same\.$/,
  ],
  [
    "a gradient and another's into",
    shared(at(0, 4), apart(12, 2)),
    ...overlapping("gradients[0]", "gradients[1].into", "bytes 0 to 16 and bytes 12 to 20"),
  ],
  [
    "a gradient that is another's into",
    shared(at(0, 4), apart(0, 4)),
    ...overlapping("gradients[0]", "gradients[1].into", "bytes 0 to 16 and bytes 0 to 16"),
  ],
  [
    "two intos that overlap in part",
    shared(apart(0, 4), apart(4, 4)),
    ...overlapping("gradients[0].into", "gradients[1].into", "bytes 0 to 16 and bytes 4 to 20"),
  ],
  [
    "one into for two gradients",
    shared(apart(0, 4), apart(0, 4)),
    ...overlapping("gradients[0].into", "gradients[1].into", "bytes 0 to 16 and bytes 0 to 16"),
  ],
  [
    "a gradient and its own into",
    shared((buffer) => ({ buffer, length: 4, into: { buffer, byteOffset: 8 } })),
    ...overlapping("gradients[0]", "gradients[0].into", "bytes 0 to 16 and bytes 8 to 24"),
  ],
];

const names: Row[] = [
  [
    "by the key of an object",
    (make) => ({ bias: make([1]), "lstm/kernel": 5 }),
    ...notAGradient("5", 'gradients[1] "lstm/kernel"'),
  ],
  [
    "by the view's name",
    (make) => [null, { buffer: make([1]), name: "lstm/kernel", length: 2 }],
    RangeError,
    'gradients[1] "lstm/kernel" needs 8 bytes from byte 0 (2 elements), but the buffer has 4; pass at most 1, or a longer buffer.',
  ],
  [
    "by the view's name before the key",
    (make) => ({ a: { buffer: make([1]), name: "b", byteOffset: 1 } }),
    RangeError,
    POSITION('gradients[0] "b"', "1"),
  ],
  [
    "both of an overlap",
    (make) => {
      const buffer = make([1, 2, 3]);
      return { a: { buffer, length: 2 }, b: { buffer, byteOffset: 4 } };
    },
    ...overlapping('gradients[0] "a"', 'gradients[1] "b"', "bytes 0 to 8 and bytes 4 to 12"),
  ],
  ["with quotes escaped", () => ({ 'a "b"': 5 }), ...notAGradient("5", 'gradients[0] "a \\"b\\""')],
  [
    "a property that is misspelt",
    (make) => ({ kernel: { buffer: make([1]), size: 4 } }),
    TypeError,
    /^gradients\[0\] "kernel" has an unknown property "size"; it takes buffer, .*\.$/,
  ],
];

const tables: [string, Row[]][] = [
  ["a list that is", lists],
  ["an entry that is", entries],
  ["a view with", views],
  ["an into:", intos],
  ["an overlap:", overlaps],
  ["a name in the message:", names],
];

describe.each(tables)("%s", (_, rows) => {
  test.each(rows)("%s, on the GPU", async (_, gradients, kind, message) => {
    const make: Make = (values) => bench.buffer(values);
    const given = gradients(make) as Gradients;
    await bench.refuses(() => bench.clipper.prepare(given), kind, message);
  });

  test.each(rows)("%s, on the CPU", async (_, gradients, kind, message) => {
    const arrays: Float32Array[] = [];
    const make: Make = (values) => {
      const array = Float32Array.from(values);
      arrays.push(array);
      return array;
    };
    const given = gradients(make) as Gradients;
    await refusedOnArrays(arrays, () => cpu.prepare(given), kind, message);
  });
});
