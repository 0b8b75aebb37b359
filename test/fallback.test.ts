/** createClipper without a device: which backend it takes, and why. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { clipperOn } from "../src/createClipper.ts";
import {
  clipByGlobalNorm,
  clipGradients,
  createClipper,
  DeviceLostError,
  NoWebGPUError,
  selfTest,
} from "../src/index.ts";
import { withFewBuffers } from "./engines/fewBuffers.mjs";
import { withEmptyKernels } from "./support/emptyKernels.ts";
import { refused } from "./support/refused.ts";
import { newDevice, processGpu } from "./support/workbench.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

type RequestAdapter = () => Promise<unknown>;
const never = () => new Promise<never>(() => {});

function stubAdapters(requestAdapter: RequestAdapter): ReturnType<typeof vi.fn> {
  const request = vi.fn(requestAdapter);
  vi.stubGlobal("navigator", { gpu: { requestAdapter: request } });
  return request;
}

const limits = {
  maxStorageBuffersPerShaderStage: 10,
  maxStorageBufferBindingSize: 2 ** 27,
  maxBufferSize: 2 ** 28,
};
const info = { vendor: "nvidia", architecture: "", device: "", description: "" };

/** An adapter of hardware, which makes devices so. */
function adapter(requestDevice: (descriptor: GPUDeviceDescriptor) => Promise<unknown>, extras: object = {}) {
  return { info, limits, requestDevice: vi.fn(requestDevice), ...extras };
}

function throwing(...names: string[]): object {
  const get = () => {
    throw new Error("Not implemented");
  };
  return Object.defineProperties({}, Object.fromEntries(names.map((name) => [name, { get, enumerable: true }])));
}

const NO_WEBGPU = "There is no navigator.gpu; use a browser with WebGPU, or the CPU.";
const NO_ADAPTER = "navigator.gpu has no adapter; enable hardware acceleration, or use the CPU.";
const noAnswer = (what: string) => `The browser gave no ${what} within 30 s; reload the page, or use the CPU.`;
const noDevice = (cause: string) => `The adapter gave no device: ${cause}; reload the page, or use the CPU.`;

const rows: [name: string, reason: string, message: string, stub: () => void][] = [
  ["no navigator", "no-webgpu", NO_WEBGPU, () => vi.stubGlobal("navigator", undefined)],
  ["a navigator without gpu", "no-webgpu", NO_WEBGPU, () => vi.stubGlobal("navigator", Object.freeze({}))],
  [
    "a secure page without gpu",
    "no-webgpu",
    NO_WEBGPU,
    () => {
      vi.stubGlobal("navigator", {});
      vi.stubGlobal("isSecureContext", true);
    },
  ],
  [
    "an insecure page",
    "insecure-context",
    "This page is not a secure context; serve it by https or from localhost.",
    () => {
      vi.stubGlobal("navigator", {});
      vi.stubGlobal("isSecureContext", false);
    },
  ],
  ["a navigator whose gpu throws", "no-webgpu", NO_WEBGPU, () => vi.stubGlobal("navigator", throwing("gpu"))],
  ["no adapter", "no-adapter", NO_ADAPTER, () => stubAdapters(async () => null)],
  [
    "an adapter without a driver, as Dawn's null backend has",
    "no-adapter",
    NO_ADAPTER,
    () => stubAdapters(async () => adapter(never, { info: { ...info, vendor: "", device: "null-backend" } })),
  ],
  [
    "an adapter request that throws",
    "no-adapter",
    NO_ADAPTER,
    () =>
      stubAdapters(() => {
        throw new Error("blocked");
      }),
  ],
  [
    "an adapter request that rejects",
    "no-adapter",
    NO_ADAPTER,
    () => stubAdapters(() => Promise.reject(new Error("blocked"))),
  ],
  ["an adapter request that never settles", "no-answer", noAnswer("adapter"), () => stubAdapters(never)],
  [
    "a device request that rejects",
    "no-device",
    noDevice("OperationError: gone"),
    () => stubAdapters(async () => adapter(() => Promise.reject(new DOMException("gone", "OperationError")))),
  ],
  [
    "a device request that never settles",
    "no-answer",
    noAnswer("device"),
    () => stubAdapters(async () => adapter(never)),
  ],
];

