/** Long runs: what is alive afterwards is counted, not timed. */
import { afterEach, expect, test } from "vitest";
import { goOn } from "../src/adapters/goesOn.ts";
import type { GradientClipper } from "../src/clipper.ts";
import type { GradientClip } from "../src/gradientClip.ts";
import { clipByGlobalNorm, clipByNorm, createClipper, skipAbove } from "../src/index.ts";
import { randomSource } from "./conformance/numbers.ts";
import { bench, device } from "./support/bench.ts";

afterEach(() => bench.expectWhole());

const SEED = 20_261_127;

/** Integers from 0 to below `end`, the same in every run. */
function seeded(seed: number): (end: number) => number {
  const random = randomSource(seed);
  return (end) => Math.floor(((random() + 1) / 2) * end);
}

function shuffled<T>(items: readonly T[], below: (end: number) => number): T[] {
  const left = [...items];
  return items.map(() => left.splice(below(left.length), 1)[0] as T);
}

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

test("3,000 steps of clips that go on, with skips and a history that is read late: each step is told once or counted as lost", async () => {
  const below = seeded(SEED);
  const clipper = bench.clipper as GradientClipper;
  const [method, kept] = [clipByGlobalNorm(1), 32];
  const options = { apply: "record", history: kept, skip: skipAbove(100) } as const;
  // Below the bound, above it, and a spike, however many there are.
  const kinds = [0.25, 16, 1024].map((value) => Array.from({ length: 8 }, () => bench.buffer([value])));
  const flags = [0, 1, 2 + 16];
  const declared = (count: number) => Array.from({ length: count }, () => ({ length: 1 }));
  await bench.settled();
  const before = bench.live.size;
  let count = 8;
  let clip = clipper.prepare(declared(count), method, options);
  const told: number[] = [];
  let lost = 0;
  let alive: number | undefined;
  for (let read = 0, step = 0; step < 3000; ) {
    const unread: number[] = [];
    for (const end = Math.min(3000, step + 1 + below(3 * kept)); step < end; step++) {
      if (below(40) === 0) {
        count = 1 + below(8);
        clip = goOn(clipper, clip, declared(count), method, options);
      }
      const kind = below(3);
      clip.run(kinds[kind]?.slice(0, count));
      unread.push(flags[kind] as number);
    }
    const history = await clip.history();
    expect(history.lost, `seed ${SEED}, lost before step ${step}`).toBe(Math.max(0, unread.length - kept));
    expect([...history.flags], `seed ${SEED}, flags before step ${step}`).toEqual(unread.slice(-kept));
    expect(history.steps.at(-1)).toBe(step);
    lost += history.lost;
    read += history.steps.length;
    told.push(...unread);
    expect(read + lost).toBe(step);
    alive ??= bench.live.size;
    expect(bench.live.size, `seed ${SEED}, alive at step ${step}`).toBe(alive);
  }
  expect(lost).toBeGreaterThan(100);
  const counted = (flag: number) => told.filter((flags) => flags === flag).length;
  const { totals } = await clip.report();
  expect(totals).toMatchObject({
    steps: 3000,
    clippedSteps: counted(1),
    skippedSteps: counted(18),
    spikeSteps: counted(18),
  });
  clip.destroy();
  expect(bench.live.size).toBe(before);
});

test.each([1, 2, 3, 4])(
  "clips, some of which go on, and clippers are destroyed in any order, here of seed %i",
  async (seed) => {
    const below = seeded(seed);
    const buffers = [bench.buffer([3, 4]), bench.buffer([5, 12])];
    await bench.settled();
    const alive = bench.live.size;
    const method = clipByGlobalNorm(1e6);
    const options = { history: 4 };
    for (let round = 0; round < 10; round++) {
      const clippers = [await createClipper({ device }), await createClipper({ device })] as GradientClipper[];
      const clips = Array.from({ length: 6 }, () => {
        const clipper = clippers[below(2)] as GradientClipper;
        const clip = clipper.prepare(buffers, method, options);
        clip.run();
        return below(2) ? clip : goOn(clipper, clip, buffers, method, options);
      });
      for (const clip of clips) clip.run();
      const reads = clips.flatMap((clip): Promise<unknown>[] => [clip.report(), clip.history()]);
      const ends: (GradientClip | GradientClipper)[] = shuffled([...clips, ...clippers], below);
      for (const each of ends) {
        if (below(3) === 0) await bench.settled();
        each.destroy();
      }
      const settled = await Promise.allSettled(reads);
      expect(settled.map(({ status }) => status)).toEqual(reads.map(() => "fulfilled"));
    }
    await bench.settled();
    expect(bench.live.size).toBe(alive);
  },
);
