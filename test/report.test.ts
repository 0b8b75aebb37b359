/** Reports: of steps since the last one, several in flight, aborted, refused, and out of the caller's error scopes. */
import { describe, expect, test } from "vitest";
import { adaptiveGradClip, type Clip, clipByGlobalNorm, NonFiniteGradientError } from "../src/index.ts";
import { bench, clipperOn, memoryOn, type Side, sides } from "./support/bench.ts";
import { refused } from "./support/refused.ts";

type ReportOptions = Parameters<Clip["report"]>[0];

function prepared(side: Side, values = [3, 4], maxNorm = 100): Clip {
  return clipperOn(side).prepare([memoryOn(side, values)], clipByGlobalNorm(maxNorm));
}

describe.each(sides)("steps are counted since the last report, on the %s", (side) => {
  test("where reports are in flight together", async () => {
    const clip = prepared(side);
    const pending: Promise<{ steps: number; norm: number }>[] = [];
    for (let i = 0; i < 5; i++) {
      for (let step = 0; step <= i; step++) clip.run();
      pending.push(clip.report());
    }
    const reports = await Promise.all(pending);
    expect(reports.map(({ steps }) => steps)).toEqual([1, 2, 3, 4, 5]);
    expect(reports.map(({ norm }) => norm)).toEqual([5, 5, 5, 5, 5]);
  });

  const { signal } = new AbortController();
  test.each([
    ["first", [{ signal }, {}]],
    ["second", [{}, { signal }]],
  ])("where the %s waits for a signal too", async (_, [one, other]) => {
    const clip = prepared(side);
    clip.run();
    const first = clip.report(one);
    clip.run();
    clip.run();
    const second = clip.report(other);
    expect([(await second).steps, (await first).steps]).toEqual([2, 1]);
  });

  test("where nothing ran in between", async () => {
    const clip = prepared(side, [3, 4], 1);
    clip.run();
    const both = await Promise.all([clip.report(), clip.report()]);
    expect(both.map(({ steps, clippedSteps }) => [steps, clippedSteps])).toEqual([
      [1, 1],
      [0, 0],
    ]);
  });

  test("each kind for itself", async () => {
    const clip = prepared(side, [3, 4], 1);
    const small = memoryOn(side, [0.5, 0]);
    const bad = memoryOn(side, [1, Number.NaN]);
    clip.run();
    clip.run([small]);
    clip.run([bad]);
    expect(await clip.report()).toMatchObject({ steps: 3, clippedSteps: 1, skippedSteps: 1 });
    clip.run([small]);
    expect(await clip.report()).toMatchObject({ steps: 1, clippedSteps: 0, skippedSteps: 0 });
    if (bad instanceof Float32Array) expect([...bad]).toEqual([0, 0]);
    else expect(await bench.values(bad)).toEqual([0, 0]);
  });

  test("after one that was aborted", async () => {
    const clip = prepared(side);
    const controller = new AbortController();
    clip.run();
    const aborted = clip.report({ signal: controller.signal });
    controller.abort();
    await expect(aborted).rejects.toBe(controller.signal.reason);
    clip.run();
    expect((await clip.report()).steps).toBe(2);
  });

  test("where the second of three was aborted and the first arrives last", async () => {
    const clip = prepared(side);
    const release = bench.holdFirstReadBack();
    const controller = new AbortController();
    const pending: Promise<{ steps: number }>[] = [];
    for (const signal of [undefined, controller.signal, undefined]) {
      clip.run();
      pending.push(clip.report({ signal }));
    }
    controller.abort();
    const [first, aborted, third] = pending as [(typeof pending)[0], (typeof pending)[0], (typeof pending)[0]];
    await expect(aborted).rejects.toBe(controller.signal.reason);
    await bench.device.queue.onSubmittedWorkDone();
    release();
    expect([(await first).steps, (await third).steps]).toEqual([1, 2]);
  });
});

test("two clips over the same gradients in flight: the second sees what the first wrote", async () => {
  const buffer = bench.buffer([3, 4]);
  const clips = [2.5, 1.25].map((bound) => bench.clipper.prepare([buffer], clipByGlobalNorm(bound)));
  for (const clip of clips) clip.run();
  const reports = await Promise.all(clips.map((clip) => clip.report()));
  expect(reports.map(({ norm, scale }) => [norm, scale])).toEqual([
    [5, 0.5],
    [2.5, 0.5],
  ]);
  expect(await bench.values(buffer)).toEqual([0.75, 1]);
});

