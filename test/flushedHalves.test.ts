/** Devices on which unpack2x16float, or a product with what it gives, makes 0 of a subnormal float16, as WGSL lets them. */
import { beforeAll, expect, test } from "vitest";
import { contextOf } from "../src/webgpu/device.ts";
import { clipTo, packed, unit } from "./conformance/build.ts";
import { half } from "./conformance/halves.ts";
import { createWebGpuHarness } from "./conformance/harness-webgpu.ts";
import { runUnits } from "./conformance/suite.ts";
import type { Tensor } from "./conformance/types.ts";
import { device as real } from "./support/bench.ts";
import { FINE_GRID } from "./support/kernelLies.ts";
import { LyingDevices, type ShaderLie } from "./support/lyingDevice.ts";
import { processGpu } from "./support/workbench.ts";

const FLUSHED =
  "fn flushed(word: u32) -> f32 { return select(unpack2x16float(word).x, 0.0, (word & 0x7c00u) == 0u); }\n";
const FLUSHES: readonly ShaderLie[] = [
  [/unpack2x16float\(([^)]+)\)\.x/g, "flushed($1)"],
  [/^/g, FLUSHED],
];
const TRUSTS: ShaderLie = [/fn keeps_values\(\) -> bool \{/g, "$& if (table.segmentCount > 0u) { return true; }"];
/** Kernels that are right only where they trust the device. */
const NEEDS_TRUST: readonly ShaderLie[] = [
  [/fn add_exactly\([^{]*\{/g, "$& if (table.segmentCount > 0u) { return; }"],
  [/word = with_element\(word, k, /g, "word = with_element(word, 0u * k, "],
];
/** A device that decodes right by itself, but flushes in an instruction that multiplies too. */
const FLUSHES_IN_PRODUCTS: readonly ShaderLie[] = [
  [/return values \* values;/g, "let kept = select(values, Values(), values < Values(0x1p-14f)); return kept * kept;"],
  [/low \* low \+ high \* high/g, "fast_terms(low) + fast_terms(high)"],
];

let devices: LyingDevices;

beforeAll(() => {
  devices = new LyingDevices(real);
});

/** Whole tiles and a rest; at the even places subnormal numbers, without which the norm would be 4 % less. */
const halves = (aligned: boolean) =>
  half(
    "f16",
    Array.from({ length: aligned ? 424 : 425 }, (_, i) => (i % 2 ? 2 ** -13 : ((i * 31) % 1024) * 2 ** -24)),
  );

/** More segments than a dispatch takes: their number is part of the number that the device is asked of. */
const manyPlaces = () => {
  const bits = Uint16Array.from([0x0900, 0x0300, 0x0200, 0x03ff]);
  return packed(Array<Uint16Array>(600).fill(bits), undefined, 8, "arena", "f16");
};

async function problemOn(shaders: readonly ShaderLie[], tensors: readonly Tensor[], kernel?: string): Promise<string> {
  const { device, spoilt } = devices.device({ shaders, kernel });
  const harness = await createWebGpuHarness(await processGpu(), device, 3);
  try {
    harness.force({ grid: { ...contextOf(device)?.grid, ...FINE_GRID } as never });
    await runUnits(
      [clipTo(0.001), clipTo(1)].map((rule) => unit("subnormal float16s", tensors, rule)),
      harness,
    );
    expect(spoilt()).toBeGreaterThanOrEqual(kernel ? 1 : 2);
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    harness.release();
    harness.clipper.destroy();
  }
}

test.each([true, false])("they count all the same, in words of 16 bytes: %s", async (aligned) => {
  expect(await problemOn(FLUSHES, [halves(aligned)])).toBe("");
});

test("they count where a dispatch has as many segments as it takes", async () => {
  expect(await problemOn(FLUSHES, manyPlaces())).toBe("");
});

test.each([true, false])("a device that keeps them is trusted, in words of 16 bytes: %s", async (aligned) => {
  expect(await problemOn(NEEDS_TRUST, [halves(aligned)])).toBe("");
  expect(await problemOn([...FLUSHES, ...NEEDS_TRUST], [halves(aligned)])).toMatch(/ wrong/);
});

test.each([true, false])("they count where products flush them, in words of 16 bytes: %s", async (aligned) => {
  expect(await problemOn(FLUSHES_IN_PRODUCTS, [halves(aligned)], "norm")).toBe("");
  expect(await problemOn([...FLUSHES_IN_PRODUCTS, TRUSTS], [halves(aligned)], "norm")).toMatch(/ wrong/);
});

test.each([true, false])(
  "a kernel that trusted such a device would be wrong, in words of 16 bytes: %s",
  async (aligned) => {
    expect(await problemOn([...FLUSHES, TRUSTS], [halves(aligned)])).toMatch(/ wrong/);
  },
);
