/** A clip that goes on where another is, for other gradients: what adapters prepare where a step brings a new variable. */
import { beforeEach, describe, expect, test } from "vitest";
import { goOn } from "../src/adapters/goesOn.ts";
import type { GradientClipper } from "../src/clipper.ts";
import type { GradientClip } from "../src/gradientClip.ts";
import { adaGC, type ClipMethod, type ClipOptions, clipByGlobalNorm, skipSpikes, zClip } from "../src/index.ts";
import { bench, clipperOn, type Side, sides } from "./support/bench.ts";

type Values = Readonly<Record<string, number>>;

describe.each(sides)("on the %s", (side: Side) => {
  let clip: GradientClip | undefined;
  beforeEach(() => {
    clip = undefined;
  });

  /** Goes on with a clip for these names, of one number each; the group is the name's first letter. */
  function prepare(names: readonly string[], method: ClipMethod, options?: ClipOptions): void {
    const declared = new Map(names.map((name) => [name, { length: 1, group: name[0] as string }]));
    const clipper = clipperOn(side) as GradientClipper;
    clip = clip ? goOn(clipper, clip, declared, method, options) : clipper.prepare(declared, method, options);
  }

  /** What is left of the gradients. */
  async function step(values: Values): Promise<Values> {
    const memory = Object.entries(values).map(
      ([name, value]) => [name, side === "CPU" ? Float32Array.of(value) : bench.buffer([value])] as const,
    );
    clip?.run(new Map(memory));
    const left = memory.map(async ([name, buffer]) => {
      const [value] = buffer instanceof Float32Array ? [...buffer] : await bench.values(buffer);
      return [name, Math.abs(value as number)] as const;
    });
    return Object.fromEntries(await Promise.all(left));
  }

  test("adaGC keeps the averages of the tensors that it knew, wherever they stand now", async () => {
    const method = adaGC({ warmup: 1, relative: 1, decay: 0.5, maxNorm: 1000 });
    prepare(["b"], method);
    await step({ b: 2 });
    expect((await step({ b: 300 })).b).toBeCloseTo(2, 6);
    prepare(["a", "b", "c"], method);
    const after = await step({ a: 50, b: 300, c: 7 });
    expect(after).toEqual({ a: 50, b: expect.closeTo(2, 6), c: 7 });
    expect(await step({ a: 500, b: 300, c: 700 })).toEqual({
      a: expect.closeTo(50, 4),
      b: expect.closeTo(2, 6),
      c: expect.closeTo(7, 5),
    });
  });

  test("zClip keeps the statistics of the groups that it knew", async () => {
    const method = zClip({ per: "group", warmup: 3, zThreshold: 1, decay: 0.5 });
    prepare(["x1"], method);
    for (const value of [1, 1.1, 0.9]) await step({ x1: value });
    prepare(["w1", "x1"], method);
    const after = await step({ w1: 100, x1: 100 });
    expect(after.w1).toBe(100);
    expect(after.x1).toBeLessThan(2);
  });

  test("the skip window, the counters and the history stay beside a memory of each norm", async () => {
    const method = adaGC({ warmup: 100, maxNorm: 1e9 });
    const options = { skip: skipSpikes({ sigmas: 3, window: 8, warmup: 4 }), history: 16 };
    prepare(["a"], method, options);
    for (const a of [1, 1.25, 0.75, 1, 1.125]) await step({ a });
    prepare(["b", "a"], method, options);
    expect(await step({ a: 1000, b: 1000 })).toEqual({ a: 0, b: 0 });
    const report = await clip?.report();
    expect(report?.totals).toMatchObject({ steps: 6, skippedSteps: 1, spikeSteps: 1 });
    const history = await clip?.history();
    expect([...(history?.steps ?? [])]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(history?.lost).toBe(0);
    expect([...(history?.norms ?? [])].slice(0, 5)).toEqual([1, 1.25, 0.75, 1, 1.125]);
  });

  test("state and restore are those of the norms of now", async () => {
    const method = adaGC({ warmup: 1, relative: 1, decay: 0.5, maxNorm: 1000 });
    prepare(["a"], method);
    await step({ a: 3 });
    prepare(["a", "b"], method);
    await step({ a: 3, b: 4 });
    const saved = await (clip as GradientClip).state();
    clip = undefined;
    prepare(["a", "b"], method);
    (clip as unknown as GradientClip).restore(saved);
    expect(await step({ a: 30, b: 40 })).toEqual({ a: expect.closeTo(3, 6), b: expect.closeTo(4, 6) });
  });

  test("a report that is under way is told to the clip that goes on", async () => {
    const method = clipByGlobalNorm(1);
    prepare(["a"], method);
    await step({ a: 3 });
    await step({ a: 3 });
    const first = clip?.report();
    prepare(["a", "b"], method);
    await step({ a: 3, b: 4 });
    const second = await clip?.report();
    expect((await first)?.steps).toBe(2);
    expect(second).toMatchObject({ steps: 1, norm: 5 });
    expect(clip?.lastReport).toEqual(second);
  });
});

test("what a clip leaves behind is freed: 50 clips that go on have the buffers of one", async () => {
  const method = adaGC({ warmup: 1 });
  const clipper = bench.clipper as GradientClipper;
  const declared = (count: number) => new Map(Array.from({ length: count }, (_, k) => [`w${k}`, { length: 2 }]));
  let clip = clipper.prepare(declared(1), method);
  clip.run(new Map());
  const alive = bench.live.size;
  for (let count = 2; count <= 50; count++) {
    clip = goOn(clipper, clip, declared(count), method, undefined);
    clip.run(new Map());
  }
  expect(bench.live.size).toBe(alive);
  expect((await clip.report()).totals.steps).toBe(50);
  clip.destroy();
});
