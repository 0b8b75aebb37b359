/** What the bytes of a record, of entries and of a history say: at the places that shaders/shared/record.wgsl gives them. */
import { expect, test } from "vitest";
import { writeEntry } from "../src/cpu/finish.ts";
import { readHistory } from "../src/history.ts";
import * as record from "../src/record.ts";
import { type Counters, countsOf, readEntries, readReport } from "../src/record.ts";

type Field = readonly [at: number, kind: "Float32" | "Int32" | "Uint32", value: number];

function bytesOf(fields: readonly Field[], length: number): DataView {
  const view = new DataView(new ArrayBuffer(length));
  for (const [at, kind, value] of fields) view[`set${kind}`](at, value, true);
  return view;
}

/** A norm of 5, and a scale of two factors. */
function entry(start: number, flags: number): Field[] {
  return [
    [start, "Float32", 0.5],
    [start + 4, "Float32", 0.25],
    [start + 8, "Uint32", flags],
    [start + 16, "Float32", 0.625],
    [start + 20, "Int32", 3],
  ];
}

const COUNTERS = { steps: 40, clippedSteps: 44, skippedSteps: 48, nonFiniteSteps: 56, spikeSteps: 76 };

const RECORD: Field[] = [
  ...entry(0, 1 + 4),
  [24, "Uint32", 2],
  [28, "Uint32", 7],
  [32, "Uint32", 8],
  [36, "Float32", 1.5],
  ...Object.values(COUNTERS).map((at, i): Field => [at, "Uint32", 50 + i]),
  [60, "Uint32", 6],
  [64, "Uint32", 47],
  [68, "Uint32", 9],
  [72, "Uint32", 10],
];

const none = countsOf(() => 0);
const locate = (index: number, element: number) => ({ index, element });

test("a record's fields", () => {
  const since: Counters = { steps: 10, clippedSteps: 11, skippedSteps: 12, nonFiniteSteps: 13, spikeSteps: 14 };
  expect(readReport(bytesOf(RECORD, 96), since, locate)).toEqual({
    norm: 5,
    scale: 0.125,
    clipped: true,
    nonFinite: 2,
    firstNonFinite: { index: 7, element: 8 },
    maxAbs: 1.5,
    steps: 40,
    clippedSteps: 40,
    skippedSteps: 40,
    nonFiniteSteps: 40,
    spikeSteps: 40,
    badStepsInARow: 6,
    lastNonFinite: { step: 47, index: 9, element: 10 },
    totals: { steps: 50, clippedSteps: 51, skippedSteps: 52, nonFiniteSteps: 53, spikeSteps: 54 },
  });
});

test("places are named where there are some, and by a clip", () => {
  const places = (fields: readonly Field[], by?: typeof locate) => {
    const { firstNonFinite, lastNonFinite } = readReport(bytesOf([...RECORD, ...fields], 96), none, by);
    return [firstNonFinite?.index, lastNonFinite?.index];
  };
  expect(places([])).toEqual([undefined, undefined]);
  expect(places([], locate)).toEqual([7, 9]);
  expect(
    places(
      [
        [24, "Uint32", 1],
        [64, "Uint32", 1],
      ],
      locate,
    ),
  ).toEqual([7, 9]);
  expect(places([[24, "Uint32", 0]], locate)).toEqual([undefined, 9]);
  expect(places([[64, "Uint32", 0]], locate)).toEqual([7, undefined]);
  expect(readReport(bytesOf(entry(0, 2), 96), none).clipped).toBe(false);
});

test("counters go round after 2^32, and totals go on", () => {
  const since = countsOf(() => 2 ** 32 - 3);
  const fields: Field[] = [
    [24, "Uint32", 1],
    [40, "Uint32", 2],
    [64, "Uint32", 2 ** 32 - 1],
  ];
  expect(readReport(bytesOf(fields, 96), since, locate)).toMatchObject({
    steps: 5,
    clippedSteps: 3,
    totals: { steps: 2 ** 32 + 2, clippedSteps: 2 ** 32 },
    lastNonFinite: { step: 2 ** 32 - 1 },
  });
});

