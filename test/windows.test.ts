/** Plans for gradients that lie anywhere in a few buffers, some into others or into their own: what WebGPU demands of each dispatch. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkGradients, readGivenGradients } from "../src/gradients.ts";
import { type ClipMethod, clipByGlobalNorm, clipByNorm, clipByValue, type GradientView } from "../src/index.ts";
import { checkOptions } from "../src/options.ts";
import type { Batch } from "../src/webgpu/dispatches.ts";
import { planOf } from "../src/webgpu/plan.ts";

const GRID = { lanes: 8, minTiles: 1, normWorkgroups: 8, scaleWorkgroups: 8, finishLanes: 64 };
const DTYPES = ["f32", "f16", "bf16"] as const;

interface Given {
  readonly dtype: number;
  readonly length: number;
  readonly gap: number;
  readonly buffer: number;
  /** Into another place, whose gap and buffer these are; as float32 where it is wide. */
  readonly into?: { readonly gap: number; readonly buffer: number; readonly isWide: boolean };
}

const gap = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 150 }).map((words) => 4 * words),
);
const buffer = fc.integer({ min: 0, max: 2 });
const given: fc.Arbitrary<Given> = fc.record(
  {
    dtype: fc.nat({ max: 2 }),
    length: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 600 })),
    gap,
    buffer,
    into: fc.record({ gap, buffer, isWide: fc.boolean() }),
  },
  { requiredKeys: ["dtype", "length", "gap", "buffer"] },
);
const cases = fc.record({
  list: fc.array(given, { minLength: 1, maxLength: 30 }),
  slots: fc.constantFrom(3, 7),
  maxBinding: fc.constantFrom(2048, 4096, 2 ** 27),
});
const METHODS = [clipByGlobalNorm(1), clipByNorm(1), clipByValue(1)];

function fakeBuffer(size: number): GPUBuffer {
  return { size, usage: 0x80, mapState: "unmapped", mapAsync() {} } as unknown as GPUBuffer;
}

/** Sources and destinations one after the other in their buffers. */
function viewsOf(list: readonly Given[]): GradientView[] {
  const ends = [0, 0, 0];
  const places: [number, number][] = [];
  const place = (at: number, space: number, bytes: number): [number, number] => {
    const byteOffset = Math.ceil(((ends[at] as number) + space) / 4) * 4;
    ends[at] = byteOffset + bytes;
    return [at, byteOffset];
  };
  for (const { dtype, length, gap, buffer, into } of list) {
    const bytes = length * (dtype === 0 ? 4 : 2);
    places.push(
      place(buffer, gap, bytes),
      into ? place(into.buffer, into.gap, into.isWide ? 4 * length : bytes) : [-1, 0],
    );
  }
  // Not all of such a buffer can be bound.
  const buffers = ends.map((end) => fakeBuffer(4 * Math.ceil(end / 4) + 2));
  return list.map(({ dtype, length, into }, i) => {
    const [[at, byteOffset], [target, intoOffset]] = [
      places[2 * i] as [number, number],
      places[2 * i + 1] as [number, number],
    ];
    const view = { buffer: buffers[at] as GPUBuffer, byteOffset, length, dtype: DTYPES[dtype] };
    const place = { buffer: buffers[target] as GPUBuffer, byteOffset: intoOffset };
    return into ? { ...view, into: { ...place, ...(into.isWide && { dtype: "f32" }) } } : view;
  });
}

/** Undefined where a gradient lies too near to its destination, which the library refuses. */
function planned(method: ClipMethod, views: readonly GradientView[], limits: { slots: number; maxBinding: number }) {
  const list = checkGradients(readGivenGradients([...views]));
  try {
    const { dispatches } = planOf(method, checkOptions(undefined, method), list, { ...limits, grid: GRID });
    return dispatches.flatMap(({ batch }) => (batch ? [batch] : []));
  } catch (error) {
    if (error instanceof RangeError && /share a 256-byte window/.test(error.message)) return undefined;
    throw error;
  }
}

