/** What only the GPU process sees, destroyed and foreign buffers, and what happens when the device is gone. */
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import {
  type Clip,
  type ClipOptions,
  clipByGlobalNorm,
  createClipper,
  DeviceLostError,
  type Gradients,
} from "../src/index.ts";
import { refused } from "./support/refused.ts";
import { newDevice, STORAGE, Workbench } from "./support/workbench.ts";

let bench: Workbench;
let foreign: GPUBuffer;

beforeAll(async () => {
  bench = await Workbench.open();
  const device = await newDevice();
  foreign = device.createBuffer({ size: 8, usage: STORAGE, label: "foreign" });
});
afterEach(async () => {
  vi.unstubAllGlobals();
  await bench.tidy();
});

/** The rejection is ours to tell: with the browser's text, and its error as the cause. */
async function faultOf(promise: Promise<unknown>, text: RegExp): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error, "a rejection").toBeInstanceOf(Error);
  expect(error.message).toMatch(/^gradclip clipByGlobalNorm: /);
  expect(error.message).toMatch(text);
  expect(Object.prototype.toString.call(error.cause)).toBe("[object GPUValidationError]");
}

function destroyed(): GPUBuffer {
  const buffer = bench.buffer([3, 4]);
  bench.discard(buffer);
  return buffer;
}

type Setup = [name: string, gradients: () => Gradients, options?: () => ClipOptions];

const withDestroyed: Setup[] = [
  ["a gradient", () => [bench.buffer([30, 40]), destroyed()]],
  ["an into", () => [{ buffer: bench.buffer([30, 40]), into: { buffer: destroyed() } }]],
  ["gradScale", () => [bench.buffer([30, 40])], () => ({ gradScale: destroyed() })],
  ["totalNorm", () => [bench.buffer([30, 40])], () => ({ totalNorm: { buffer: destroyed() } })],
];

const withForeign: Setup[] = [
  ["a gradient", () => [bench.buffer([30, 40]), foreign]],
  ["an into", () => [{ buffer: bench.buffer([30, 40]), into: { buffer: foreign } }]],
  ["gradScale", () => [bench.buffer([30, 40])], () => ({ gradScale: foreign })],
  ["totalNorm", () => [bench.buffer([30, 40])], () => ({ totalNorm: { buffer: foreign } })],
];

function prepared([, gradients, options]: Setup): Clip {
  return bench.clipper.prepare(gradients(), clipByGlobalNorm(1), options?.());
}

describe("a buffer that was destroyed", () => {
  test.each(withDestroyed.map((setup) => [setup[0], setup] as const))(
    "as %s: report rejects once, no gradient changes",
    async (_, setup) => {
      const clip = prepared(setup);
      clip.run();
      await faultOf(clip.report(), /destroyed/);
      await expect(clip.report()).rejects.toThrow(/before the first step/);
      await bench.expectWhole();
    },
  );

  test("after prepare is told by the report, and the clip goes on with other buffers", async () => {
    const buffers = [bench.buffer([30, 40]), bench.buffer([3, 4])];
    const clip = bench.clipper.prepare(buffers, clipByGlobalNorm(1));
    await clip.ready;
    bench.discard(buffers[1] as GPUBuffer);
    clip.run();
    await faultOf(clip.report(), /destroyed/);
    await bench.expectWhole();
    const good = [bench.buffer([3, 0]), bench.buffer([0, 4])];
    clip.run(good);
    expect(await clip.report()).toMatchObject({ norm: 5, steps: 1, clippedSteps: 1 });
    for (const buffer of good) await bench.values(buffer);
  });

  test("after run is no fault", async () => {
    const buffer = bench.buffer([3, 4]);
    const clip = bench.clipper.prepare([buffer]);
    clip.run();
    bench.discard(buffer);
    expect(await clip.report()).toMatchObject({ norm: 5, steps: 1 });
  });

  test("while a report is in flight is no fault", async () => {
    const buffer = bench.buffer([3, 4]);
    const clip = bench.clipper.prepare([buffer]);
    clip.run();
    const report = clip.report();
    bench.discard(buffer);
    expect(await report).toMatchObject({ norm: 5, steps: 1 });
  });

  test("in the caller's encoder belongs to the caller's submit", async () => {
    const clip = prepared(withDestroyed[0] as Setup);
    await clip.ready;
    const errors = await bench.errorsIn(() => {
      const encoder = bench.device.createCommandEncoder();
      clip.encode(encoder);
      bench.device.queue.submit([encoder.finish()]);
    });
    expect(errors).toEqual([expect.stringMatching(/destroyed/)]);
    await expect(clip.report()).rejects.toThrow(/before the first step/);
    await bench.expectWhole();
  });
});

