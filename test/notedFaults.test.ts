/** Errors that a device reports later, and its loss, on a device that computes nothing. */
import { describe, expect, test, vi } from "vitest";
import { clipByGlobalNorm, createClipper, DeviceLostError } from "../src/index.ts";
import { refuseUnbindable } from "../src/webgpu/bindable.ts";
import {
  contextOf,
  type DeviceContext,
  holdDevice,
  lossBefore,
  newBuffer,
  refuseBeyond,
  releaseDevice,
} from "../src/webgpu/device.ts";
import { type Caught, Faults, faultError, givenBuffers, refusedAmong, watched } from "../src/webgpu/faults.ts";
import { compile, type Kernel, pipelineNow } from "../src/webgpu/pipelines.ts";
import { readBack } from "../src/webgpu/readBack.ts";
import { notedDevice } from "./support/notedDevice.ts";

const caught = (message: string, outOfMemory = false): Caught => ({ error: { message } as GPUError, outOfMemory });
const LOSS = { reason: "unknown", message: "gone" } as GPUDeviceLostInfo;

describe("work that is watched", () => {
  const watch = (work: (on: ReturnType<typeof notedDevice>) => unknown) => {
    const on = notedDevice();
    return watched(on.device, () => work(on));
  };

  test("gives what it made, and no fault where there is none", async () => {
    const { made, fault } = watch(() => 5);
    expect([made, await fault]).toEqual([5, undefined]);
  });

  test("has the error of either kind, lack of memory first", async () => {
    expect(await watch(({ fail }) => fail("validation", "bad")).fault).toEqual(caught("bad"));
    expect(await watch(({ fail }) => fail("out-of-memory", "full")).fault).toEqual(caught("full", true));
    const both = watch(({ fail }) => {
      fail("validation", "bad");
      fail("out-of-memory", "full");
    });
    expect(await both.fault).toEqual(caught("full", true));
  });

  test("leaves no scope open where it throws, and no error of a device that is gone", async () => {
    const on = notedDevice();
    const thrown = () => {
      throw new Error("mine");
    };
    expect(() => watched(on.device, thrown)).toThrow("mine");
    expect(await on.noted.popErrorScope()).toBeNull();
    on.noted.popErrorScope = () => Promise.reject(new Error("lost"));
    expect(await watched(on.device, () => 1).fault).toBeUndefined();
  });
});

test("an error says who is at fault, in one sentence", () => {
  expect(faultError("clip", caught("Bad thing; see below.\nmore"))).toEqual(
    new TypeError(
      "clip: the device refuses something that it uses (Bad thing, see below); pass buffers of this device that still exist.",
    ),
  );
  expect(faultError("clip", caught("x"), "gradients[0]").message).toContain("the device refuses gradients[0] (x);");
  const full = faultError("clip", caught("x", true), "gradients[0]");
  expect(full).toEqual(new RangeError("clip: the device is out of memory (x); free some, or pass fewer gradients."));
  expect(full.cause).toEqual({ message: "x" });
});

describe("of the caller's buffers", () => {
  const [a, b, c, d, e, f] = Array.from({ length: 6 }, (_, i) => ({ size: 10 + i })) as unknown as GPUBuffer[];
  const tensors = [
    { label: "g0", source: { buffer: a }, into: { buffer: b }, parameter: { source: { buffer: c } } },
    { label: "g1", source: { buffer: a } },
  ] as never;
  const options = { gradScale: { buffer: d }, totalNorm: { buffer: e }, skip: { loss: { buffer: f } } } as never;

  test("all are known by name", () => {
    expect(givenBuffers(tensors, options)).toEqual([
      { buffer: a, name: "g0", isGradient: true },
      { buffer: b, name: "the into of g0", isGradient: true },
      { buffer: c, name: "the parameter of g0", isGradient: true },
      { buffer: a, name: "g1", isGradient: true },
      { buffer: d, name: "options.gradScale", isGradient: false },
      { buffer: e, name: "options.totalNorm", isGradient: false },
      { buffer: f, name: "the loss of options.skip", isGradient: false },
    ]);
    expect(givenBuffers([], { gradScale: 1, totalNorm: undefined } as never)).toEqual([]);
  });

  test("the first that a device refuses is found: each is bound alone, once", async () => {
    const on = notedDevice();
    const context = holdDevice(on.device);
    const sizes = [6, 256, 1024].map((size) => on.buffer(size));
    const bound: unknown[] = [];
    const { createBindGroup } = on.noted;
    on.noted.createBindGroup = (descriptor) => {
      bound.push(...descriptor.entries);
      return createBindGroup(descriptor);
    };
    const given = [...sizes, ...sizes].map((buffer, i) => ({ buffer, name: `b${i}`, isGradient: true }));
    expect(await refusedAmong(context, given)).toBeUndefined();
    expect(bound).toEqual(
      sizes.map((buffer, i) => ({ binding: 0, resource: { buffer, size: [4, 256, 256][i] as number } })),
    );
    expect(on.submitted.map(({ label, passes }) => [label, passes.map(({ ended, bound }) => [ended, bound])])).toEqual(
      Array(3).fill(["gradclip search for a fault", [[true, [0]]]]),
    );
    for (const buffer of sizes.slice(1)) on.refused.add(buffer);
    expect(await refusedAmong(context, given)).toMatchObject({ name: "b1", caught: { outOfMemory: false } });
  });
});