/** Settles a promise that waits 30 s, without waiting. */
async function hurried<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  for (let second = 0; second < 40; second++) await vi.advanceTimersByTimeAsync(1000);
  return promise;
}

describe("where there is", () => {
  test.each(rows)("%s: auto takes the CPU and says why", async (_, reason, __, stub) => {
    stub();
    vi.useFakeTimers();
    for (const options of [undefined, {}, { backend: "auto" as const, label: "x" }]) {
      const clipper = await hurried(createClipper(options));
      expect([clipper.backend, clipper.fallbackReason, clipper.device]).toEqual(["cpu", reason, undefined]);
      const array = new Float32Array([3, 4]);
      const clip = clipper.prepare([array], clipByGlobalNorm(2.5));
      await clip.ready;
      clip.run();
      expect([...array]).toEqual([1.5, 2]);
      clipper.destroy();
    }
  });

  test.each(rows)("%s: webgpu rejects and says why", async (_, reason, message, stub) => {
    stub();
    vi.useFakeTimers();
    const act = () => hurried(createClipper({ backend: "webgpu" }));
    const error = (await refused(act, NoWebGPUError, message)) as NoWebGPUError;
    expect([error.name, error.reason]).toEqual(["NoWebGPUError", reason]);
  });
});

test.each([
  { ...info, device: "null-backend" },
  { ...info, description: "Null backend" },
])("a device without a driver behind it is refused before anything is made on it: %o", async (adapterInfo) => {
  const createBuffer = vi.fn();
  const device = { createBuffer, queue: {}, limits, lost: never(), adapterInfo } as unknown as GPUDevice;
  const message = "The device is a null backend; install a driver, or use the CPU.";
  const clipOnce = () => clipGradients([], undefined, { device });
  for (const act of [() => createClipper({ device }), clipOnce, () => selfTest(device), () => clipperOn(device)]) {
    expect(((await refused(act, NoWebGPUError, message)) as NoWebGPUError).reason).toBe("no-adapter");
  }
  expect(createBuffer).not.toHaveBeenCalled();
});

test("a slow machine is waited for, a browser that does not answer within 30 s is not", async () => {
  vi.useFakeTimers();
  const after = (milliseconds: number) => () =>
    new Promise((resolve) => setTimeout(() => resolve(adapter(() => Promise.reject(new Error("no")))), milliseconds));
  stubAdapters(after(14_000)); // a second request, as the first gives no device
  expect((await hurried(createClipper())).fallbackReason).toBe("no-device");
  for (const [milliseconds, reason] of [
    [29_999, "no-device"],
    [30_001, "no-answer"],
  ] as const) {
    const one = adapter(() => Promise.reject(new Error("no")));
    const answer = () => new Promise((resolve) => setTimeout(() => resolve(one), milliseconds));
    // The second request, after the first gave no device, is answered at once.
    stubAdapters(async () => one).mockImplementationOnce(answer);
    expect((await hurried(createClipper())).fallbackReason).toBe(reason);
  }
});

test("a device that comes too late is destroyed", async () => {
  vi.useFakeTimers();
  const destroy = vi.fn();
  const late = () => new Promise((resolve) => setTimeout(() => resolve({ destroy }), 35_000));
  const one = adapter(late);
  stubAdapters(async () => one);
  expect((await hurried(createClipper())).fallbackReason).toBe("no-answer");
  expect(one.requestDevice).toHaveBeenCalledTimes(1);
  expect(destroy).toHaveBeenCalledTimes(1);
});

