/** clip.history: what it costs, in which order it answers, and what is refused. */
import { expect, test } from "vitest";
import { type ClipHistory, type ClipOptions, clipByGlobalNorm, measureNorm } from "../src/index.ts";
import { bench, clipperOn, memoryOn, sides } from "./support/bench.ts";
import { refused } from "./support/refused.ts";

test("a thousand steps come in one copy and one submit, of 32 bytes each", async () => {
  const clip = bench.clipper.prepare([bench.buffer([3, 4])], clipByGlobalNorm(1), { history: 1000, apply: "record" });
  const encoder = bench.device.createCommandEncoder();
  for (let i = 0; i < 1000; i++) clip.encode(encoder);
  bench.device.queue.submit([encoder.finish()]);
  const before = { submits: bench.count("submit"), buffers: bench.count("createBuffer") };
  const { steps, norms, lost } = await clip.history();
  expect([steps.length, lost]).toEqual([1000, 0]);
  expect(norms.every((norm) => norm === 5)).toBe(true);
  expect(bench.count("submit") - before.submits).toBe(1);
  expect(bench.count("createBuffer") - before.buffers, "staging buffers").toBe(1);
  await bench.expectWhole();
});

test.each(sides)("before the first step it is empty, on the %s", async (side) => {
  const clip = clipperOn(side).prepare([memoryOn(side, [3, 4])], measureNorm(), { history: 4 });
  expect(await clip.history()).toEqual({
    steps: new Uint32Array(0),
    norms: new Float64Array(0),
    scales: new Float64Array(0),
    bounds: new Float64Array(0),
    flags: new Uint32Array(0),
    lost: 0,
  });
});

test.each(sides)("a report counts its steps, and history its own, on the %s", async (side) => {
  const clip = clipperOn(side).prepare([memoryOn(side, [3, 4])], measureNorm(), { history: 4 });
  clip.run();
  expect((await clip.history()).steps).toEqual(Uint32Array.of(1));
  clip.run();
  expect((await clip.report()).steps).toBe(2);
  expect((await clip.history()).steps).toEqual(Uint32Array.of(2));
  expect(clip.lastReport?.totals.steps).toBe(2);
});

test.each(sides)("without the option, and after destroy, it is refused, on the %s", async (side) => {
  const clip = clipperOn(side).prepare([memoryOn(side, [3, 4])]);
  clip.run();
  await refused(() => clip.history(), TypeError, "The clip keeps no history; prepare it with { history: 1000 }.");
  clip.destroy();
  await refused(() => clip.history(), TypeError, "The clip was destroyed; prepare a new one.");
});

test.each<[unknown, new () => Error, string]>([
  [0, RangeError, "options.history is 0; pass a whole number from 1 to 65536."],
  [1.5, RangeError, "options.history is 1.5; pass a whole number from 1 to 65536."],
  [65_537, RangeError, "options.history is 65537; pass a whole number from 1 to 65536."],
  [Number.NaN, RangeError, "options.history is NaN; pass a whole number from 1 to 65536."],
  [true, TypeError, "options.history is true; pass a whole number from 1 to 65536."],
  [null, TypeError, "options.history is null; pass a whole number from 1 to 65536."],
])("a history of %s is refused", async (history, type, message) => {
  const options = { history } as ClipOptions;
  await bench.refuses(() => bench.clipper.prepare([bench.buffer([3, 4])], undefined, options), type, message);
});

test("the longest history", async () => {
  const clip = bench.clipper.prepare([bench.buffer([3, 4])], measureNorm(), { history: 65_536 });
  clip.run();
  clip.run();
  expect((await clip.history()).norms).toEqual(Float64Array.of(5, 5));
});

test("where the first copy arrives last, each call still has the steps since the one before", async () => {
  const clip = bench.clipper.prepare([bench.buffer([3, 4])], measureNorm(), { history: 4 });
  const release = bench.holdFirstReadBack();
  const pending: Promise<ClipHistory>[] = [];
  for (let i = 0; i < 2; i++) {
    clip.run();
    pending.push(clip.history());
  }
  await bench.device.queue.onSubmittedWorkDone();
  release();
  const [first, second] = await Promise.all(pending);
  expect([first?.steps, second?.steps]).toEqual([Uint32Array.of(1), Uint32Array.of(2)]);
});