describe("faults", () => {
  const [first, second] = [new Error("first"), new Error("second")];
  const note = (faults: Faults, error?: Error, of?: object, isRun?: boolean) =>
    faults.note(Promise.resolve(error && { error, of }), isRun);

  test("are told until a run came back without one, and thrown once", async () => {
    const faults = new Faults();
    expect(await faults.current()).toBeUndefined();
    note(faults, first);
    note(faults);
    note(faults, second);
    expect(await faults.current()).toBe(second);
    expect(() => faults.throwUntold()).toThrow(first);
    expect(() => faults.throwUntold()).not.toThrow();
    note(faults, undefined, undefined, true);
    expect(await faults.current()).toBeUndefined();
  });

  test("come in the order of the calls", async () => {
    const faults = new Faults();
    let end = (_: { error: Error }) => {};
    faults.note(
      new Promise((resolve) => {
        end = resolve;
      }),
    );
    note(faults, second);
    end({ error: first });
    expect(await faults.current()).toBe(second);
    expect(() => faults.throwUntold()).toThrow(first);
  });

  test("of gradients are gone where others were bound without one, and come back with them", async () => {
    const [good, bad] = [{}, {}];
    const faults = new Faults();
    faults.encoded(good);
    note(faults, first, bad);
    faults.encoded(bad);
    expect(await faults.current()).toBe(first);
    faults.encoded(good);
    expect(await faults.current()).toBeUndefined();
    faults.encoded(bad);
    expect(await faults.current()).toBeUndefined();
    note(faults, second, good);
    // It was at fault before: a bind group of it is no sign that it is well.
    faults.encoded(bad);
    expect(await faults.current()).toBe(second);
    // In the turn of the call too, before and after others have ended.
    const soon = new Faults();
    for (let i = 0; i < 2; i++) {
      note(soon, first, {});
      soon.encoded(good);
      expect(await soon.current()).toBeUndefined();
    }
    const ofAll = new Faults();
    note(ofAll, first);
    ofAll.encoded(good);
    expect(await ofAll.current()).toBe(first);
  });
});

