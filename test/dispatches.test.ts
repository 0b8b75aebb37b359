/** The dispatches of segments, their tables and their formats: small ones, worked out by hand. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Range } from "../src/ranges.ts";
import { struct } from "../src/struct.ts";
import { type Batch, batchesOf, type Walk } from "../src/webgpu/dispatches.ts";
import { elementsInWord, FORMATS, type Format, formatTexts, hasEdges, resultsOf } from "../src/webgpu/format.ts";
import { iterationsOfElements, tilesWithin, wordTilesWithin } from "../src/webgpu/loopLimit.ts";
import type { Segment } from "../src/webgpu/segments.ts";
import { segmentStruct, segmentTableOf, TABLE_BYTES, tableHead, wordsOf } from "../src/webgpu/table.ts";
import { one, range, segment, three, two } from "./support/segments.ts";

const F32: Format = { dtype: "f32", word: "vec4", widening: 1 };
const HALVES: Format = { dtype: "f16", word: "u32", widening: 1 };
const WIDE: Format = { dtype: "f16", word: "u32", widening: 2 };
const window = (offset: number, buffer = 0) => ({ buffer, offset, size: 4096 });

/** Edges: 1 where results begin in a word, 2 where they end in one, 4 where the source begins in one. */
test.each<[Format, Segment, source: number, into: number | undefined, wanted: number[]]>([
  [F32, segment(range(512, 1200)), 512, undefined, [0, 75, 0, 0]],
  [F32, segment(range(544, 48)), 512, undefined, [2, 3, 2, 0]],
  [F32, segment(range(544, 48), { into: range(272, 48, two) }), 512, 256, [2, 3, 1, 0]],
  [HALVES, segment(range(6, 10)), 0, undefined, [2, 2, 2, 1]],
  [HALVES, segment(range(6, 8)), 0, undefined, [2, 1, 2, 3]],
  [HALVES, segment(range(8, 6)), 0, undefined, [2, 1, 2, 2]],
  [HALVES, segment(range(6, 8), { into: range(0, 8, two) }), 0, 0, [1, 2, 0, 4]],
  [HALVES, segment(range(4, 8), { into: range(258, 8, two) }), 0, 256, [1, 1, 1, 7]],
  [HALVES, segment(range(258, 2)), 256, undefined, [1, 0, 1, 1]],
  [WIDE, segment(range(264, 8), { into: range(4, 16, two) }), 256, 0, [4, 4, 1, 0]],
])("the words of a segment in its windows: case %#", (format, given, source, into, wanted) => {
  const slot = { source: window(source), into: into === undefined ? undefined : window(into, 1) };
  const {
    first,
    count,
    into: to,
    edges,
  } = wordsOf({ format } as Batch, { segment: given, slot: 0, tile: 0, tiles: 1 }, slot);
  expect([first, count, to, edges]).toEqual(wanted);
});

