/** Long runs: what is alive afterwards is counted, not timed. */
import { afterEach, expect, test } from "vitest";
import { clipByGlobalNorm, clipByNorm, createClipper } from "../src/index.ts";
import { bench, device } from "./support/bench.ts";

afterEach(() => bench.expectWhole());

test("10,000 steps: no object is left, and none is made for buffers that were seen", async () => {
  const sets = Array.from({ length: 8 }, (_, k) => [bench.buffer([3, 4]), bench.buffer([k, 12])]);
  const clip = bench.clipper.prepare(sets[0] as GPUBuffer[], clipByGlobalNorm(1e6));
  const step = (k: number) => clip.run(sets[k % sets.length]);
  for (let k = 0; k < sets.length; k++) step(k);
  await clip.report();
  const alive = bench.live.size;
  bench.calls.length = 0;
  for (let k = 0; k < 10_000; k++) {
    step(k);
    // A queue without an end would measure memory, not the library.
    if (k % 500 === 499) await device.queue.onSubmittedWorkDone();
  }
  const made = bench.calls.filter((call) => !["submit", "createCommandEncoder"].includes(call));
  expect(made).toEqual([]);
  expect(bench.count("submit")).toBe(10_000);
  const report = await clip.report();
  expect(report).toMatchObject({ steps: 10_000, clippedSteps: 0, skippedSteps: 0 });
  expect(report.totals.steps).toBe(10_008);
  expect(bench.live.size).toBe(alive);
  clip.destroy();
});

test("two clippers on one device, with clips and reports in flight, destroyed in any order, leave no buffer", async () => {
  const buffers = [bench.buffer([3, 4]), bench.buffer([5, 12])];
  await bench.settled();
  const alive = bench.live.size;
  for (let round = 0; round < 50; round++) {
    const clippers = [await createClipper({ device }), await createClipper({ device })];
    const clips = clippers.flatMap((clipper) => [
      clipper.prepare(buffers, clipByGlobalNorm(1e6)),
      clipper.prepare(buffers, clipByNorm(1e6)),
    ]);
    for (const clip of clips) clip.run();
    const controller = new AbortController();
    const reports = clips.map((clip, k) => clip.report(k % 2 ? { signal: controller.signal } : {}));
    controller.abort();
    // Of six orders the round takes one: a clip, its clipper, the other clipper.
    const ends = [() => clips[0]?.destroy(), () => clippers[0]?.destroy(), () => clippers[1]?.destroy()];
    for (const k of [0, 1, 2]) ends[(k * (1 + (round % 2)) + round) % 3]?.();
    const settled = await Promise.allSettled(reports);
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "rejected"]);
    for (const clipper of clippers) clipper.destroy();
  }
  await bench.settled();
  expect(bench.live.size).toBe(alive);
});