describe("a kernel", () => {
  const kernel = (name = "k"): Kernel => ({ name, source: () => "one\ntwo", layouts: ["a", "b"] as never });

  test("is compiled once, in the background, or now where it is not there yet", async () => {
    const on = notedDevice();
    const context = holdDevice(on.device);
    const entry = compile(context, kernel());
    expect(compile(context, kernel())).toBe(entry);
    expect(entry.pipeline).toBeUndefined();
    const now = pipelineNow(context, kernel());
    expect(now).toMatchObject({ label: "gradclip k", layout: { bindGroupLayouts: ["a", "b"] } });
    expect(now).toMatchObject({ compute: { module: { label: "gradclip k", code: "one\ntwo" }, entryPoint: "main" } });
    await entry.ready;
    expect(pipelineNow(context, kernel())).toBe(now);
    const other = compile(context, kernel("other"));
    await other.ready;
    expect(pipelineNow(context, kernel("other"))).toBe(other.pipeline);
    expect(on.calls.filter((call) => call === "createComputePipeline")).toHaveLength(1);
  });

  function refusing(reason: string, info?: () => Promise<unknown>) {
    const on = notedDevice();
    on.noted.createComputePipelineAsync = () => Promise.reject(Object.assign(new Error("no"), { reason }));
    on.noted.createShaderModule = () => ({ getCompilationInfo: info ?? (async () => ({ messages: [] })) }) as never;
    return { on, context: holdDevice(on.device) };
  }

  test("that does not compile says why, with its text, and is tried again", async () => {
    const message = { lineNum: 2, linePos: 3, type: "error", message: "what" };
    const { on, context } = refusing("validation", async () => ({ messages: [message] }));
    const { ready } = compile(context, kernel());
    await expect(ready).rejects.toThrow(
      [
        "The kernel k did not compile: Error: no",
        "k:2:3: error: what",
        "1: one",
        "2: two",
        "withRealNames(message) of gradclip/shaders gives the real names.",
      ].join("\n"),
    );
    await expect(ready).rejects.toMatchObject({ cause: { reason: "validation" } });
    expect(await on.noted.popErrorScope()).toBeNull();
    expect(compile(context, kernel()).ready).not.toBe(ready);
    const silent = refusing("validation", () => Promise.reject(new Error("none")));
    await expect(compile(silent.context, kernel()).ready).rejects.toThrow("did not compile: Error: no\n1: one");
  });

  test("that a loss ends says that, where the loss comes soon", async () => {
    vi.useFakeTimers();
    try {
      const { on, context } = refusing("internal");
      const lost = compile(context, kernel()).ready;
      on.lose(LOSS);
      await expect(lost).rejects.toMatchObject({ name: "DeviceLostError", gradientsState: "unknown" });
      const late = refusing("internal");
      const refused = expect(compile(late.context, kernel()).ready).rejects.toThrow("did not compile");
      await vi.advanceTimersByTimeAsync(499);
      expect(late.context.onLoss.size).toBe(1);
      await vi.advanceTimersByTimeAsync(1);
      await refused;
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a device", () => {
  test("has one context, with fifteen slots at most, and what it allows", async () => {
    const on = notedDevice({ maxStorageBuffersPerShaderStage: 30 });
    const context = holdDevice(on.device);
    expect([context.slots, context.maxBinding, context.users, context.label]).toEqual([15, 2 ** 27, 1, "gradclip"]);
    expect([holdDevice(on.device), contextOf(on.device), context.users]).toEqual([context, context, 2]);
    releaseDevice(context);
    releaseDevice(context);
    expect(context.users).toBe(0);
    expect(holdDevice(notedDevice({ maxStorageBuffersPerShaderStage: 8 }).device).slots).toBe(7);
  });

  test("tells its loss to all that wait, before or after, and keeps none of them", async () => {
    const on = notedDevice();
    const context: DeviceContext = holdDevice(on.device);
    const never = new Promise(() => {});
    const [waits, ended] = [lossBefore(context, never), lossBefore(context, Promise.reject(new Error("x")))];
    expect(await ended).toBeUndefined();
    expect(context.onLoss.size).toBe(1);
    on.lose(LOSS);
    expect(await waits).toBe(LOSS);
    expect([await lossBefore(context, never), context.onLoss.size]).toEqual([LOSS, 0]);
  });
});

test("what is larger than the device allows is refused, and what is as large is not", () => {
  expect(() => refuseBeyond(5, 5, "buffer")).not.toThrow();
  expect(() => refuseBeyond(6, 5, "buffer")).toThrow("The clip needs a buffer of 6 bytes, but the device has 5;");
  const on = notedDevice();
  on.noted.createBuffer = () => {
    throw new TypeError("mine");
  };
  expect(() => newBuffer(holdDevice(on.device), { size: 4, usage: 0 })).toThrow(new TypeError("mine"));
});

test("what has a part of a device is none", async () => {
  const whole = { createBuffer() {}, queue: {}, limits: {} };
  for (const key of ["createBuffer", "queue", "limits"]) {
    const device = { ...whole, [key]: undefined } as never;
    await expect(createClipper({ device })).rejects.toThrow("pass a GPUDevice, or leave it out.");
  }
});

describe("a copy", () => {
  test("ends with the loss of the device, though its mapping never does", async () => {
    const on = notedDevice();
    const { createBuffer } = on.noted;
    on.noted.createBuffer = (descriptor) =>
      Object.assign(createBuffer(descriptor), { mapAsync: () => new Promise(() => {}) });
    const copies = readBack(holdDevice(on.device), [{ buffer: on.buffer(8) }]).catch((error) => error);
    on.lose(LOSS);
    const { name, reason, cause } = await copies;
    expect([name, reason, cause]).toEqual(["DeviceLostError", "unknown", undefined]);
  });
});

describe("a clip", () => {
  const opened = async () => {
    const on = notedDevice();
    const clipper = await createClipper({ device: on.device });
    return { ...on, clipper };
  };

  test("names a refused gradient in ready, in a report and once in a step, until others are run", async () => {
    const on = await opened();
    const [good, bad] = [on.buffer(64), on.buffer(64)];
    on.refused.add(bad);
    const clip = on.clipper.prepare([bad], clipByGlobalNorm(1));
    const told = "gradclip clipByGlobalNorm: the device refuses gradients[0] (Buffer is unknown, see the log); pass";
    await expect(clip.ready).rejects.toThrow(told);
    await expect(clip.report()).rejects.toThrow(told);
    expect(() => clip.run()).toThrow(told);
    expect(() => clip.run([good])).not.toThrow();
    await expect(clip.ready).resolves.toBeUndefined();
    const encoder = on.noted.createCommandEncoder() as never;
    const other = on.clipper.prepare([bad], clipByGlobalNorm(1));
    await expect(other.ready).rejects.toThrow(told);
    expect(() => other.encode(encoder)).toThrow(told);
    other.encode(encoder, [good]);
    await expect(other.ready).resolves.toBeUndefined();
  });

  test("blames no gradient where the device is out of memory, or where its own objects are refused", async () => {
    const on = await opened();
    const { createBindGroup, createBuffer } = on.noted;
    on.noted.createBindGroup = (descriptor) => {
      on.fail("out-of-memory", "full");
      return createBindGroup(descriptor);
    };
    const gradients = [on.buffer(64)];
    const before = on.submitted.length;
    await expect(on.clipper.prepare(gradients).ready).rejects.toThrow(
      "clipByGlobalNorm: the device is out of memory (full);",
    );
    expect(on.submitted.length).toBe(before);
    on.noted.createBindGroup = createBindGroup;
    on.noted.createBuffer = (descriptor) => {
      if (descriptor.label?.endsWith("record")) on.fail("validation", "odd");
      return createBuffer(descriptor);
    };
    const clip = on.clipper.prepare(gradients);
    await expect(clip.ready).rejects.toThrow("the device refuses something that it uses (odd);");
  });

  test("tells of a read-back without memory, and of a mapping that only a loss can end", async () => {
    vi.useFakeTimers();
    try {
      const on = await opened();
      const clip = on.clipper.prepare([on.buffer(64)]);
      clip.run();
      const { createBuffer } = on.noted;
      let act = () => {};
      on.noted.createBuffer = (descriptor) => {
        act();
        return Object.assign(createBuffer(descriptor), { mapAsync: () => Promise.reject(new Error("unmapped")) });
      };
      act = () => on.fail("out-of-memory", "full");
      await expect(clip.report()).rejects.toThrow("gradclip read-back: the device is out of memory (full);");
      act = () => {};
      const failed = clip.report();
      const rejected = expect(failed).rejects.toThrow(DeviceLostError);
      await vi.advanceTimersByTimeAsync(500);
      await rejected;
      await expect(failed).rejects.toMatchObject({ gradientsState: "unknown", cause: { message: "unmapped" } });
      expect(on.labelled(" read-back").map(({ destroyed }) => destroyed)).toEqual([true, true]);
    } finally {
      vi.useRealTimers();
    }
  });
});

test("a buffer that cannot be bound is refused", () => {
  const buffer = (usage: number, mapState?: string) => ({ usage, mapState }) as GPUBuffer;
  expect(() => refuseUnbindable(buffer(0x4c), "b")).toThrow(
    "b is a buffer with usage 0x4c, without STORAGE (0x80); add that usage.",
  );
  expect(() => refuseUnbindable(buffer(0x80, "mapped"), "b")).toThrow(
    'b is a buffer whose mapState is "mapped"; unmap it',
  );
  for (const state of ["unmapped", undefined]) expect(() => refuseUnbindable(buffer(0x80, state), "b")).not.toThrow();
});

test("a lost device refuses whatever comes, and ends what waits", async () => {
  const on = notedDevice();
  const clipper = await createClipper({ device: on.device });
  const clip = clipper.prepare([on.buffer(64)]);
  clip.run();
  const { createBuffer } = on.noted;
  on.noted.createBuffer = (descriptor) =>
    Object.assign(createBuffer(descriptor), { mapAsync: () => new Promise(() => {}) });
  const report = clip.report();
  on.lose({ reason: "destroyed", message: "gone" } as GPUDeviceLostInfo);
  const error = await report.catch((reason) => reason);
  expect([error.gradientsState, error.cause]).toEqual(["unknown", undefined]);
  const encoder = on.noted.createCommandEncoder();
  for (const act of [() => clip.run(), () => clip.encode(encoder as never), () => clipper.prepare([on.buffer(4)])]) {
    expect(act).toThrow(DeviceLostError);
    expect(act).toThrow(expect.objectContaining({ gradientsState: "unchanged" }));
  }
  await expect(clip.report()).rejects.toMatchObject({ gradientsState: "unknown" });
  await expect(createClipper({ device: on.device })).rejects.toThrow(DeviceLostError);
});