describe("software adapters", () => {
  const request = () => Promise.reject(new Error("asked for a device"));
  const named = [
    { ...info, isFallbackAdapter: true },
    { ...info, architecture: "swiftshader" },
    { ...info, description: "llvmpipe (LLVM 15.0.6, 256 bits)" },
    { ...info, device: "Microsoft Basic Render Driver" },
  ];
  test.each(named)("auto takes the CPU before it asks for a device: %o", async (software) => {
    const one = adapter(request, { info: software });
    stubAdapters(async () => one);
    const clipper = await createClipper();
    expect([clipper.backend, clipper.fallbackReason]).toEqual(["cpu", "software-adapter"]);
    expect(one.requestDevice).not.toHaveBeenCalled();
    const act = () => createClipper({ backend: "webgpu" });
    await refused(act, NoWebGPUError, noDevice("Error: asked for a device"));
  });

  test("an older browser's adapter tells it itself", async () => {
    for (const extras of [{ isFallbackAdapter: true }, { info: undefined, isFallbackAdapter: true }]) {
      const one = adapter(request, extras);
      stubAdapters(async () => one);
      expect((await createClipper()).fallbackReason).toBe("software-adapter");
      expect(one.requestDevice).not.toHaveBeenCalled();
    }
  });

  test("hardware, and what hides its name, is asked for a device", async () => {
    for (const getters of [
      {},
      { info: { vendor: "", architecture: "", device: "", description: "" } },
      { info: undefined },
      throwing("isFallbackAdapter"),
      throwing("info", "isFallbackAdapter"),
      { info: throwing("vendor", "architecture", "device", "description", "isFallbackAdapter") },
    ]) {
      const one = Object.defineProperties(adapter(request), Object.getOwnPropertyDescriptors(getters));
      stubAdapters(async () => one);
      expect((await createClipper()).fallbackReason).toBe("no-device");
      expect(one.requestDevice).toHaveBeenCalled();
    }
  });
});

test("no adapter is asked for where the CPU or a device is given", async () => {
  const request = stubAdapters(async () => null);
  const clipper = await createClipper({ backend: "cpu" });
  expect([clipper.backend, clipper.fallbackReason, clipper.device]).toEqual(["cpu", undefined, undefined]);
  const real = await (await processGpu()).requestAdapter();
  const device = await (real as GPUAdapter).requestDevice();
  const given = await createClipper({ device });
  expect([given.backend, given.fallbackReason, given.device]).toEqual(["webgpu", undefined, device]);
  given.destroy();
  expect(request).not.toHaveBeenCalled();
  device.destroy();
});

test("a first answer of null is asked once more: Chrome gives it to a worker that asks as the page opens", async () => {
  const one = adapter(() => Promise.reject(new Error("no")));
  const request = stubAdapters(async () => one);
  request.mockImplementationOnce(async () => null);
  expect((await createClipper()).fallbackReason).toBe("no-device");
  expect(one.requestDevice).toHaveBeenCalled();
  expect(request.mock.calls.slice(0, 2)).toEqual([[], []]);
});

test("an adapter of compatibility mode is taken where there is no core one", async () => {
  const one = adapter(() => Promise.reject(new Error("no")));
  const request = stubAdapters(async () => null);
  request.mockImplementation(async (options?: GPURequestAdapterOptions) =>
    options?.featureLevel === "compatibility" ? one : null,
  );
  expect((await createClipper()).fallbackReason).toBe("no-device");
  expect(one.requestDevice).toHaveBeenCalled();
  expect(request.mock.calls.slice(0, 3)).toEqual([[], [], [{ featureLevel: "compatibility" }]]);
});

test("a device is asked for no more than the adapter has, and for no feature", async () => {
  for (const [many, wanted] of [
    [8, 8],
    [64, 16],
  ]) {
    const own = { ...limits, maxStorageBuffersPerShaderStage: many };
    const one = adapter(() => Promise.reject(new Error("no")), { limits: own, features: new Set(["shader-f16"]) });
    stubAdapters(async () => one);
    await createClipper();
    const descriptor = one.requestDevice.mock.calls[0]?.[0];
    expect(descriptor?.requiredFeatures ?? []).toEqual([]);
    expect(descriptor?.requiredLimits).toEqual({ ...limits, maxStorageBuffersPerShaderStage: wanted });
  }
});

/** Adapters on the real GPU that pass for hardware; `spoil` gets at every device. */
async function realAdapters(spoil: (device: GPUDevice) => void = () => {}) {
  const gpu = await processGpu();
  const devices: GPUDevice[] = [];
  const request = stubAdapters(async () => {
    const real = (await gpu.requestAdapter()) as GPUAdapter;
    return adapter(
      async (descriptor) => {
        const device = withFewBuffers(await real.requestDevice(descriptor), 2);
        devices.push(device);
        spoil(device);
        return device;
      },
      { limits: real.limits },
    );
  });
  return { devices, request };
}