test("entries of 32 bytes", () => {
  const second: Field[] = [
    [32, "Float32", 1],
    [36, "Float32", 1],
    [40, "Uint32", 2],
    [48, "Float32", 0.5],
    [52, "Int32", -1],
  ];
  expect(readEntries(bytesOf([...entry(0, 3), ...second], 64))).toEqual({
    norms: Float64Array.of(5, 0.25),
    scales: Float64Array.of(0.125, 1),
    clipped: [true, false],
  });
});

/** A row for each step, with its number as bound and flags. */
function rowsOf(steps: readonly number[]): DataView {
  const fields = steps.flatMap((step, i): Field[] => [
    ...entry(32 * i, step % 32),
    [32 * i + 24, "Float32", step % 32],
    [32 * i + 28, "Uint32", step],
  ]);
  return bytesOf(fields, 32 * steps.length);
}

test.each<[rows: number[], since: number, steps: number[], lost: number]>([
  [[1, 2, 0, 0], 0, [1, 2], 0],
  [[5, 2, 3, 4], 1, [2, 3, 4, 5], 0],
  [[5, 2, 3, 4], 0, [2, 3, 4, 5], 1],
  [[5, 2, 3, 4], 4, [5], 0],
  [[5, 2, 3, 4], 5, [], 0],
  [[0, 0], 0, [], 0],
  [[1, 2 ** 32 - 2, 2 ** 32 - 1, 0], 2 ** 32 - 3, [2 ** 32 - 2, 2 ** 32 - 1, 0, 1], 0],
  [[1, 2 ** 32 - 2, 2 ** 32 - 1, 0], 2 ** 32 - 1, [0, 1], 0],
])("of the rows %j those after %d are %j", (rows, since, steps, lost) => {
  expect(readHistory(rowsOf(rows), since)).toEqual({
    steps: Uint32Array.from(steps),
    norms: Float64Array.from(steps, () => 5),
    scales: Float64Array.from(steps, () => 0.125),
    bounds: Float64Array.from(steps, (step) => step % 32),
    flags: Uint32Array.from(steps, (step) => step % 32),
    lost,
  });
});

test.each([
  [6, 6, 0.75, 3],
  [1, 1, 0.5, 1],
  [0.25, 0.25, 0.5, -1],
  [0, 0, 0, 0],
  [2 ** 200, (2 - 2 ** -23) * 2 ** 127, 0.5, 201],
  [Infinity, Infinity, Infinity, 0],
  [Number.NaN, Number.NaN, Number.NaN, 0],
])("the norm %d is written as one from a half to 1, times a power of two", (norm, float, fraction, power) => {
  const view = new DataView(new ArrayBuffer(64));
  writeEntry(view, 32, { norm, scale: 0.5, flags: 3, bound: 1 });
  expect([44, 48].map((at) => view.getFloat32(at, true))).toEqual([float, fraction]);
  expect([view.getInt32(52, true), view.getUint32(40, true)]).toEqual([power, 3]);
  expect([view.getFloat32(32, true), view.getFloat32(36, true)]).toEqual([0.5, 1]);
});

test("flags and sizes are as the documentation has them", () => {
  const { CLIPPED, SKIP, NAN_SEEN, INFINITY_SEEN, SPIKE } = record;
  expect([CLIPPED, SKIP, NAN_SEEN, INFINITY_SEEN, SPIKE]).toEqual([1, 2, 4, 8, 16]);
  expect(record.recordAt).toMatchObject({ norm: 12, maxNorm: 52 });
  expect([record.RECORD_BYTES, record.ENTRY_BYTES, record.NONE]).toEqual([96, 32, 2 ** 32 - 1]);
});
