/** A record that the caller copied, and the latest report. */
import { expect, test } from "vitest";
import { type Clip, clipByGlobalNorm, clipByNorm, createClipper, readRecord } from "../src/index.ts";
import { recordAt } from "../src/record.ts";
import { bench } from "./support/bench.ts";
import { refused } from "./support/refused.ts";

const bytesOf = (clip: Clip) => bench.bytes(clip.record as GPUBuffer);

test("a copied record says what the last step did, and counts since prepare", async () => {
  const clip = bench.clipper.prepare({ w: bench.buffer([3, 4]), b: bench.buffer([0]) }, clipByGlobalNorm(2.5));
  const bad = { w: bench.buffer([1, 2]), b: bench.buffer([Number.NaN]) };
  clip.run(bad);
  await clip.report();
  const w = bench.buffer([30, 40]);
  clip.run({ w });
  const record = await bytesOf(clip);
  const report = readRecord(record, clip);
  expect(report).toMatchObject({ norm: 50, scale: Math.fround(0.05), clipped: true, nonFinite: 0, maxAbs: 40 });
  expect(report).toMatchObject({ steps: 2, clippedSteps: 1, skippedSteps: 1, nonFiniteSteps: 1, badStepsInARow: 0 });
  expect(report.lastNonFinite).toEqual({ step: 1, index: 1, name: "b", element: 0 });
  expect(report.firstNonFinite).toBeUndefined();
  expect(report.totals).toEqual({ steps: 2, clippedSteps: 1, skippedSteps: 1, nonFiniteSteps: 1, spikeSteps: 0 });
  expect((await clip.report()).steps, "steps since the report before").toBe(1);
  const inside = new Uint8Array(200).fill(255);
  inside.set(record, 5);
  expect(readRecord(inside.subarray(5), clip)).toEqual(report);
  expect(readRecord(record.buffer as ArrayBuffer, clip)).toEqual(report);
  for (const gradient of [w, bad.w, bad.b]) await bench.values(gradient);
});

test("without its clip a record names no gradient", async () => {
  const gradient = bench.buffer([1, Number.NaN]);
  const clip = bench.clipper.prepare({ gradient });
  clip.run();
  const report = readRecord(await bytesOf(clip));
  expect(report).toMatchObject({ norm: Number.NaN, nonFinite: 1, skippedSteps: 1 });
  expect([report.firstNonFinite, report.lastNonFinite]).toEqual([undefined, undefined]);
  await bench.values(gradient);
});

test("before the first step everything is 0", async () => {
  const clip = bench.clipper.prepare([bench.buffer([1])]);
  expect(readRecord(await bytesOf(clip), clip)).toMatchObject({ norm: 0, scale: 0, steps: 0, totals: { steps: 0 } });
});

test("with several norms it tells what is true of all", async () => {
  const [a, b] = [bench.buffer([3, 4]), bench.buffer([0.5])];
  const clip = bench.clipper.prepare([a, b], clipByNorm(1));
  clip.run();
  const report = readRecord(await bytesOf(clip), clip);
  expect(report).toMatchObject({ norm: Math.fround(Math.sqrt(25.25)), scale: Number.NaN, clipped: true });
  expect(report.tensorNorms).toBeUndefined();
  await bench.values(a);
});

test.each([
  ["a number", 96, TypeError, "readRecord's bytes is 96; pass an ArrayBuffer, or a view of its bytes."],
  [
    "the first 64 bytes",
    new ArrayBuffer(64),
    RangeError,
    "readRecord's bytes has 64 bytes, but a record has 96; pass all of it while it is mapped.",
  ],
])("%s for bytes is refused", async (_, bytes, kind, message) => {
  await refused(() => readRecord(bytes as ArrayBuffer), kind, message);
});

test("a clip that is none is refused, and a place that its gradients do not have", async () => {
  const record = new DataView(new ArrayBuffer(96));
  const message = "readRecord's clip is an Object; pass what prepare returned, or leave it out.";
  await refused(() => readRecord(record, {} as Clip), TypeError, message);
  record.setUint32(recordAt.nonFinite, 1, true);
  record.setUint32(recordAt.firstPiece, 7, true);
  const clip = (await createClipper({ backend: "cpu" })).prepare([new Float32Array(1)]);
  const place = "The record names piece 7, element 0, which no gradient has; pass the clip that wrote it.";
  await refused(() => readRecord(record, clip), RangeError, place);
});

test("the latest report is kept, and is the one that report() gave", async () => {
  const clipper = await createClipper({ backend: "cpu" });
  const clip = clipper.prepare([new Float32Array([3, 4])], clipByGlobalNorm(10));
  expect(clip.lastReport).toBeUndefined();
  await refused(() => clip.report(), TypeError, /before the first step/);
  expect(clip.lastReport).toBeUndefined();
  clip.run();
  expect(clip.lastReport).toBeUndefined();
  const report = await clip.report();
  expect(clip.lastReport).toBe(report);
  clip.run([new Float32Array([0, Number.NaN])]);
  await expect(clip.report({ throwIfNonFinite: true })).rejects.toThrow(/not finite|non-finite|NaN/i);
  expect(clip.lastReport).toMatchObject({ nonFinite: 1, steps: 1 });
  await expect(clip.report({ signal: AbortSignal.abort() })).rejects.toThrow();
  expect(clip.lastReport).toMatchObject({ nonFinite: 1, steps: 1 });
});