describe("the dispatches of segments", () => {
  const grid = { lanes: 4, minTiles: 2, normWorkgroups: 8, scaleWorkgroups: 8, finishLanes: 4 };
  const walk: Walk = { writes: false, mostWorkgroups: () => 8, mostTiles: () => 1000 };
  const buffers = new Map<Range["buffer"], number>([one, two, three].map((buffer, i) => [buffer, i]));
  const batches = (
    list: readonly Segment[],
    change: Partial<Walk> = {},
    target: "in-place" | "into" = "in-place",
    slots = 3,
  ) => batchesOf({ ...walk, ...change }, list, target, { slots, maxBinding: 2 ** 27, grid }, buffers);
  /** Tiles have 256 bytes in words of 16 bytes, and 64 in words of 4. */
  const tiled = (list: readonly Segment[], change: Partial<Walk> = {}) =>
    batches(list, change).map(({ placed, tilesPerWorkgroup, workgroups }) => [
      placed.map(({ tile, tiles, segment }) => [segment.piece, tile, tiles]),
      tilesPerWorkgroup,
      workgroups,
    ]);
  const whole = (tiles: number, extras: Partial<Segment> = {}) => segment(range(0, 256 * tiles), extras);

  test("spread their tiles over workgroups", () => {
    expect(tiled([whole(4)])).toEqual([[[[0, 0, 4]], 2, 2]]);
    expect(tiled([segment(range(0, 1040))])).toEqual([[[[0, 0, 5]], 2, 3]]);
    expect(tiled([segment(range(4, 1024))])).toEqual([[[[0, 0, 16]], 2, 8]]);
    expect(tiled([whole(64)])).toEqual([[[[0, 0, 64]], 8, 8]]);
    expect(tiled([whole(8)], { mostWorkgroups: () => 2 })).toEqual([[[[0, 0, 8]], 4, 2]]);
    expect(tiled([whole(8)], { mostWorkgroups: () => 2, mostTiles: () => 3 })).toEqual([[[[0, 0, 8]], 3, 3]]);
    expect(tiled([whole(8)], { tilesOf: () => 3 })).toEqual([[[[0, 0, 3]], 2, 2]]);
    expect(tiled([whole(1)], { wordOf: () => "u32" })).toEqual([[[[0, 0, 4]], 2, 2]]);
    const asked: unknown[] = [];
    batches([whole(1)], { mostTiles: (...values) => asked.push(values) });
    expect(asked).toEqual([[[whole(1)], 4]]);
  });

  test("begin a workgroup with each group, in the order of the groups", () => {
    const groups = [1, 0, 1].map((group, i) => segment(range(2048 * i, 768), { group, piece: i }));
    const change = { mostWorkgroups: () => 4 };
    expect(tiled(groups, change)).toEqual([
      [
        [
          [0, 0, 3],
          [1, 3, 3],
          [2, 6, 3],
        ],
        3,
        3,
      ],
    ]);
    expect(tiled(groups, { ...change, grouped: true })).toEqual([
      [
        [
          [1, 0, 3],
          [0, 3, 3],
          [2, 6, 3],
        ],
        3,
        3,
      ],
    ]);
    const two = { grouped: true, mostTiles: () => 2 };
    expect(tiled(groups, two)).toEqual([
      [
        [
          [1, 0, 3],
          [0, 4, 3],
          [2, 7, 3],
        ],
        2,
        5,
      ],
    ]);
  });

  test("have one format each, and the target that their buffers allow", () => {
    const moved = (source: Range, into: Range) => segment(source, { into });
    const kinds = (list: readonly Segment[], change: Partial<Walk> = {}, target?: "into", slots?: number) =>
      batches(list, change, target, slots).map(({ format, target, bindings, slots, writes }) => [
        `${format.dtype} ${format.word} ${format.widening}`,
        target,
        bindings,
        slots.length,
        writes,
      ]);
    const f16 = segment(range(0, 32, two), { dtype: "f16" });
    expect(kinds([f16, segment(range(4, 16)), segment(range(512, 16))])).toEqual([
      ["f32 vec4 1", "in-place", 3, 1, false],
      ["f32 u32 1", "in-place", 3, 1, false],
      ["f16 vec4 1", "in-place", 3, 1, false],
    ]);
    expect(kinds([f16], { extraStorage: 2, writes: true })).toEqual([["f16 vec4 1", "in-place", 1, 1, true]]);
    const into = [moved(range(0, 16), range(0, 16, two)), moved(range(0, 16, three), range(512, 16, two))];
    expect(kinds(into, { writes: true }, "into", 7)).toEqual([["f32 vec4 1", "into", 3, 2, true]]);
    expect(kinds(into, { writes: true, extraStorage: 4 }, "into", 7).map(([, , bindings]) => bindings)).toEqual([1, 1]);
    const shared = [moved(range(0, 16), range(0, 16, two)), moved(range(512, 16, two), range(0, 16, three))];
    expect(kinds(shared, { writes: true }, "into", 7)).toEqual([["f32 vec4 1", "shared", 3, 2, true]]);
    expect(kinds(shared, { writes: true }, undefined, 7).map(([, target]) => target)).toEqual(["in-place"]);
  });

  test("are written down in a table", () => {
    const list = [0, 1].map((i) => segment(range(544 + 1024 * i, 48 + 16 * i), { piece: 3 + i, group: 5 + i }));
    const [batch] = batches(list) as [Batch];
    const table = segmentTableOf(batch, { firstPartial: 9 });
    const head = ["segmentCount", "tilesPerWorkgroup", "firstPartial", "power"] as const;
    expect(head.map((field) => tableHead.read(table, 0, field))).toEqual([2, 2, 9, 0]);
    const rows = [0, 1].map((row) =>
      segmentStruct.fields.map((field) =>
        segmentStruct.read(table, tableHead.words + segmentStruct.words * row, field),
      ),
    );
    expect(rows).toEqual([
      [2, 3, 0, 3, 2, 0, 5, 0],
      [66, 4, 1, 4, 66, 0, 6, 0],
    ]);
    expect(table).toHaveLength(8 + 2 * 8);
    expect(TABLE_BYTES).toBe(4 * (8 + 8 * 240));
  });
});

