/** Faults that only the GPU process sees (destroyed and foreign buffers), and the loss of the device. */
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { autoClip, type Clip, type ClipOptions, clipByGlobalNorm, type Gradients } from "../src/index.ts";
import { bench } from "./support/bench.ts";
import { refused } from "./support/refused.ts";
import { newDevice, STORAGE } from "./support/workbench.ts";

let foreign: GPUBuffer;

beforeAll(async () => {
  const device = await newDevice();
  foreign = device.createBuffer({ size: 8, usage: STORAGE });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Ours to tell: who is at fault, with the browser's text, and its error as the cause. */
async function faultOf(act: () => unknown, name: string, text: RegExp): Promise<Error> {
  const error = await refused(act, TypeError, /^gradclip clipByGlobalNorm: the device refuses /);
  expect(error.message).toContain(`the device refuses ${name} (`);
  expect(error.message).toMatch(/; pass buffers of this device that still exist\.$/);
  expect((error.cause as Error).message).toMatch(text);
  expect(Object.prototype.toString.call(error.cause)).toBe("[object GPUValidationError]");
  return error;
}

const DESTROYED = /destroyed/;
const FOREIGN = /cannot be used with|another device|associated with/;

function destroyed(): GPUBuffer {
  const buffer = bench.buffer([3, 4]);
  bench.discard(buffer);
  return buffer;
}

type Setup = [what: string, name: string, gradients: () => Gradients, options?: () => ClipOptions];

function setups(bad: () => GPUBuffer): Setup[] {
  const good = () => bench.buffer([30, 40]);
  return [
    ["a gradient", "gradients[1]", () => [good(), { buffer: bad() }]],
    ["a named gradient", 'gradients[1] "bias"', () => ({ kernel: good(), bias: bad() })],
    ["an into", "the into of gradients[0]", () => [{ buffer: good(), into: { buffer: bad() } }]],
    ["gradScale", "options.gradScale", () => [good()], () => ({ gradScale: bad() })],
    ["totalNorm", "options.totalNorm", () => [good()], () => ({ totalNorm: { buffer: bad() } })],
  ];
}

const withDestroyed = setups(destroyed);
const withForeign = setups(() => foreign);

function prepared([, , gradients, options]: Setup): Clip {
  return bench.clipper.prepare(gradients(), clipByGlobalNorm(1), options?.());
}

describe("a buffer that was destroyed", () => {
  test.each(withDestroyed.map((setup) => [setup[0], setup] as const))(
    "as %s: report rejects, the next run throws once, no gradient changes",
    async (_, setup) => {
      const clip = prepared(setup);
      const [, name] = setup;
      clip.run();
      await faultOf(() => clip.report(), name, DESTROYED);
      await faultOf(() => clip.report(), name, DESTROYED);
      const submits = bench.count("submit");
      await faultOf(() => clip.run(), name, DESTROYED);
      expect(bench.count("submit"), "submits of the run that threw").toBe(submits);
      await faultOf(() => clip.ready, name, DESTROYED);
      clip.run();
      await faultOf(() => clip.report(), name, DESTROYED);
      await bench.expectWhole();
    },
  );

  test("after prepare is told until a run came back clean", async () => {
    const buffers = [bench.buffer([30, 40]), bench.buffer([3, 4])];
    const clip = bench.clipper.prepare(buffers, clipByGlobalNorm(1));
    await clip.ready;
    bench.discard(buffers[1] as GPUBuffer);
    clip.run();
    await faultOf(() => clip.report(), "gradients[1]", DESTROYED);
    await bench.expectWhole();
    const good = [bench.buffer([3, 0]), bench.buffer([0, 4])];
    await faultOf(() => clip.run(good), "gradients[1]", DESTROYED);
    await faultOf(() => clip.report(), "gradients[1]", DESTROYED);
    clip.run(good);
    expect(await clip.report()).toMatchObject({ norm: 5, steps: 1, clippedSteps: 1 });
    await clip.ready;
    for (const buffer of good) await bench.values(buffer);
  });

  test("is not forgotten where steps that are not waited for follow", async () => {
    const bad = bench.buffer([3, 4]);
    const good = bench.buffer([0, 4]);
    const clip = bench.clipper.prepare([bad], clipByGlobalNorm(10));
    bench.discard(bad);
    clip.run();
    clip.run([good]);
    expect((await clip.report()).steps).toBe(1);
    await faultOf(() => clip.run([good]), "gradients[0]", DESTROYED);
    clip.run([good]);
    expect((await clip.report()).steps).toBe(1);
  });

  test("state rejects with it", async () => {
    const clip = bench.clipper.prepare([destroyed()], autoClip());
    clip.run();
    const message = /^gradclip autoClip: the device refuses gradients\[0\] \(/;
    await refused(() => clip.state(), TypeError, message);
    await refused(() => clip.state(), TypeError, message);
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
    "as %s: ready and report reject, the next step throws once",
    async (_, setup) => {
      const clip = prepared(setup);
      const [, name] = setup;
      await faultOf(() => clip.ready, name, FOREIGN);
      await faultOf(() => clip.ready, name, FOREIGN);
      const encoder = bench.device.createCommandEncoder();
      await faultOf(() => clip.encode(encoder), name, FOREIGN);
      expect(() => encoder.finish(), "nothing was recorded").not.toThrow();
      clip.run();
      await faultOf(() => clip.report(), name, /./);
      await faultOf(() => clip.report(), name, /./);
      await bench.expectWhole();
    },
  );

  test("that comes with a later step: told until others are bound without a fault", async () => {
    const clip = bench.clipper.prepare([bench.buffer([30, 40])]);
    await clip.ready;
    const encode = (buffer?: GPUBuffer) => clip.encode(bench.device.createCommandEncoder(), buffer && [buffer]);
    encode(foreign);
    await faultOf(() => clip.report(), "gradients[0]", FOREIGN);
    await faultOf(() => encode(foreign), "gradients[0]", FOREIGN);
    encode(foreign);
    await faultOf(() => clip.report(), "gradients[0]", FOREIGN);
    encode();
    await expect(clip.report()).rejects.toThrow(/before the first step/);
    encode(foreign); // the fault is known, and thrown
    encode(bench.buffer([1, 2]));
    await clip.ready;
    await bench.expectWhole();
  });

  test("that is no gradient's is not forgotten with other gradients", async () => {
    const clip = prepared(withForeign.find(([what]) => what === "gradScale") as Setup);
    await clip.ready.catch(() => {});
    const encoder = bench.device.createCommandEncoder();
    const others = [bench.buffer([1, 2])];
    await faultOf(() => clip.encode(encoder, others), "options.gradScale", FOREIGN);
    clip.encode(encoder, others);
    await faultOf(() => clip.report(), "options.gradScale", FOREIGN);
    await bench.expectWhole();
  });

  test("in the caller's encoder belongs to the caller's finish", async () => {
    const clip = prepared(withForeign[0] as Setup);
    await clip.ready.catch(() => {});
    await refused(() => clip.encode(bench.device.createCommandEncoder()), TypeError, /gradients\[1\]/);
    const errors = await bench.errorsIn(() => {
      const encoder = bench.device.createCommandEncoder();
      clip.encode(encoder);
      encoder.finish();
    });
    expect(errors).toHaveLength(1);
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
    await bench.settled();
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
