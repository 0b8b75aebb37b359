/** Plans for random lists of gradients: two invocations of a dispatch never write to the same 32-bit word. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkGradients, readGivenGradients } from "../src/gradients.ts";
import {
  autoClip,
  type ClipMethod,
  type ClipOptions,
  clipByGlobalNorm,
  clipByGroupNorm,
  clipByNorm,
  clipByValue,
  type GradientView,
  measureNorm,
  skipAbove,
} from "../src/index.ts";
import { checkOptions } from "../src/options.ts";
import { globalRule } from "../src/rules/global.ts";
import type { Batch, Limits } from "../src/webgpu/dispatches.ts";
import type { Dispatch, Planning } from "../src/webgpu/passes/pass.ts";
import { planOf } from "../src/webgpu/plan.ts";
import { segmentStruct, tableHead } from "../src/webgpu/table.ts";

const LIMITS = { slots: 7, grid: { lanes: 8, minTiles: 1, normWorkgroups: 8, scaleWorkgroups: 8, finishLanes: 64 } };
const STORAGE = 0x80;

interface Pieces {
  readonly lengths: number[];
  readonly start: number;
  readonly into: boolean[];
  readonly order: number[];
  readonly maxBinding: number;
}

const pieces: fc.Arbitrary<Pieces> = fc.record({
  lengths: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 40 }),
  start: fc.integer({ min: 0, max: 9 }),
  into: fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }),
  order: fc.array(fc.double({ noNaN: true }), { minLength: 40, maxLength: 40 }),
  maxBinding: fc.constantFrom(512, 1024, 2 ** 27),
});

function fakeBuffer(): GPUBuffer {
  return { size: 2 ** 20, usage: STORAGE, mapState: "unmapped", mapAsync() {} } as unknown as GPUBuffer;
}

/** One after the other in one buffer, in some order; some into another buffer, one after the other. */
function plannedFor({ lengths, start, into, order, maxBinding }: Pieces, method = clipByGlobalNorm(1)) {
  const [buffer, target] = [fakeBuffer(), fakeBuffer()];
  let byteOffset = 2 * start;
  const views = lengths.map((length, i) => {
    const view = { buffer, byteOffset, length, dtype: "f16" as const };
    byteOffset += 2 * length;
    return into[i] ? { ...view, into: { buffer: target, byteOffset: view.byteOffset + 2 } } : view;
  });
  const listed = views.map((view, i) => ({ view, key: order[i] as number })).sort((a, b) => a.key - b.key);
  const list = checkGradients(readGivenGradients(listed.map(({ view }) => view)));
  return planned(method, list, { ...LIMITS, maxBinding });
}

/** The dispatches that read the gradients, and those that write them. */
function planned(method: ClipMethod, list: Parameters<typeof planOf>[2], limits: Limits) {
  const { dispatches, partialCount } = planOf(method, checkOptions(undefined, method), list, limits);
  const batches = dispatches.flatMap(({ batch, bindings: [first] }) =>
    batch && first && "words" in first ? [{ ...batch, table: first.words }] : [],
  );
  return {
    reads: batches.filter(({ writes }) => !writes),
    writes: batches.filter(({ writes }) => writes),
    partialCount,
  };
}

function wordsWritten({ slots }: Batch): string[] {
  return slots.flatMap(({ segments }) =>
    segments.flatMap(({ source, into }) => {
      const { buffer, byteOffset, byteLength } = into ?? source;
      const first = Math.floor(byteOffset / 4);
      const end = Math.ceil((byteOffset + byteLength) / 4);
      return Array.from({ length: end - first }, (_, i) => `${buffer === source.buffer} ${first + i}`);
    }),
  );
}

/** The bindings that each workgroup meets, in the order of the table: shaders/shared/spans.wgsl. */
function bindingsMet({ table }: { table: Uint32Array }): number[][] {
  const count = tableHead.read(table, 0, "segmentCount");
  const tilesPerWorkgroup = tableHead.read(table, 0, "tilesPerWorkgroup");
  const rows = Array.from({ length: count }, (_, i) => {
    const start = tableHead.words + segmentStruct.words * i;
    return { tile: segmentStruct.read(table, start, "tile"), slot: segmentStruct.read(table, start, "slot") };
  });
  const workgroupOf = (tile: number) => Math.floor(tile / tilesPerWorkgroup);
  const last = Math.max(...rows.map(({ tile }) => workgroupOf(tile)));
  return Array.from({ length: last + 1 }, (_, workgroup) =>
    rows
      .filter(({ tile }, i) => {
        const end = rows[i + 1]?.tile ?? Infinity;
        return workgroupOf(tile) <= workgroup && end > workgroup * tilesPerWorkgroup;
      })
      .map(({ slot }) => slot),
  );
}

const methods = [clipByGlobalNorm(1), clipByNorm(1), clipByGlobalNorm(1, { members: 2 })];