interface Bound {
  readonly buffer: number;
  readonly offset: number;
  readonly size: number;
  readonly isWritable: boolean;
}

/** All bindings of gradients of a dispatch: shaders/shared/slots.wgsl and targets.wgsl. */
function boundBy({ slots, writes, target }: Batch): Bound[] {
  return slots.flatMap(({ source, into }) => [
    { ...source, isWritable: writes && target !== "into" },
    ...(into ? [{ ...into, isWritable: true }] : []),
  ]);
}

const meet = (a: Bound, b: Bound) => a.offset < b.offset + b.size && b.offset < a.offset + a.size;

function pairsOf<T>(list: readonly T[]): [T, T][] {
  return list.flatMap((a, i) => list.slice(i + 1).map((b): [T, T] => [a, b]));
}

function forEachPlan(
  check: (
    batches: readonly Batch[],
    views: readonly GradientView[],
    limits: { slots: number; maxBinding: number },
    method: ClipMethod,
  ) => void,
): void {
  fc.assert(
    fc.property(cases, fc.constantFrom(...METHODS), ({ list, ...limits }, method) => {
      const views = viewsOf(list);
      const batches = planned(method, views, limits);
      fc.pre(batches !== undefined);
      check(batches as readonly Batch[], views, limits, method);
    }),
    { numRuns: 200 },
  );
}

test("a buffer is either read or written in a dispatch, and no two written bindings overlap", () => {
  forEachPlan((batches) => {
    for (const batch of batches) {
      for (const [a, b] of pairsOf(boundBy(batch))) {
        if (a.buffer !== b.buffer || (!a.isWritable && !b.isWritable)) continue;
        expect([a.isWritable, b.isWritable]).toEqual([true, true]);
        expect(meet(a, b), JSON.stringify([a, b])).toBe(false);
      }
    }
  });
});

test("bindings begin on 256 bytes, end within their buffers, are no larger than allowed, and hold their segments", () => {
  forEachPlan((batches, _views, { slots: most, maxBinding }) => {
    for (const batch of batches) {
      expect(batch.slots.length).toBeLessThanOrEqual(batch.bindings);
      const bound = boundBy(batch);
      expect(bound.length).toBeLessThanOrEqual(most);
      for (const { offset, size } of bound) {
        expect(offset % 256).toBe(0);
        expect(size % 4).toBe(0);
        expect(size).toBeLessThanOrEqual(maxBinding);
      }
      for (const { source, into, segments } of batch.slots) {
        for (const segment of segments) {
          for (const [window, range] of [[source, segment.source] as const, [into, segment.into] as const]) {
            expect(window === undefined).toBe(range === undefined);
            if (!window || !range) continue;
            expect(window.offset).toBeLessThanOrEqual(range.byteOffset);
            expect(window.offset + window.size).toBeGreaterThanOrEqual(range.byteOffset + range.byteLength);
            expect(window.offset + window.size).toBeLessThanOrEqual((range.buffer as GPUBuffer).size);
          }
        }
      }
    }
  });
});

test("every byte is read once and written once, to the right place", () => {
  forEachPlan((batches, views, _limits, { name }) => {
    const passes =
      name === "clipByValue"
        ? [batches]
        : [batches.filter(({ writes }) => !writes), batches.filter(({ writes }) => writes)];
    for (const pass of passes) {
      const found = pass.flatMap(({ slots, writes }) =>
        slots.flatMap(({ segments }) => segments.map((segment) => ({ ...segment, writes }))),
      );
      for (const { buffer, byteOffset = 0, length = 0, dtype, into } of views) {
        const bytes = length * (dtype === "f32" ? 4 : 2);
        const own = found.filter(
          ({ source }) =>
            source.buffer === buffer &&
            source.byteOffset < byteOffset + bytes &&
            byteOffset < source.byteOffset + source.byteLength,
        );
        const covered = own.reduce((sum, { source }) => {
          const end = Math.min(source.byteOffset + source.byteLength, byteOffset + bytes);
          return sum + end - Math.max(source.byteOffset, byteOffset);
        }, 0);
        expect(covered).toBe(bytes);
        for (const segment of own) {
          if (name === "clipByNorm") expect(segment.source.byteLength).toBeLessThanOrEqual(bytes);
          if (!segment.writes) continue;
          expect(segment.into?.buffer).toBe(into?.buffer);
          if (!into || !segment.into) continue;
          const widening = into.dtype === "f32" && dtype !== "f32" ? 2 : 1;
          const from = widening * (segment.source.byteOffset - byteOffset);
          expect(segment.into.byteOffset - (into.byteOffset as number)).toBe(from);
          expect(segment.into.byteLength).toBe(widening * segment.source.byteLength);
        }
      }
    }
  });
});