test("a workgroup's tiles go into the iterations that lavapipe has", () => {
  expect([10, 15, 65_535, 65_536, 100_000].map((iterations) => tilesWithin(iterations))).toEqual([6553, 4369, 1, 1, 1]);
  expect(tilesWithin(10, 35)).toBe(6550);
  expect([1, 4].map(iterationsOfElements)).toEqual([3, 6]);
  const list = Array.from({ length: 24 }, (_, i) => segment(range(4 * i, 4), { group: i === 7 ? 6 : 3 }));
  const iterations = 65_535 - 264 - 24 * 132;
  expect(wordTilesWithin(list, ({ group }) => group)).toBe(Math.floor(iterations / (8 + 4 * 6)));
});

describe("formats", () => {
  test("are all of three dtypes, two widenings and two words", () => {
    const shown = FORMATS.map(({ dtype, word, widening }) => `${dtype} ${widening} ${word}`);
    expect(shown.slice(0, 4)).toEqual(["f32 1 vec4", "f32 1 u32", "f32 2 vec4", "f32 2 u32"]);
    expect(new Set(shown).size).toBe(12);
    const facts = (format: Format) => [elementsInWord(format), resultsOf(format), hasEdges(format)];
    expect(
      [F32, HALVES, WIDE, { ...HALVES, word: "vec4" } as const, { ...WIDE, word: "vec4" } as const].map(facts),
    ).toEqual([
      [4, "f32", false],
      [2, "f16", true],
      [1, "f32", false],
      [8, "f16", false],
      [4, "f32", false],
    ]);
  });

  test("have the texts of their elements, under float32 where results are wider", () => {
    const textOf = (name: string) => readFileSync(new URL(`../shaders/${name}.wgsl`, import.meta.url), "utf8");
    const texts = (names: Record<string, string>) =>
      Object.fromEntries(Object.entries(names).map(([name, file]) => [name, textOf(file)]));
    expect(formatTexts(F32)).toEqual(texts({ word: "words/vec4", format: "formats/f32", stored: "shared/stored" }));
    const half = { word: "words/u32", format: "formats/f16" };
    expect(formatTexts(HALVES)).toEqual(
      texts({ ...half, "formats/packed": "formats/packed", stored: "shared/stored" }),
    );
    expect(formatTexts(WIDE)).toEqual(texts({ ...half, "formats/packed": "formats/f32", stored: "shared/widened" }));
  });
});

test("a struct writes the fields that it is given, and reads each", () => {
  const pair = struct("a", "b");
  const words = Uint32Array.of(1, 2, 3, 4);
  pair.write(words, 1, { b: 7 });
  expect([...words]).toEqual([1, 2, 7, 4]);
  pair.write(words, 1, { a: 0 });
  expect([...words]).toEqual([1, 0, 7, 4]);
  pair.write(words, 1, { a: 6, b: 5 });
  expect([...words]).toEqual([1, 6, 5, 4]);
  expect([pair.read(words, 1, "a"), pair.read(words, 2, "b"), pair.words]).toEqual([6, 4, 2]);
});