describe("a buffer of another device", () => {
  test.each(withForeign.map((setup) => [setup[0], setup] as const))(
    "as %s: ready rejects, and report after a run",
    async (_, setup) => {
      const clip = prepared(setup);
      await faultOf(clip.ready, /cannot be used with|another device|associated with/);
      clip.run();
      await faultOf(clip.report(), /./);
      await expect(clip.report()).rejects.toThrow(/before the first step/);
      await bench.expectWhole();
    },
  );

  test("that comes with a later step: the report rejects", async () => {
    const clip = bench.clipper.prepare([bench.buffer([30, 40])]);
    await clip.ready;
    clip.run([foreign]);
    await faultOf(clip.report(), /./);
    await expect(clip.report()).rejects.toThrow(/before the first step/);
    await bench.expectWhole();
  });

  test("in the caller's encoder belongs to the caller's finish", async () => {
    const clip = prepared(withForeign[0] as Setup);
    await clip.ready.catch(() => {});
    const errors = await bench.errorsIn(() => {
      const encoder = bench.device.createCommandEncoder();
      clip.encode(encoder);
      encoder.finish();
    });
    expect(errors).toHaveLength(1);
    await expect(clip.report()).rejects.toThrow(/before the first step/);
    await bench.expectWhole();
  });

  test("that nobody asks about disturbs nobody", async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", note);
    const clip = prepared(withForeign[0] as Setup);
    clip.run();
    clip.destroy();
    await bench.expectWhole();
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });

  test("encoder: the error is the caller's", async () => {
    const clip = bench.clipper.prepare([bench.buffer([3, 4])]);
    await clip.ready;
    const other = await newDevice();
    other.pushErrorScope("validation");
    const encoder = other.createCommandEncoder();
    clip.encode(encoder);
    encoder.finish();
    expect(await other.popErrorScope()).not.toBeNull();
    await expect(clip.report()).rejects.toThrow(/before the first step/);
    await bench.expectWhole();
    other.destroy();
  });
});

const LOST = /^The GPU device was lost \(destroyed(: [^;]*)?\); create a clipper on a new device\.$/;

/** Told as a loss by the device's owner, soon. */
async function lost(act: () => unknown, gradientsState: "unchanged" | "unknown"): Promise<void> {
  const start = performance.now();
  const error = (await refused(act, DeviceLostError, LOST)) as DeviceLostError;
  expect(performance.now() - start).toBeLessThan(1000);
  expect(error).toMatchObject({ name: "DeviceLostError", reason: "destroyed", gradientsState });
}

/** A device, a clipper and a clip, on which nothing has run. */
async function fresh() {
  const device = await newDevice();
  const buffer = device.createBuffer({ size: 8, usage: STORAGE });
  const clipper = await createClipper({ device });
  return { device, buffer, clipper, clip: clipper.prepare([buffer]) };
}

describe("a device that its owner has destroyed", () => {
  test("before createClipper", async () => {
    const requestAdapter = vi.fn();
    vi.stubGlobal("navigator", { gpu: { requestAdapter } });
    const device = await newDevice();
    device.destroy();
    await lost(() => createClipper({ device }), "unchanged");
    await lost(() => createClipper({ device, backend: "webgpu" }), "unchanged");
    expect(requestAdapter, "a device in place of the caller's").not.toHaveBeenCalled();
  });

  test("before prepare, run, encode and report", async () => {
    const requestAdapter = vi.fn();
    vi.stubGlobal("navigator", { gpu: { requestAdapter } });
    const { device, buffer, clipper, clip } = await fresh();
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    device.destroy();
    await device.lost;
    await lost(() => clipper.prepare([buffer]), "unchanged");
    await lost(() => clip.run(), "unchanged");
    await lost(() => clip.encode(encoder), "unchanged");
    await lost(() => clip.encode(pass), "unchanged");
    // What was submitted before, a report cannot know.
    await lost(() => clip.report(), "unknown");
    expect(requestAdapter, "a device in place of the caller's").not.toHaveBeenCalled();
  });

  test("refuses wrong calls as before, and serves arrays", async () => {
    const { device, buffer, clipper, clip } = await fresh();
    device.destroy();
    await device.lost;
    await refused(() => clipper.prepare([buffer, 5 as never]), TypeError, /^gradients\[1\] is 5; /);
    const array = new Float32Array([3, 4]);
    const onCpu = clipper.prepare([array], clipByGlobalNorm(2.5));
    onCpu.run();
    expect([...array]).toEqual([1.5, 2]);
    expect((await onCpu.report()).norm).toBe(5);
    clip.set({ maxNorm: 2 });
    clip.destroy();
    clipper.destroy();
    clipper.destroy();
    await refused(() => clip.run(), TypeError, /^The clip was destroyed; /);
  });

  test("while pipelines compile: ready rejects", async () => {
    const { device, clip } = await fresh();
    const { ready } = clip;
    device.destroy();
    await lost(() => ready, "unknown");
  });

  test("where the loss is not told yet: the report rejects all the same", async () => {
    const { device, buffer, clipper, clip } = await fresh();
    device.destroy();
    const calls = [
      () => clip.run(),
      () => clipper.prepare([buffer]).run(),
      () => clip.encode(device.createCommandEncoder()),
    ];
    for (const call of calls) {
      try {
        call();
      } catch (error) {
        expect(error).toBeInstanceOf(DeviceLostError);
      }
    }
    await lost(() => clip.report(), "unknown");
    await lost(() => clip.run(), "unchanged");
  });

  test("during reports in flight: all reject, and nothing is left unhandled", async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", note);
    const { device, clip } = await fresh();
    clip.run();
    await clip.report();
    clip.run();
    const { signal } = new AbortController();
    const reports = [clip.report(), clip.report({ signal }), clip.report({ throwIfNonFinite: true })];
    const ignored = clip.report();
    ignored.catch(() => {});
    device.destroy();
    await Promise.all(reports.map((report) => lost(() => report, "unknown")));
    await lost(() => clip.report(), "unknown");
    await new Promise((resolve) => setTimeout(resolve, 600));
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });
});