test("a workgroup meets the segments of one binding after the other", () => {
  fc.assert(
    fc.property(pieces, fc.constantFrom(...methods), (given, method) => {
      const lengths = given.lengths.map((length) => 2 * length);
      const { reads, writes } = plannedFor({ ...given, lengths }, method);
      for (const bindings of [...reads, ...writes].flatMap(bindingsMet)) {
        expect(bindings).toEqual([...bindings].sort((a, b) => a - b));
      }
    }),
  );
});

describe("a plan for 16-bit gradients side by side", () => {
  test("writes each word in one segment of a dispatch", () => {
    fc.assert(
      fc.property(pieces, (given) => {
        for (const dispatch of plannedFor(given).writes) {
          const words = wordsWritten(dispatch);
          expect(new Set(words).size).toBe(words.length);
        }
      }),
    );
  });

  test("writes every element once", () => {
    fc.assert(
      fc.property(pieces, (given) => {
        const bytes = plannedFor(given)
          .writes.flatMap(({ slots }) => slots.flatMap(({ segments }) => segments))
          .reduce((sum, { source }) => sum + source.byteLength, 0);
        expect(bytes).toBe(2 * given.lengths.reduce((sum, length) => sum + length, 0));
      }),
    );
  });

  test("needs no more than two dispatches for each format and word in one buffer", () => {
    const given = { lengths: Array(100).fill(1), start: 1, into: [], maxBinding: 2 ** 27 };
    const order = given.lengths.map((_, i) => (i * 37) % 100);
    expect(plannedFor({ ...given, order }).writes.length).toBe(2);
  });
});

test("a gradient that needs more workgroups than the grid has a partial for each of them", () => {
  const length = 2 ** 28;
  const buffer = { ...fakeBuffer(), size: 4 * length } as GPUBuffer;
  const list = checkGradients(readGivenGradients([{ buffer, length }]));
  const limits = { ...LIMITS, maxBinding: 2 ** 31 };
  const { reads, partialCount } = planned(measureNorm(), list, limits);
  expect(reads[0]?.workgroups).toBeGreaterThan(limits.grid.normWorkgroups);
  expect(partialCount).toBe(reads[0]?.workgroups);
});

/** Trips of an invocation's loops: those of a workgroup, of a segment, of a tile with four words a lane, and of a word. */
const TRIPS = { all: 65_535, workgroup: 264, segment: 132, tile: 8, word: 2 };

test.each([
  ["words of 16 bytes", "f32", 0, 1, 4],
  ["words of 4 bytes", "f32", 4, 1, 1],
  ["float16", "f16", 0, 1, 8],
  ["float16 in words of 4 bytes", "f16", 4, 1, 2],
  ["240 segments", "f32", 0, 240, 4],
] as const)("no workgroup has more tiles than lavapipe's loops go round: %s", (_, dtype, start, count, elements) => {
  const length = 2 ** 28 / count - ((2 ** 28 / count) % 8);
  const stride = 4 * length + 16;
  const buffer = { ...fakeBuffer(), size: stride * count + start } as GPUBuffer;
  const views = Array.from({ length: count }, (_, i) => ({ buffer, byteOffset: start + stride * i, length, dtype }));
  const list = checkGradients(readGivenGradients(views));
  const { reads, writes } = planned(clipByGlobalNorm(1), list, { ...LIMITS, maxBinding: 2 ** 31 });
  const tripsOf = (tiles: number) =>
    TRIPS.workgroup + TRIPS.segment * count + tiles * (TRIPS.tile + 4 * (TRIPS.word + elements));
  for (const { placed, tilesPerWorkgroup } of [...reads, ...writes]) {
    expect(placed).toHaveLength(count);
    expect(tripsOf(tilesPerWorkgroup)).toBeLessThanOrEqual(TRIPS.all);
    expect(tripsOf(tilesPerWorkgroup + 1)).toBeGreaterThan(TRIPS.all);
  }
});

/** Runs `act` so deep in the stack that what is left of it does not hold `count` arguments. */
function whereNoCallTakes<T>(count: number, act: () => T): T {
  const many = Array<number>(count).fill(0);
  const deeper = (...padding: number[]): T => {
    try {
      Math.max(...many);
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
      return act();
    }
    return deeper(...padding);
  };
  return deeper(...many.slice(0, 1000));
}

test("a plan takes more buffers than a call takes arguments", () => {
  const count = 20_000;
  const list = checkGradients(
    readGivenGradients(Array.from({ length: count }, () => ({ buffer: fakeBuffer(), length: 1 }))),
  );
  const limits = { ...LIMITS, slots: 2, maxBinding: 2 ** 27 };
  const { dispatches } = whereNoCallTakes(count, () =>
    planOf(clipByValue(1), checkOptions(undefined, clipByValue(1)), list, limits),
  );
  expect(dispatches.filter(({ batch }) => batch?.writes)).toHaveLength(count);
});