test("a workgroup has its tiles, and one group where each has its own scale", () => {
  forEachPlan((batches) => {
    for (const { placed, tilesPerWorkgroup, workgroups, writes } of batches) {
      let end = 0;
      for (const { tile, tiles } of placed) {
        expect(tile).toBeGreaterThanOrEqual(end);
        expect(tile - end).toBeLessThan(tilesPerWorkgroup);
        end = tile + tiles;
      }
      expect(Math.ceil(end / tilesPerWorkgroup)).toBe(workgroups);
      if (writes) continue;
      const groups = placed.flatMap(({ segment, tile, tiles }) =>
        Array.from({ length: tiles }, (_, i) => [Math.floor((tile + i) / tilesPerWorkgroup), segment.group] as const),
      );
      const byWorkgroup = new Map(groups);
      for (const [workgroup, group] of groups) expect(byWorkgroup.get(workgroup)).toBe(group);
    }
  });
});

describe("as few bindings and dispatches as can be", () => {
  const buffers = Array.from({ length: 20 }, () => fakeBuffer(2 ** 20));
  const place = (buffer: number, byteOffset = 0) => ({ buffer: buffers[buffer] as GPUBuffer, byteOffset });
  const view = (buffer: number, byteOffset = 0, length = 100) => ({ ...place(buffer, byteOffset), length });
  const moved = (from: GradientView, to: number, byteOffset = 0) => ({ ...from, into: place(to, byteOffset) });
  const written = (views: readonly GradientView[]) =>
    planned(clipByGlobalNorm(1), views, { slots: 7, maxBinding: 2 ** 27 })?.filter(({ writes }) => writes) ?? [];
  /** The number of slots in each dispatch that writes. */
  const slotsOf = (views: readonly GradientView[]) => written(views).map(({ slots }) => slots.length);

  test("gradients in one buffer take one binding, in place and into another buffer", () => {
    expect(slotsOf([0, 1024, 2048].map((at) => view(0, at)))).toEqual([1]);
    expect(slotsOf([0, 512].map((at) => moved(view(0, at), 1, at)))).toEqual([1]);
    expect(slotsOf([0, 400].map((at) => moved(view(0, at), 1, at)))).toEqual([1]);
  });

  test("a dispatch is full before there is another", () => {
    expect(slotsOf(buffers.map((_, i) => view(i)))).toEqual([7, 7, 6]);
    expect(slotsOf([0, 1, 2, 3].map((i) => moved(view(i), 10 + i)))).toEqual([3, 1]);
    // Three share a window of their destination. The others fill what they leave.
    const near = [0, 1, 2].map((i) => moved(view(i, 0, 8), 10, 32 * i)) as [GradientView, GradientView, GradientView];
    const others = [3, 4, 5, 6, 7, 8].map((i) => moved(view(i), 8 + i));
    expect(slotsOf([near[0], ...others.slice(0, 2), near[1], near[2], ...others.slice(2)])).toEqual([3, 3, 3]);
  });

  test("sources may share a window where no buffer is read and written, and lie apart where one is", () => {
    expect(slotsOf([moved(view(0, 0, 8), 1), moved(view(0, 64, 8), 2)])).toEqual([2]);
    expect(slotsOf([moved(view(0), 1), moved(view(1, 2048), 2), moved(view(0, 2048), 2, 2048)])).toEqual([3]);
  });

  test("bindings that touch do not overlap, and a binding may be as large as the device allows", () => {
    expect(slotsOf([moved(view(0, 0, 8), 2, 256), moved(view(1, 0, 8), 2, 0), moved(view(3, 0, 8), 2, 512)])).toEqual([
      3,
    ]);
    const apart = [0, 1792].map((at) => view(0, at, 8));
    const batches = planned(clipByGlobalNorm(1), apart, { slots: 7, maxBinding: 2048 })?.filter(({ writes }) => writes);
    expect(batches?.map(({ slots }) => slots.length)).toEqual([1]);
    // One binding holds destinations that touch, also where the later one is listed first.
    expect(slotsOf([moved(view(0, 0, 8), 1, 256), moved(view(0, 1024, 8), 1, 0)])).toEqual([1]);
  });

  test("gradients share a binding with what is near in memory, whatever their order in the list", () => {
    const apart = [0, 3072, 1024].map((at) => view(0, at, 8));
    const reads = planned(clipByGlobalNorm(1), apart, { slots: 7, maxBinding: 2048 })?.filter(({ writes }) => !writes);
    expect(reads?.map(({ slots }) => slots.map(({ source }) => source.size))).toEqual([[1280, 256]]);
  });

  test("dispatches go by the list: of gradients that share a binding the first counts", () => {
    const last = buffers.slice(1, 8).map((_, i) => view(i + 1));
    const labels = written([view(0, 1024), ...last, view(0)]).map(({ placed }) =>
      placed.map(({ segment }) => segment.label),
    );
    const numbers = [8, 0, 1, 2, 3, 4, 5, 6, 7].map((number) => `gradients[${number}]`);
    expect(labels).toEqual([numbers.slice(0, 8), numbers.slice(8)]);
  });

  test("a dispatch that is full takes no more while one before it has room", () => {
    const wide = [0, 1].map((i) => moved(view(i, 0, 160), 10 + i, 192));
    const near = [0, 896].flatMap((at, k) => [0, 1].map((i) => moved(view(2 + 2 * k + i, 0, 8), 10 + i, at)));
    expect(slotsOf([...wide, ...near])).toEqual([2, 3, 1]);
  });

  test("a destination between two others is not covered by their binding", () => {
    expect(slotsOf([moved(view(0), 2), moved(view(0, 1024), 2, 2048), moved(view(1), 2, 1024)])).toEqual([3]);
    // Nor by that of two sources.
    expect(slotsOf([moved(view(0), 1), moved(view(0, 4096), 1, 4096), moved(view(2), 0, 2048)])).toEqual([3]);
    // Also where their own destinations are neighbours.
    expect(slotsOf([moved(view(0), 1), moved(view(0, 4096), 1, 512), moved(view(2), 0, 2048)])).toEqual([3]);
  });

  test("a dispatch has no more segments than its table", () => {
    const segmentsIn = ({ slots }: Batch) => slots.reduce((sum, { segments }) => sum + segments.length, 0);
    const inOne = Array.from({ length: 300 }, (_, i) => view(0, 32 * i, 4));
    expect(written(inOne).map(segmentsIn)).toEqual([240, 60]);
    const inTwo = Array.from({ length: 300 }, (_, i) => view(i % 2, 32 * i, 4));
    expect(written(inTwo).map(segmentsIn)).toEqual([150, 150]);
    const inThree = Array.from({ length: 300 }, (_, i) => view(i % 3, 32 * i, 4));
    expect(written(inThree).map(segmentsIn)).toEqual([200, 100]);
    expect(written(inTwo.slice(0, 240)).map(segmentsIn)).toEqual([240]);
  });

  test("16-bit gradients share no word across a gap, so one dispatch writes them", () => {
    expect(slotsOf([0, 6, 12].map((at) => ({ ...view(0, at, 2), dtype: "f16" })))).toEqual([1]);
  });
});
