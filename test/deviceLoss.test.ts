/** A device that is lost: every promise settles, with DeviceLostError. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { autoClip, clipByGlobalNorm, createClipper, DeviceLostError } from "../src/index.ts";
import { bench } from "./support/bench.ts";
import { withEmptyKernels } from "./support/emptyKernels.ts";
import { refused } from "./support/refused.ts";
import { MAP_READ, newDevice, STORAGE } from "./support/workbench.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Ours to tell: who is at fault, with the browser's text, and its error as the cause. */
const LOST = /^The GPU device was lost \(destroyed(: [^;]*)?\); call createClipper on a new device\.$/;

/** Stops all timers: code that waits for one, and not for the loss itself, waits for ever. */
function stopTimers(): void {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
}

/** Told as a loss by the device's owner. */
async function lost(act: () => unknown, gradientsState: "unchanged" | "unknown"): Promise<void> {
  const error = (await refused(act, DeviceLostError, LOST)) as DeviceLostError;
  expect(error).toMatchObject({ name: "DeviceLostError", reason: "destroyed", gradientsState });
}

/** A device, a clipper and a clip, on which nothing has run. Only what compiles or reports needs real kernels. */
async function fresh(kernels: "real" | "empty" = "empty") {
  const given = await newDevice();
  const device = kernels === "empty" ? withEmptyKernels(given) : given;
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
    // A report cannot know what was submitted before it.
    await lost(() => clip.report(), "unknown");
    expect(requestAdapter, "a device in place of the caller's").not.toHaveBeenCalled();
  });

  test("before anything is made on it, and before a memory is restored", async () => {
    const { device, buffer, clipper } = await fresh();
    const clip = clipper.prepare([buffer], autoClip());
    const saved = await clip.state();
    const other = device.createBuffer({ size: 8, usage: STORAGE });
    device.destroy();
    await device.lost;
    const made = [vi.spyOn(device, "createBuffer"), vi.spyOn(device, "createBindGroup")];
    await lost(() => clipper.prepare([buffer]), "unchanged");
    await lost(() => clip.run([other]), "unchanged");
    await lost(() => clip.restore(saved), "unchanged");
    await lost(() => clip.report(), "unknown");
    for (const spy of made) expect(spy).not.toHaveBeenCalled();
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
    const { device, clip } = await fresh("real");
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
    const { device, clip } = await fresh("real");
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
    await bench.settled();
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });
});

describe("what fails as if the device were lost", () => {
  /** A failure of the test's, and a loss that is reported a moment later, if at all. */
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
    const message = "The GPU device was lost (unknown: OperationError: gone); call createClipper on a new device.";
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
    const atOnce = (await createClipper({ device })).prepare([device.createBuffer({ size: 8, usage: STORAGE })]);
    atOnce.run();
    for (const act of [() => atOnce.ready, () => atOnce.run(), () => atOnce.report()]) {
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
