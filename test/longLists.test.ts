/** Long lists: what is read and compared grows as they do, and one that is too long is refused. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { checkGradients, type Gradients, keyOf, readGivenGradients } from "../src/gradients.ts";
import { clipByGlobalNorm, createClipper } from "../src/index.ts";
import { checkOptions } from "../src/options.ts";
import { planOf } from "../src/webgpu/plan.ts";

const LIMITS = {
  slots: 7,
  maxBinding: 2 ** 27,
  grid: { lanes: 8, minTiles: 1, normWorkgroups: 8, scaleWorkgroups: 8, finishLanes: 64 },
};
const ELEMENTS = 5;

afterEach(() => vi.restoreAllMocks());

interface Counts {
  /** Of a buffer's properties. */
  reads: number;
  comparisons: number;
}

function bufferOf(bytes: number, counts: Counts): GPUBuffer {
  return new Proxy(
    { size: bytes, usage: 0x80, mapState: "unmapped", mapAsync() {}, label: "" } as unknown as GPUBuffer,
    {
      get(target, name) {
        counts.reads += 1;
        return target[name as keyof GPUBuffer];
      },
    },
  );
}

/** How views lie: side by side, apart, or each in a buffer of its own. */
const lists: Record<string, (count: number, counts: Counts) => Gradients> = {
  "side by side": (count, counts) => inOneBuffer(count, 4 * ELEMENTS, counts),
  apart: (count, counts) => inOneBuffer(count, 8 * ELEMENTS, counts),
  "in buffers of their own": (count, counts) => Array.from({ length: count }, () => bufferOf(4 * ELEMENTS, counts)),
};

function inOneBuffer(count: number, stride: number, counts: Counts): Gradients {
  const buffer = bufferOf(stride * count, counts);
  return Array.from({ length: count }, (_, i) => ({ buffer, byteOffset: stride * i, length: ELEMENTS }));
}

/** What it takes to read, check and plan so many. */
function countsFor(count: number, listed: (typeof lists)[string]): Counts {
  const counts: Counts = { reads: 0, comparisons: 0 };
  const gradients = listed(count, counts);
  const { sort } = Array.prototype;
  vi.spyOn(Array.prototype, "sort").mockImplementation(function (this: unknown[], compare) {
    return sort.call(this, (a, b) => {
      counts.comparisons += 1;
      return (compare as (a: unknown, b: unknown) => number)(a, b);
    });
  });
  const method = clipByGlobalNorm(1);
  planOf(method, checkOptions(undefined, method), checkGradients(readGivenGradients(gradients)), LIMITS);
  vi.restoreAllMocks();
  return counts;
}

describe.each(Object.entries(lists))("views %s", (_, listed) => {
  test("ten times as many take ten times the reads and comparisons", () => {
    const [few, many] = [countsFor(1000, listed), countsFor(10_000, listed)];
    expect(few.reads).toBeGreaterThan(0);
    expect(many.reads).toBeLessThanOrEqual(10 * few.reads);
    expect(many.comparisons).toBeLessThanOrEqual(11 * few.comparisons);
    // A sort of what is in order compares each with the next one.
    expect(many.comparisons).toBeLessThanOrEqual(8 * 10_000);
  });
});

/** In Node an engine's property is a call, of a microsecond or two. */
test("15 properties of a buffer are read, and 12 for each view of one that many share", () => {
  const readsOf = (name: string) => countsFor(1000, lists[name] as (typeof lists)[string]).reads;
  expect(readsOf("in buffers of their own")).toBe(15 * 1000);
  expect(readsOf("apart")).toBe(12 * 1000);
});

test("a list that comes again is known by five words a view", () => {
  const counts: Counts = { reads: 0, comparisons: 0 };
  const gradients = inOneBuffer(1000, 8 * ELEMENTS, counts);
  const [first, again] = [readGivenGradients(gradients), readGivenGradients(gradients)].map(keyOf);
  expect(first).toHaveLength(5000);
  expect(again).toEqual(first);
});

describe("more than a million gradients are refused, before anything is read of them:", () => {
  function* endless() {
    while (true) yield null;
  }
  const most = 1_000_000;
  const many: Record<string, () => Gradients> = {
    "a generator without an end": endless,
    "a list": () => Array(most + 1).fill(null),
    "a Map": () => new Map(Array.from({ length: most + 1 }, (_, i) => [String(i), null])),
  };

  test.each(Object.entries(many))("%s", async (_, gradients) => {
    const clipper = await createClipper({ backend: "cpu" });
    expect(() => clipper.prepare(gradients())).toThrow(
      new RangeError("gradients has more than 1000000 entries; pass neighbours in one buffer as one."),
    );
  });

  test("a million are read", () => {
    expect(readGivenGradients(Array(most).fill(null)).places).toHaveLength(most);
  });
});
