/** A call that fails half way leaves no buffer behind, and neither does a scratch buffer that a clip has outgrown. */
import { describe, expect, test } from "vitest";
import {
  adaptiveGradClip,
  autoClip,
  type ClipMethod,
  clipByGlobalNorm,
  clipByNorm,
  clipByValue,
  clipGradients,
} from "../src/index.ts";
import { bench } from "./support/bench.ts";
import { refused } from "./support/refused.ts";
import { STORAGE } from "./support/workbench.ts";

/** The call with this number, from 1 on, throws as browsers do where there is no memory; returns how many there were. */
function failingAt(number: number, act: () => unknown): { calls: number; error: unknown } {
  const { device } = bench;
  const { createBuffer } = device;
  let calls = 0;
  device.createBuffer = (descriptor) => {
    calls += 1;
    if (calls === number) throw new RangeError("createBuffer failed");
    return createBuffer.call(device, descriptor);
  };
  try {
    act();
    return { calls, error: undefined };
  } catch (error) {
    return { calls, error };
  } finally {
    device.createBuffer = createBuffer;
  }
}

describe("prepare that runs out of memory", () => {
  const parameter = () => ({ buffer: bench.buffer([1, 2, 3, 4, 5, 6]) });
  const one = () => [{ buffer: bench.buffer([1, 2, 3, 4, 5, 6]), shape: [3, 2], parameter: parameter() }];
  const rows: [string, ClipMethod][] = [
    ["one norm", clipByGlobalNorm(1)],
    ["a norm for each tensor", clipByNorm(1)],
    ["a memory", autoClip()],
    ["units and parameters", adaptiveGradClip()],
    ["no norm", clipByValue(1)],
  ];

  test.each(rows)("at any buffer, with %s", async (_, method) => {
    const gradients = one();
    bench.clipper.prepare([]).destroy(); // makes the buffers that clips share
    const before = [...bench.live.values()];
    for (let number = 1; ; number++) {
      const { calls, error } = failingAt(number, () => bench.clipper.prepare(gradients, method).destroy());
      expect([...bench.live.values()]).toEqual(before);
      if (calls < number) {
        expect(number, "buffers that were made").toBeGreaterThanOrEqual(3);
        break;
      }
      expect(error).toBeInstanceOf(RangeError);
      expect(error).toMatchObject({
        message: expect.stringMatching(
          /^The .* needs \d+ bytes, which the device has not left; free some, or pass fewer gradients\.$/,
        ),
        cause: expect.objectContaining({ message: "createBuffer failed" }),
      });
    }
  });

  test.each([
    ["entries", 4_194_305, /^The clip needs a binding of 134217760 bytes, but the device has 134217728; /],
    ["scratch", 4_194_304, /^The clip needs a binding of \d+ bytes, /],
  ])("for the %s of millions of norms", async (_, units, message) => {
    const buffer = bench.device.createBuffer({ size: 4 * units, usage: STORAGE });
    const before = [...bench.live.values()];
    const act = () => bench.clipper.prepare([{ buffer, shape: [units, 1] }], clipByNorm(1, { axes: [1] }));
    await refused(act, RangeError, message);
    expect([...bench.live.values()]).toEqual(before);
    buffer.destroy();
  });
});

/** Millions of gradients would reach the limits of a device. */
function withLimits<T>(limits: Partial<GPUSupportedLimits>, act: () => T): T {
  const { device } = bench;
  const own = Object.getOwnPropertyDescriptor(device, "limits");
  const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
  const value = { maxStorageBufferBindingSize, maxBufferSize, ...limits };
  Object.defineProperty(device, "limits", { configurable: true, value });
  try {
    return act();
  } finally {
    if (own) Object.defineProperty(device, "limits", own);
    else Reflect.deleteProperty(device, "limits");
    expect(device.limits.maxBufferSize).toBe(maxBufferSize);
  }
}

