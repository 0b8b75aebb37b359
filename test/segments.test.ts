/** Which neighbours are one segment, in which words it is read, and which segments a dispatch may write together: by hand. */
import { describe, expect, test } from "vitest";
import type { Piece } from "../src/pieces.ts";
import type { Dtype, Range } from "../src/ranges.ts";
import type { Tensor } from "../src/view.ts";
import { alignedDown, alignedUp } from "../src/webgpu/alignment.ts";
import {
  apartByWord,
  bytesOf,
  pieceElementsOf,
  type Segment,
  segmentsOf,
  wideningOf,
  wordOf,
} from "../src/webgpu/segments.ts";
import { range, segment, two } from "./support/segments.ts";

interface Given {
  /** Bytes of the source, and where it is. */
  readonly at: number;
  readonly bytes: number;
  readonly in?: GPUBuffer;
  readonly dtype?: Dtype;
  readonly into?: Range & { readonly dtype: Dtype };
  readonly number?: number;
  readonly group?: number;
  readonly first?: number;
  readonly units?: true;
}

/** A piece each, numbered by place unless a number is given. */
function piecesOf(list: readonly Given[]): Piece[] {
  return list.map(({ at, bytes, in: buffer, dtype = "f32", into, number, group = 0, first = 0, units }, i) => {
    const elementBytes = dtype === "f32" ? 4 : 2;
    const source = range(at - elementBytes * first, bytes + elementBytes * first, buffer);
    const tensor = { label: `t${i}`, dtype, source, into } as Tensor;
    const axes = units && { count: 1, size: 1, axes: [] };
    return { tensor, number: number ?? i, first, length: bytes / elementBytes, group, units: axes };
  });
}

const to = (at: number, bytes: number, dtype: Dtype = "f32", buffer = two) => ({ ...range(at, bytes, buffer), dtype });

/** Where the segments of these pieces begin and how long they are. */
function joined(list: readonly Given[], maxBinding = 2 ** 27, withInto = true) {
  return segmentsOf(piecesOf(list), maxBinding, withInto).map(({ source, into }) => [
    source.byteOffset,
    source.byteLength,
    ...(into ? [into.byteOffset, into.byteLength] : []),
  ]);
}

describe("neighbours are one segment", () => {
  const [a, b] = [
    { at: 16, bytes: 32 },
    { at: 48, bytes: 16 },
  ];
  const halves = [
    { at: 0, bytes: 8, dtype: "f16" },
    { at: 8, bytes: 8, dtype: "f16" },
  ] as const;
  const rows: Record<string, [list: readonly Given[], wanted: number[][], maxBinding?: number]> = {
    "in order": [[a, b], [[16, 48]]],
    "three of them": [[a, b, { at: 64, bytes: 4 }], [[16, 52]]],
    "not in another order": [
      [b, a],
      [
        [48, 16],
        [16, 32],
      ],
    ],
    "not with a gap": [
      [a, { at: 52, bytes: 16 }],
      [
        [16, 32],
        [52, 16],
      ],
    ],
    "not of another buffer": [
      [a, { ...b, in: two }],
      [
        [16, 32],
        [48, 16],
      ],
    ],
    "not of another group": [
      [a, { ...b, group: 1 }],
      [
        [16, 32],
        [48, 16],
      ],
    ],
    "not of another dtype": [
      [halves[0], { ...halves[1], dtype: "bf16" }],
      [
        [0, 8],
        [8, 8],
      ],
    ],
    "not where one between them is absent": [
      [a, { ...b, number: 2 }],
      [
        [16, 32],
        [48, 16],
      ],
    ],
    "not with units": [
      [a, { ...b, units: true }],
      [
        [16, 32],
        [48, 16],
      ],
    ],
    "not two pieces of one gradient": [
      [a, { ...b, first: 8 }],
      [
        [16, 32],
        [48, 16],
      ],
    ],
    "of as many bytes as a piece": [
      [
        { at: 0, bytes: 480 },
        { at: 480, bytes: 32 },
      ],
      [[0, 512]],
      768,
    ],
    "of no more bytes than a piece": [
      [
        { at: 0, bytes: 480 },
        { at: 480, bytes: 36 },
      ],
      [
        [0, 480],
        [480, 36],
      ],
      768,
    ],
    "with their destinations": [
      [
        { ...a, into: to(0, 32) },
        { ...b, into: to(32, 16) },
      ],
      [[16, 48, 0, 48]],
    ],
    "not with destinations apart": [
      [
        { ...a, into: to(0, 32) },
        { ...b, into: to(48, 16) },
      ],
      [
        [16, 32, 0, 32],
        [48, 16, 48, 16],
      ],
    ],
    "not where one has a destination": [
      [a, { ...b, into: to(32, 16) }],
      [
        [16, 32],
        [48, 16, 32, 16],
      ],
    ],
    "nor where the other has": [
      [{ ...a, into: to(32, 32) }, b],
      [
        [16, 32, 32, 32],
        [48, 16],
      ],
    ],
    "not where one is widened": [
      [
        { ...halves[0], into: to(0, 16) },
        { ...halves[1], into: to(16, 8, "f16") },
      ],
      [
        [0, 8, 0, 16],
        [8, 8, 16, 8],
      ],
    ],
    "of as many results as a piece": [
      [
        { ...halves[0], bytes: 240, into: to(0, 480) },
        { ...halves[1], at: 240, bytes: 16, into: to(480, 32) },
      ],
      [[0, 256, 0, 512]],
      768,
    ],
    "of no more results than a piece": [
      [
        { ...halves[0], bytes: 240, into: to(0, 480) },
        { ...halves[1], at: 240, bytes: 18, into: to(480, 36) },
      ],
      [
        [0, 240, 0, 480],
        [240, 18, 480, 36],
      ],
      768,
    ],
    "not where a large one would be read in 4-byte words then": [
      [
        { at: 0, bytes: 65_536 },
        { at: 65_536, bytes: 4 },
      ],
      [
        [0, 65_536],
        [65_536, 4],
      ],
    ],
    "nor where it is the second": [
      [
        { at: 4, bytes: 12 },
        { at: 16, bytes: 65_536 },
      ],
      [
        [4, 12],
        [16, 65_536],
      ],
    ],
    "where one that is less large would be": [
      [
        { at: 0, bytes: 65_520 },
        { at: 65_520, bytes: 4 },
      ],
      [[0, 65_524]],
    ],
    "where a large one is read so anyway": [
      [
        { at: 4, bytes: 65_536 },
        { at: 65_540, bytes: 4 },
      ],
      [[4, 65_540]],
    ],
    "where a large one keeps its words": [
      [
        { at: 0, bytes: 65_536 },
        { at: 65_536, bytes: 16 },
      ],
      [[0, 65_552]],
    ],
  };

  test.each(Object.entries(rows))("%s", (_, [list, wanted, maxBinding]) => {
    expect(joined(list, maxBinding)).toEqual(wanted);
  });

  test("whatever their destinations, for a pass that only reads", () => {
    expect(
      joined(
        [
          { ...a, into: to(0, 32) },
          { ...b, into: to(48, 16) },
        ],
        undefined,
        false,
      ),
    ).toEqual([[16, 48]]);
  });

  test("with the first one's number, group, element and label", () => {
    const pieces = piecesOf([
      { at: 32, bytes: 8, first: 8, number: 4, group: 3 },
      { at: 40, bytes: 8, number: 5, group: 3 },
    ]);
    expect(segmentsOf(pieces, 2 ** 27)).toEqual([
      { dtype: "f32", source: range(32, 16), into: undefined, piece: 4, group: 3, firstElement: 8, label: "t0" },
    ]);
  });
});

