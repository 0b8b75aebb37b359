/** What asks for WebGPU of its own, where the browser never answers. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { deviceWith } from "../bench/isa/kernels.ts";
import { onWebGpu } from "../bench/training/backend.ts";
import { createWebGpuHarness } from "./conformance/harness-webgpu.ts";
import { runConformance } from "./conformance/index.ts";

const never = () => new Promise<never>(() => {});
const adapter = { info: {}, limits: {}, features: new Set(), requestDevice: never };

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** Settles a promise that waits 30 s, without waiting. */
async function hurried<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  await vi.advanceTimersByTimeAsync(30_000);
  return promise;
}

test.each([
  ["adapter", never],
  ["device", async () => adapter],
])("for the %s: the suite and its further devices reject, and training goes to the CPU", async (what, request) => {
  const gpu = { requestAdapter: request } as unknown as GPU;
  const sentence = `The browser gave no ${what} within 30 s`;
  await expect(hurried(runConformance({ engine: "none", gpu }))).rejects.toThrow(sentence);
  const harness = await createWebGpuHarness(gpu, deviceWith(7, never));
  await expect(hurried(harness.withDevice({}, async () => {}))).rejects.toThrow(sentence);
  harness.clipper.destroy();

  vi.stubGlobal("navigator", { gpu });
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  expect(await hurried(onWebGpu())).toBe(undefined);
  expect(String(warn.mock.calls[0]?.[1])).toContain("The browser gave no device within 30 s");
});