test("an adapter that was consumed is replaced, once", async () => {
  const { devices, request } = await realAdapters();
  const consumed = new DOMException("the adapter is consumed", "OperationError");
  request.mockImplementationOnce(async () => adapter(() => Promise.reject(consumed)));
  const clipper = await createClipper();
  expect([clipper.backend, clipper.fallbackReason]).toEqual(["webgpu", undefined]);
  expect([request.mock.calls.length, devices.length]).toEqual([2, 1]);
  clipper.destroy();
  request.mockReset();
  request.mockImplementation(async () => adapter(() => Promise.reject(consumed)));
  expect((await createClipper()).fallbackReason).toBe("no-device");
  expect(request.mock.calls.length).toBe(2);
});

test("a device of its own is whole after the self-test, and is destroyed with the clipper", async () => {
  const live = new Set<GPUBuffer>();
  const { devices } = await realAdapters((device) => {
    const createBuffer = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      const buffer = createBuffer(descriptor);
      live.add(buffer);
      const destroy = buffer.destroy.bind(buffer);
      buffer.destroy = () => {
        live.delete(buffer);
        return destroy();
      };
      return buffer;
    };
  });
  const clipper = await createClipper({ label: "mine" });
  expect([clipper.backend, clipper.fallbackReason, clipper.device]).toEqual(["webgpu", undefined, devices[0]]);
  expect([...live].map(({ label }) => label).sort()).toEqual(["gradclip byte table", "gradclip placeholder"]);
  const stranger = await newDevice();
  let lost = "";
  stranger.lost.then(({ reason }) => {
    lost = reason;
  });
  const clip = clipper.prepare([]);
  clip.run();
  const report = clip.report();
  clipper.destroy();
  expect((await (devices[0] as GPUDevice).lost).reason).toBe("destroyed");
  await report.catch((error) => expect(error).toBeInstanceOf(DeviceLostError));
  expect(live.size).toBe(0);
  await refused(() => clipper.prepare([]), TypeError, "The clipper was destroyed; create a new one.");
  expect([devices.length, lost]).toEqual([1, ""]);
  stranger.destroy();
});

describe("a GPU that computes wrongly is not used", () => {
  const UNFIT = (fact: string) => `This GPU failed gradclip's self-test (${fact}); update its driver, or use the CPU.`;
  const doNothing = (device: GPUDevice) => Object.assign(withEmptyKernels(device).queue, { submit() {} });
  const spoils: [string, (device: GPUDevice) => void, RegExp][] = [
    [
      "that does nothing",
      doNothing,
      new RegExp(`^${UNFIT("a sum of float32: no step was taken").replace(/[()]/g, "\\$&")}$`),
    ],
    [
      "whose compiler fails",
      (device) => {
        const create = device.createShaderModule.bind(device);
        device.createShaderModule = ({ code }) => create({ code: `${code}\nfn broken( {` });
      },
      /^This GPU failed gradclip's self-test \([^;]*did not compile[^;]*\); update its driver, or use the CPU\.$/s,
    ],
  ];

  test.each(spoils)("%s", async (_, spoil, message) => {
    const uncaptured: string[] = [];
    const { devices } = await realAdapters((device) => {
      device.addEventListener("uncapturederror", (event) => {
        uncaptured.push((event as GPUUncapturedErrorEvent).error.message);
      });
      spoil(device);
    });
    const error = await createClipper({ backend: "webgpu" }).catch((reason) => reason);
    expect(error).toBeInstanceOf(NoWebGPUError);
    expect([error.reason, error.message]).toEqual(["self-test", expect.stringMatching(message)]);
    expect(devices).toHaveLength(1);
    for (const device of devices) expect((await device.lost).reason).toBe("destroyed");
    expect(uncaptured).toEqual([]);
  });

  test("but the CPU is", async () => {
    await realAdapters(doNothing);
    const clipper = await createClipper();
    expect([clipper.backend, clipper.fallbackReason]).toEqual(["cpu", "self-test"]);
  });
});

test("a device that is lost at once is no wrong one", async () => {
  const { devices } = await realAdapters((device) => device.destroy());
  const message = "The GPU device was lost at once (destroyed); reload the page, or use the CPU.";
  const error = (await refused(() => createClipper({ backend: "webgpu" }), NoWebGPUError, message)) as NoWebGPUError;
  expect(error.reason).toBe("device-lost");
  expect(error.cause).toBeInstanceOf(DeviceLostError);
  expect((await createClipper()).fallbackReason).toBe("device-lost");
  expect(devices).toHaveLength(2);
});
