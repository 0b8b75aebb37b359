/** Devices that compute one kernel wrongly: a small clip shows it, and the self-test where it compiles that kernel. */
import { beforeAll, describe, expect, test } from "vitest";
import { NoWebGPUError, selfTest } from "../src/index.ts";
import { contextOf } from "../src/webgpu/device.ts";
import { createWebGpuHarness } from "./conformance/harness-webgpu.ts";
import { runUnits } from "./conformance/suite.ts";
import { bench, device as real } from "./support/bench.ts";
import { FINE_GRID, kernelLies } from "./support/kernelLies.ts";
import { type Lie, LyingDevices, overridden } from "./support/lyingDevice.ts";
import { refused } from "./support/refused.ts";
import { processGpu } from "./support/workbench.ts";

/** What the self-test compiles; docs/engines.md says so. */
const SELF_TESTED = ["norm", "finish", "scale"];

/** What is wrong with the kernel's clip on this device. */
async function problemOn(device: GPUDevice, clip: (typeof kernelLies)[string]["clip"]): Promise<string> {
  const harness = await createWebGpuHarness(await processGpu(), device);
  try {
    const grid = contextOf(device)?.grid;
    harness.force({ grid: { ...grid, ...FINE_GRID } as never });
    await runUnits([clip()], harness);
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    harness.release();
    harness.clipper.destroy();
  }
}

describe.each(Object.entries(kernelLies))("%s", (name, { kernel, clip, storageBuffers, lies, unseen = {} }) => {
  let devices: LyingDevices;
  beforeAll(() => {
    devices = new LyingDevices(real, storageBuffers);
  });

  test("is right on a device that computes rightly", async () => {
    const { device } = devices.device({});
    expect(await problemOn(device, clip)).toBe("");
  });

  test.each(Object.entries(lies))("%s", async (_, lie) => {
    const spoilt: Lie = { kernel, shaders: [lie] };
    const wrong = devices.device(spoilt);
    expect(await problemOn(wrong.device, clip)).toMatch(/ wrong:/);
    expect(wrong.spoilt(), "shaders in which the pattern was found").toBe(1);
    if (!SELF_TESTED.includes(name)) return;
    await refused(
      () => selfTest(devices.device(spoilt).device),
      NoWebGPUError,
      /^This GPU failed gradclip's self-test /,
    );
  });

  for (const [title, lie] of Object.entries(unseen)) {
    test(`not seen: ${title}`, async () => {
      const wrong = devices.device({ kernel, shaders: [lie] });
      expect(await problemOn(wrong.device, clip)).toBe("");
      expect(wrong.spoilt(), "shaders in which the pattern was found").toBe(1);
    });
  }
});

test("the self-test compiles these kernels and no others", async () => {
  const labels: string[] = [];
  const { device } = new LyingDevices(real).device({});
  const createComputePipelineAsync = (descriptor: GPUComputePipelineDescriptor) => {
    labels.push(descriptor.label ?? "");
    return device.createComputePipelineAsync(descriptor);
  };
  await selfTest(overridden(device, { createComputePipelineAsync }));
  const compiled = Object.entries(kernelLies).filter(([, { kernel }]) =>
    labels.some((label) => label.startsWith(`gradclip ${kernel} `)),
  );
  expect(compiled.map(([name]) => name)).toEqual(SELF_TESTED);
  await bench.settled();
});