describe.each(sides)("a signal, on the %s", (side) => {
  test.each([undefined, new Error("navigated away"), "a string"])(
    "that is aborted already rejects: %s",
    async (reason) => {
      const clip = prepared(side);
      clip.run();
      const submits = bench.count("submit");
      const controller = new AbortController();
      controller.abort(reason);
      await expect(clip.report({ signal: controller.signal })).rejects.toBe(controller.signal.reason);
      expect(bench.count("submit")).toBe(submits);
      expect((await clip.report()).steps).toBe(1);
      await bench.expectWhole();
    },
  );

  test("that is aborted in flight rejects, and frees what the report made", async () => {
    const clip = prepared(side);
    clip.run();
    await clip.report();
    const made = bench.live.size;
    const controller = new AbortController();
    const reports = [clip.report({ signal: controller.signal }), clip.report()];
    controller.abort();
    expect(bench.live.size, "at once: only the other report's").toBe(made + (side === "GPU" ? 1 : 0));
    await expect(reports[0]).rejects.toMatchObject({ name: "AbortError" });
    expect((await reports[1])?.norm).toBe(5);
    await bench.expectWhole();
    expect(bench.live.size).toBe(made);
  });

  test("that is aborted too late changes nothing", async () => {
    const clip = prepared(side);
    const controller = new AbortController();
    clip.run();
    const report = clip.report({ signal: controller.signal });
    expect((await report).steps).toBe(1);
    controller.abort();
    expect((await report).steps).toBe(1);
  });

  test("that outlives many reports keeps no listener", async () => {
    const clip = prepared(side);
    clip.run();
    const { signal } = new AbortController();
    let listeners = 0;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (...values: Parameters<typeof add>) => {
      listeners += 1;
      add(...values);
    };
    signal.removeEventListener = (...values: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...values);
    };
    const pending = [1, 2, 3].map(() => clip.report({ signal }));
    expect(listeners).toBeGreaterThanOrEqual(3);
    await Promise.all(pending);
    expect(listeners).toBe(0);
  });
});

describe.each(sides)("report's options are refused, on the %s", (side) => {
  const rows: [string, unknown][] = [
    [
      'report\'s options has an unknown property "throwIfNaN"; it takes throwIfNonFinite and signal.',
      { throwIfNaN: true },
    ],
    ["report's options is true; pass an object with throwIfNonFinite and signal.", true],
    ["report's options is null; pass an object with throwIfNonFinite and signal.", null],
    ["report's signal is 5; pass an AbortSignal.", { signal: 5 }],
    ["report's signal is null; pass an AbortSignal.", { signal: null }],
    ["report's signal is an Object; pass an AbortSignal.", { signal: {} }],
    ["report's signal is an AbortController; pass an AbortSignal.", { signal: new AbortController() }],
    ["report's signal is an EventTarget; pass an AbortSignal.", { signal: new EventTarget() }],
    ['report\'s throwIfNonFinite is the string "no"; pass true or false.', { throwIfNonFinite: "no" }],
  ];

  test.each(rows)("%s", async (message, options) => {
    const clip = prepared(side);
    clip.run();
    await bench.rejects(() => clip.report(options as ReportOptions), TypeError, message);
    expect((await clip.report()).steps).toBe(1);
  });
});

describe.each(sides)("before the first step a report rejects, on the %s", (side) => {
  const message = "There is no report before the first step; call run, or submit what encode recorded.";

  test("and counts from the first step on", async () => {
    const clip = prepared(side, [3, 4], 1);
    const early = refused(() => clip.report(), TypeError, message);
    clip.run();
    const both = [clip.report(), clip.report({ throwIfNonFinite: true })];
    await early;
    expect((await Promise.all(both)).map(({ steps, clippedSteps }) => [steps, clippedSteps])).toEqual([
      [1, 1],
      [0, 0],
    ]);
  });
});