test("the longest piece has a window of a binding's size wherever it lies", () => {
  expect([512, 767, 768, 2 ** 27].map(pieceElementsOf)).toEqual([64, 64, 128, 33_554_368]);
  expect([0, 255, 256, 511].map(alignedDown)).toEqual([0, 0, 256, 256]);
  expect([0, 1, 256, 257].map(alignedUp)).toEqual([0, 256, 256, 512]);
});

test.each<[Segment, bytes: number, widening: number, word: string]>([
  [segment(range(0, 48)), 48, 1, "vec4"],
  [segment(range(16, 48)), 48, 1, "vec4"],
  [segment(range(4, 48)), 48, 1, "u32"],
  [segment(range(16, 20)), 20, 1, "u32"],
  [segment(range(16, 48), { into: range(32, 48, two) }), 48, 1, "vec4"],
  [segment(range(16, 48), { into: range(8, 48, two) }), 48, 1, "u32"],
  // As many float32 as 16-bit elements.
  [segment(range(8, 24), { into: range(16, 48, two) }), 48, 2, "vec4"],
  [segment(range(4, 24), { into: range(16, 48, two) }), 48, 2, "u32"],
  // The sum of four examples.
  [segment(range(0, 64), { examples: 4 }), 16, 1, "vec4"],
  [segment(range(0, 64), { examples: 4, into: range(16, 16, two) }), 16, 1, "vec4"],
  [segment(range(0, 32), { examples: 4, into: range(16, 16, two) }), 16, 2, "vec4"],
  [segment(range(0, 16), { examples: 0 }), 16, 1, "vec4"],
])("the words of results: case %#", (given, bytes, widening, word) => {
  expect([bytesOf(given), wideningOf(given), wordOf(given)]).toEqual([bytes, widening, word]);
});

test("segments that share a word are in two dispatches", () => {
  const at = (label: string, start: number, end: number, extras: Partial<Segment> = {}) =>
    segment(range(start, end - start), { label, ...extras });
  const labels = (list: readonly Segment[]) => apartByWord(list).map((batch) => batch.map(({ label }) => label));
  const inOne = [at("d", 10, 12), at("a", 0, 2), at("c", 4, 10), at("b", 2, 4)];
  expect(labels(inOne)).toEqual([
    ["a", "c"],
    ["b", "d"],
  ]);
  // The next to share a word goes back to the first.
  expect(labels([at("a", 0, 2), at("b", 2, 6), at("c", 6, 8)])).toEqual([["a", "c"], ["b"]]);
  expect(labels([at("a", 0, 2), segment(range(2, 2, two), { label: "b" })])).toEqual([["a", "b"], []]);
  expect(labels([at("a", 0, 3), at("b", 4, 8)])).toEqual([["a", "b"], []]);
  const moved = [at("a", 0, 2, { into: range(8, 2, two) }), at("b", 2, 4, { into: range(4, 2, two) })];
  expect(labels(moved)).toEqual([["b", "a"], []]);
});
