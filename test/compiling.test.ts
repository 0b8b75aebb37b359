/** What a device is asked to compile, and when. */
import { afterEach, expect, test, vi } from "vitest";
import { deviceWith, newBuffer } from "../bench/isa/kernels.ts";
import { type ClipMethod, clipByGlobalNorm, clipByNorm, clipByValue, createClipper } from "../src/index.ts";
import { classOf, isSoftware } from "../src/webgpu/grid.ts";
import { waitLimit } from "./engines/limits.mjs";

afterEach(() => vi.unstubAllGlobals());

/** A device that never finishes a pipeline, and what it was asked for. */
function endless() {
  const asked: string[] = [];
  const device = deviceWith(7, (name) => {
    asked.push(name.replace("gradclip ", ""));
    return new Promise(() => {});
  });
  return { asked, device };
}

/** In words of 16 bytes, and of 4. */
const gradients = [0, 4].map((byteOffset) => ({ buffer: newBuffer(), byteOffset, length: 4096, shape: [64, 64] }));
const joint = [
  "norm l2 f32 vec4",
  "norm l2 f32 u32",
  "finish l2 global",
  "scale in-place f32 vec4",
  "scale in-place f32 u32",
];
const ofUnits = [
  "unit norm l2 f32 u32",
  "finish groups l2 global",
  "finish l2 global",
  "scale units in-place f32 vec4",
  "scale units in-place f32 u32",
];
const ofValues = ["clamp in-place f32 vec4", "clamp in-place f32 u32", "finish linf global"];

const rows: [ClipMethod, string[]][] = [
  [clipByGlobalNorm(1), joint],
  [clipByNorm(1, { axes: [0] }), ofUnits],
  [clipByValue(1), ofValues],
];

test.each(rows)(
  "$name asks a device of the caller for all kernels before the first is compiled",
  async (method, kernels) => {
    const { asked, device } = endless();
    const clipper = await createClipper({ device });
    clipper.prepare(gradients, method);
    expect(asked).toEqual([]);
    await undefined;
    expect(asked.map((name) => name.replace(/ by \d+$/, "")).sort()).toEqual([...kernels].sort());
    // A list that lies alike needs no others.
    clipper.prepare(gradients, method);
    await undefined;
    expect(asked.length).toBe(kernels.length);
  },
);

test("a clipper asks its own device for all kernels of the self-test before the first is compiled", async () => {
  const { asked, device } = endless();
  const info = { vendor: "amd" };
  const adapter = { info, limits: device.limits, requestDevice: async () => device };
  vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => adapter } });
  createClipper();
  await vi.waitFor(() => expect(asked.length).toBeGreaterThan(0), waitLimit);
  expect(asked.map((name) => name.replace(/ by \d+$/, "")).sort()).toEqual([...joint].sort());
});

test.each([
  [{ description: "llvmpipe (LLVM 19.1.7, 256 bits)" }, "llvmpipe", true],
  [{ device: "Lavapipe", vendor: "mesa" }, "llvmpipe", true],
  [{ architecture: "swiftshader", vendor: "google" }, "software", true],
  [{ vendor: "nvidia", isFallbackAdapter: true }, "software", true],
  [{ vendor: "intel" }, "integrated", false],
  [{ vendor: "amd", description: "AMD Radeon RX 7900 XTX (RADV NAVI31)" }, "discrete", false],
  [{}, "integrated", false],
] as const)("%o has the grid row %s", (info, row, software) => {
  expect([classOf(info), isSoftware(info)]).toEqual([row, software]);
});