describe("passes are given", () => {
  const view = (group?: string) => ({ buffer: { ...fakeBuffer(), size: 16 } as GPUBuffer, group });
  /** What the first pass of a method gets, and what one that writes gets. */
  function given(method: ClipMethod, views: unknown[], options?: ClipOptions) {
    const seen: Planning[] = [];
    const note = (planning: Planning): Dispatch[] => {
      seen.push({ ...planning });
      return [];
    };
    const passes = [note];
    const list = checkGradients(readGivenGradients(views as GradientView[]));
    const planned = { ...method, passes: { ...method.passes, webgpu: { search: passes, write: passes } } };
    planOf(planned, checkOptions(options, method), list, { ...LIMITS, maxBinding: 2 ** 27 });
    return { planned, first: seen[0] as Planning, last: seen.at(-1) as Planning };
  }
  const groups = (of: Planning) => of.gradients.pieces.map(({ group }) => group);

  test("how many groups there are, at least one unless all share a norm, and no partials yet", () => {
    const counts = [clipByGlobalNorm(1), clipByNorm(1)].map((method) =>
      [0, 1, 3].map(
        (count) =>
          given(
            method,
            Array.from({ length: count }, () => view()),
          ).first.groupCount,
      ),
    );
    expect(counts).toEqual([
      [0, 0, 0],
      [1, 1, 3],
    ]);
    const { first } = given(clipByNorm(1), [view()]);
    expect([first.partialCount, first.found]).toEqual([0, { first: 0, count: 0 }]);
  });

  test("a rule that remembers, but not in a step without gradients", () => {
    const rules = [
      given(autoClip(), [view()]),
      given(autoClip(), [], { totalNorm: 1 }),
      given(clipByGlobalNorm(1), []),
    ];
    for (const { planned, first } of rules) expect(first.method).toBe(planned);
    expect(given(autoClip(), [{ length: 4 }]).first.method.rule).toBe(globalRule);
  });

  test("a skip rule where there is something to judge", () => {
    const options = { skip: skipAbove(1) };
    const judged = (views: unknown[], more: ClipOptions = {}) => {
      const { first } = given(clipByGlobalNorm(1), views, { ...options, ...more });
      return first.options.skip && first.unjudged;
    };
    expect(judged([view()])).toEqual([]);
    expect(judged([{ length: 4 }])).toBeUndefined();
    expect(judged([{ length: 4 }], { totalNorm: 1 })).toEqual([]);
    const method = clipByGroupNorm({ a: 1, b: Infinity });
    expect(given(method, [view("a"), view("b")], options).first.unjudged).toEqual([1]);
  });

  test("each gradient by itself for tensorNorms, and those that write by the method's groups", () => {
    const method = clipByGroupNorm({ a: 1, b: 1 });
    const views = [view("b"), view("a"), view("b")];
    const { first, last } = given(method, views, { tensorNorms: true });
    expect([first.searchedBy.kind, groups(first), groups(last)]).toEqual(["tensor", [0, 1, 2], [1, 0, 1]]);
    expect(first.tensorRuns.map(({ group }) => group)).toEqual([0, 1, 2]);
    expect([first.groupsOfTensors, first.groupCount]).toEqual([[1, 0, 1], 2]);
    const without = given(method, views).first;
    expect([without.searchedBy.kind, groups(without)]).toEqual(["groups", [1, 0, 1]]);
    expect([without.tensorRuns, without.groupsOfTensors]).toEqual([[], []]);
  });
});

test("the example of src/webgpu/README.md is as planned", () => {
  const page = readFileSync(new URL("../src/webgpu/README.md", import.meta.url), "utf8");
  const shown = [...page.matchAll(/^\| `.*` \| (\d+ to \d+ \|.*) \|$/gm)].map(([, row]) => row);
  const [first, second] = [4096, 2048].map((size) => ({ ...fakeBuffer(), size }) as GPUBuffer);
  const list = checkGradients(
    readGivenGradients([
      { buffer: first as GPUBuffer, length: 1000 },
      { buffer: first as GPUBuffer, byteOffset: 4000, length: 24 },
      { buffer: second as GPUBuffer, byteOffset: 512, length: 300 },
    ]),
  );
  const grid = { lanes: 64, minTiles: 1, normWorkgroups: 512, scaleWorkgroups: 1024, finishLanes: 64 };
  const { reads } = planned(clipByGlobalNorm(1), list, { slots: 7, maxBinding: 2 ** 27, grid });
  expect(reads.map(({ slots, workgroups }) => [slots.length, workgroups])).toEqual([[2, 2]]);
  const rows = reads.flatMap(({ placed, slots, table }) =>
    placed.map(({ segment, slot }, i) => {
      const { byteOffset, byteLength } = segment.source;
      const { offset = 0, size = 0 } = slots[slot]?.source ?? {};
      const start = tableHead.words + segmentStruct.words * i;
      const fields = (["first", "count", "tile", "piece", "slot"] as const).map((field) =>
        segmentStruct.read(table, start, field),
      );
      const bytes = `${byteOffset} to ${byteOffset + byteLength}`;
      return [bytes, `${offset} to ${offset + size}`, ...fields].join(" | ");
    }),
  );
  expect(rows).toEqual(shown);
});