/** The table of 3,000 groups has 108,000 bytes, and their partials fewer; all tables of a clip together have more. */
test.each([
  [{ maxStorageBufferBindingSize: 107_999 }, "The clip needs a binding of 108000 bytes, but the device has 107999; "],
  [{ maxBufferSize: 200_000 }, /^The clip needs a buffer of \d{6} bytes, but the device has 200000; /],
])("tables beyond %o are refused before anything is made or submitted", async (limits, message) => {
  const count = 3000;
  const buffer = bench.device.createBuffer({ size: 4 * count, usage: STORAGE });
  const gradients = Array.from({ length: count }, (_, i) => ({ buffer, byteOffset: 4 * i, length: 1 }));
  const before = [...bench.live.values()];
  const act = () => withLimits(limits, () => bench.clipper.prepare(gradients, clipByNorm(1)));
  await refused(act, RangeError, message instanceof RegExp ? message : new RegExp(`^${message}`));
  expect([...bench.live.values()]).toEqual(before);
  // The same list fits otherwise, and no binding has more than its table.
  const { createBindGroup } = bench.device;
  const sizes: (number | undefined)[] = [];
  bench.device.createBindGroup = (descriptor) => {
    for (const { resource } of descriptor.entries as Iterable<{ resource: GPUBufferBinding }>) {
      if (resource.buffer.label === "gradclip tables") sizes.push(resource.size);
    }
    return createBindGroup.call(bench.device, descriptor);
  };
  const clip = bench.clipper.prepare(gradients, clipByNorm(1));
  bench.device.createBindGroup = createBindGroup;
  expect(Math.max(...sizes.map((size) => size ?? Infinity))).toBe(108_000);
  await clip.ready;
  clip.destroy();
  buffer.destroy();
});

test("a single call keeps nothing", async () => {
  const buffer = bench.buffer([3, 4]);
  const normOf = async () => (await clipGradients([buffer], clipByGlobalNorm(10), { device: bench.device })).norm;
  // The first makes what all clips of a device share.
  expect(await normOf()).toBe(5);
  const before = [...bench.live.values()];
  expect(await normOf()).toBe(5);
  expect([...bench.live.values()]).toEqual(before);
});

test("what a clip has outgrown goes with it", async () => {
  const length = 32_768;
  const [count, ones] = [30, new Array<number>(30 * length).fill(1)];
  const whole = bench.buffer(ones);
  const near = Array.from({ length: count }, (_, i) => ({ buffer: whole, byteOffset: 4 * length * i, length }));
  const apart = Array.from({ length: count }, () => bench.buffer(ones.slice(0, length)));
  const before = [...bench.live.values()];
  const clip = bench.clipper.prepare(near, clipByNorm(1e6));
  const sizeOf = (label: string) =>
    [...bench.live.keys()].filter((buffer) => buffer.label === label).map(({ size }) => size);
  const first = sizeOf("gradclip partials");
  // The gradients are bound before the target is checked: nothing compiles.
  expect(() => clip.encode(undefined as never, apart)).toThrow(TypeError);
  expect(Math.max(...sizeOf("gradclip partials")), "the scratch has grown").toBeGreaterThan(Math.max(...first));
  clip.destroy();
  expect([...bench.live.values()]).toEqual(before);
});

test("layouts that a clip has forgotten go with it", async () => {
  const buffer = bench.buffer(new Array<number>(64).fill(1));
  const before = [...bench.live.values()];
  const clip = bench.clipper.prepare([{ buffer, length: 2 }], clipByGlobalNorm(100));
  const many = 50;
  for (let i = 0; i < many; i++) clip.run([{ buffer, byteOffset: 4 * i, length: 2 }]);
  const tables = [...bench.live.values()].filter((label) => label === "gradclip tables");
  expect(tables.length).toBeGreaterThan(32);
  expect((await clip.report()).steps).toBe(many);
  clip.destroy();
  expect([...bench.live.values()]).toEqual(before);
});