test("a step that is encoded and not submitted is no step", async () => {
  const clip = prepared("GPU");
  const encoder = bench.device.createCommandEncoder();
  clip.encode(encoder);
  const message = "There is no report before the first step; call run, or submit what encode recorded.";
  await refused(() => clip.report(), TypeError, message);
  bench.device.queue.submit([encoder.finish()]);
  expect((await clip.report()).steps).toBe(1);
});

const NOT_GRADIENTS = "gradScale, totalNorm or a parameter is not, or out of range; correct it";

describe.each(sides)("throwIfNonFinite, on the %s", (side) => {
  test("rejects with the report where a value is not finite", async () => {
    const gradients = { a: memoryOn(side, [3, 4]), w: memoryOn(side, [1, Infinity, Number.NaN]) };
    const clip = clipperOn(side).prepare(gradients, undefined, { nonFinite: "keep" });
    clip.run();
    const error = await refused(
      () => clip.report({ throwIfNonFinite: true }),
      NonFiniteGradientError,
      'The gradients hold 2 NaN or infinite values; the first is gradients[1] "w", element 1; skip this step or lower the loss scale.',
    );
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe("NonFiniteGradientError");
    const { report } = error as NonFiniteGradientError;
    expect(report).toMatchObject({ norm: Number.NaN, nonFinite: 2, steps: 1, clipped: false });
    expect(report.firstNonFinite).toEqual({ index: 1, name: "w", element: 1 });
    expect((await clip.report({ throwIfNonFinite: false })).steps).toBe(0);
    await bench.expectWhole();
  });

  test("says value of one, and names no gradient without a name", async () => {
    const clip = prepared(side, [1, Number.NaN]);
    clip.run();
    const message =
      "The gradients hold 1 NaN or infinite value; the first is gradients[0], element 1; skip this step or lower the loss scale.";
    const { report } = (await refused(
      () => clip.report({ throwIfNonFinite: true }),
      NonFiniteGradientError,
      message,
    )) as NonFiniteGradientError;
    expect(report).toMatchObject({ nonFiniteSteps: 1, badStepsInARow: 1 });
  });

  test("rejects where the norm given to it is not finite", async () => {
    const gradients = [memoryOn(side, [3, 4])];
    const options = { totalNorm: Number.NaN, nonFinite: "keep" } as const;
    const clip = clipperOn(side).prepare(gradients, undefined, options);
    clip.run();
    const message = `The gradients are finite, but ${NOT_GRADIENTS}.`;
    await refused(() => clip.report({ throwIfNonFinite: true }), NonFiniteGradientError, message);
    await bench.expectWhole();
  });

  test("rejects where a parameter is not finite", async () => {
    const gradient = {
      buffer: memoryOn(side, [3, 4]),
      shape: [2],
      parameter: { buffer: memoryOn(side, [1, Number.NaN]) },
    };
    const clip = clipperOn(side).prepare([gradient], adaptiveGradClip());
    clip.run();
    const message = `The gradients are finite, but ${NOT_GRADIENTS}.`;
    await refused(() => clip.report({ throwIfNonFinite: true }), NonFiniteGradientError, message);
  });

  test("reports as ever where all values are finite", async () => {
    const clip = prepared(side);
    clip.run();
    expect(await clip.report({ throwIfNonFinite: true })).toMatchObject({ norm: 5, nonFinite: 0, steps: 1 });
  });
});

describe("inside the caller's open error scopes", () => {
  test("nothing of a clip is seen, and the stack is as it was", async () => {
    const errors = await bench.errorsIn(async () => {
      const clip = prepared("GPU");
      await clip.ready;
      clip.run();
      await clip.report();
      clip.destroy();
    });
    expect(errors).toEqual([]);
  });

  test("nothing of a clip that fails is seen, and a caller's own error is", async () => {
    const destroyed = bench.buffer([3, 4]);
    bench.discard(destroyed);
    const clip = bench.clipper.prepare([destroyed]);
    const errors = await bench.errorsIn(async () => {
      clip.run();
      await expect(clip.report()).rejects.toThrow(/destroyed/);
      expect(() => clip.run()).toThrow(/destroyed/);
      clip.run();
      bench.device.createBuffer({ size: 4, usage: 0 });
    });
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(/usage/i);
    await expect(clip.report()).rejects.toThrow(/destroyed/);
  });
});
