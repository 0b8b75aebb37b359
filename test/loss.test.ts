/** What only the GPU process sees, destroyed and foreign buffers, and what happens when the device is gone. */
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import {
  autoClip,
  type Clip,
  type ClipOptions,
  clipByGlobalNorm,
  createClipper,
  DeviceLostError,
  type Gradients,
} from "../src/index.ts";
import { refused } from "./support/refused.ts";
import { MAP_READ, newDevice, STORAGE, Workbench } from "./support/workbench.ts";

let bench: Workbench;
let foreign: GPUBuffer;

beforeAll(async () => {
  bench = await Workbench.open();
  const device = await newDevice();
  foreign = device.createBuffer({ size: 8, usage: STORAGE });
});
afterEach(async () => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  await bench.tidy();
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

/** What the GPU has still to tell is told, and of its rejections Node knows which nobody has taken. */
async function settled(): Promise<void> {
  await bench.device.queue.onSubmittedWorkDone();
  await new Promise((resolve) => setImmediate(resolve));
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
    encode(foreign); // is known, and told
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
    await settled();
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

const LOST = /^The GPU device was lost \(destroyed(: [^;]*)?\); call createClipper again, for a new device\.$/;

/** No timer ends any more: what would wait for one, and not for the loss itself, waits for ever. */
function stopTimers(): void {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
}

/** Told as a loss by the device's owner. */
async function lost(act: () => unknown, gradientsState: "unchanged" | "unknown"): Promise<void> {
  const error = (await refused(act, DeviceLostError, LOST)) as DeviceLostError;
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
  beforeEach(stopTimers);

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
    await settled();
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });
});

describe("what fails as if the device were lost", () => {
  /** A failure of ours and a loss, which is told a moment later, if at all. */
  function failing(device: GPUDevice, isLost: boolean): Promise<never> {
    if (isLost) setImmediate(() => device.destroy());
    return Promise.reject(new DOMException("gone", "OperationError"));
  }

  function mappingFails(device: GPUDevice, isLost: boolean): GPUBuffer[] {
    const staging: GPUBuffer[] = [];
    const createBuffer = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      const buffer = createBuffer(descriptor);
      if (descriptor.usage & MAP_READ) {
        buffer.mapAsync = () => failing(device, isLost);
        buffer.destroy = () => {
          staging.push(buffer);
          return undefined;
        };
      }
      return buffer;
    };
    return staging;
  }

  test("is a loss: while pipelines compile", async () => {
    stopTimers();
    const device = await newDevice();
    device.createComputePipelineAsync = () => failing(device, true);
    const clipper = await createClipper({ device });
    const clip = clipper.prepare([device.createBuffer({ size: 8, usage: STORAGE })]);
    await refused(() => clip.ready, DeviceLostError, LOST);
    await refused(() => clip.ready, DeviceLostError, LOST);
    await refused(() => clip.run(), DeviceLostError, LOST);
  });

  test("is a loss: while a report is mapped", async () => {
    stopTimers();
    const { device, clip } = await fresh();
    const staging = mappingFails(device, true);
    await refused(() => clip.report(), DeviceLostError, LOST);
    expect(staging).toHaveLength(1);
  });

  test("is a loss: a mapping that fails where nobody tells of one", async () => {
    const { device, clip } = await fresh();
    mappingFails(device, false);
    const message =
      "The GPU device was lost (unknown: OperationError: gone); call createClipper again, for a new device.";
    const error = await refused(() => clip.report(), DeviceLostError, message);
    expect(error.cause).toMatchObject({ name: "OperationError" });
    device.destroy();
  });

  test("is no loss: a shader that does not compile", async () => {
    const device = await newDevice();
    const create = device.createShaderModule.bind(device);
    device.createShaderModule = ({ code }) => create({ code: `${code}\nfn broken( {` });
    const clipper = await createClipper({ device });
    const clip = clipper.prepare([device.createBuffer({ size: 8, usage: STORAGE })]);
    for (const act of [() => clip.ready, () => clip.run(), () => clip.report()]) {
      await expect((async () => act())()).rejects.toThrow(/did not compile/);
    }
    device.destroy();
  });

  /** The next error scope for memory that is closed around a buffer of this label tells of an error. */
  function memoryFails(device: GPUDevice, label: RegExp): void {
    let fails = false;
    const createBuffer = device.createBuffer.bind(device);
    const popErrorScope = device.popErrorScope.bind(device);
    device.createBuffer = (descriptor) => {
      fails ||= label.test(descriptor.label ?? "");
      return createBuffer(descriptor);
    };
    device.popErrorScope = () => {
      const scope = popErrorScope();
      if (!fails) return scope;
      fails = false;
      return scope.then(() => ({ message: "Out of memory.\n - while allocating" }) as GPUError);
    };
  }

  test("is out of memory: at prepare", async () => {
    const { device, buffer, clipper } = await fresh();
    memoryFails(device, / record$/);
    const clip = clipper.prepare([buffer]);
    const message =
      "gradclip clipByGlobalNorm: the device is out of memory (Out of memory); free some, or pass fewer gradients.";
    for (const act of [() => clip.ready, () => clip.report(), () => clip.run(), () => clip.report()]) {
      const error = await refused(act, RangeError, message);
      expect(error.cause).toMatchObject({ message: expect.stringMatching(/^Out of memory/) });
    }
    device.destroy();
  });

  test("is out of memory: at a report, which says nothing about the next", async () => {
    const { device, clip } = await fresh();
    const { createBuffer } = device;
    mappingFails(device, false);
    memoryFails(device, / read-back$/);
    const message =
      "gradclip read-back: the device is out of memory (Out of memory); free some, or pass fewer gradients.";
    const error = await refused(() => clip.report(), RangeError, message);
    expect(error.cause).toMatchObject({ message: expect.stringMatching(/^Out of memory/) });
    device.createBuffer = createBuffer;
    await expect(clip.report()).rejects.toThrow(/before the first step/);
    device.destroy();
  });
});
