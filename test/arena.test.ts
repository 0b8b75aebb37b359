/** "One buffer for all" of docs/engines.md: the dispatches of gradients that share a buffer. */
import { readFileSync } from "node:fs";
import * as gradclip from "gradclip";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { numbers } from "./adapters/task.ts";
import { norm64 } from "./conformance/numbers.ts";
import { bench } from "./support/bench.ts";
import { counted } from "./support/counted.ts";
import { withEmptyKernels } from "./support/emptyKernels.ts";
import { examplesOf } from "./support/examples.ts";
import { largest } from "./support/largest.ts";
import { COPY_DST, COPY_SRC, defaultDevice, STORAGE } from "./support/workbench.ts";

let device: GPUDevice;
beforeAll(() => {
  device = bench.device;
});

const page = "docs/engines.md";
const section = "One buffer for all";

/** The cells of the section's tables, by the first one of their row. */
function rowsOf(): Map<string, string[]> {
  const text = readFileSync(new URL(`../${page}`, import.meta.url), "utf8");
  const part = text.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? "";
  const rows = [...part.matchAll(/^\| ([^|]+) \| (.*) \|$/gm)];
  return new Map(rows.map(([, name = "", cells = ""]) => [name, cells.split(" | ")]));
}

type View = gradclip.GradientView & { buffer: GPUBuffer; byteOffset: number };

/** Most are no multiple of 4, as biases and odd layers are. */
function lengthsOf(count: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`w${i}`, 64 + ((11 * i) % 37)]));
}

function eachItsBuffer(count: number): GPUBuffer[] {
  const usage = STORAGE | COPY_SRC | COPY_DST;
  return Object.values(lengthsOf(count)).map((length) => device.createBuffer({ size: 4 * length, usage }));
}

async function arenaOf(lengths: Record<string, number>): Promise<Record<string, View>> {
  const [example] = examplesOf(page, { gradclip }, section);
  return (await example?.({ device, lengths }, "gradients")) as Record<string, View>;
}

/** Without what joins them: the same places in the arena, but each of its own length. */
async function unpadded(count: number): Promise<Record<string, View>> {
  const lengths = lengthsOf(count);
  const views = Object.entries(await arenaOf(lengths));
  return Object.fromEntries(views.map(([name, view]) => [name, { ...view, length: lengths[name] }]));
}

/** One after the other, without space between them. */
function tight(count: number): View[] {
  const lengths = Object.values(lengthsOf(count));
  const buffer = device.createBuffer({ size: 4 * lengths.reduce((sum, length) => sum + length), usage: STORAGE });
  let byteOffset = 0;
  return lengths.map((length) => {
    const view = { buffer, byteOffset, length };
    byteOffset += 4 * length;
    return view;
  });
}

async function dispatchesOf(gradients: gradclip.Gradients): Promise<number> {
  const clipper = await gradclip.createClipper({ device });
  const clip = clipper.prepare(gradients);
  await clip.ready;
  const { dispatches } = counted(device, () => clip.run());
  clipper.destroy();
  return dispatches;
}

describe("the dispatches of a step are as the page says:", () => {
  const layouts: Record<string, (count: number) => gradclip.Gradients | Promise<gradclip.Gradients>> = {
    "a buffer each": eachItsBuffer,
    "one buffer, as here": (count) => arenaOf(lengthsOf(count)),
    "the same places, but each with its own length": unpadded,
    "one after the other, without padding": tight,
  };

  beforeAll(async () => {
    device = withEmptyKernels(await defaultDevice());
  });
  afterAll(() => {
    device.destroy();
    device = bench.device;
  });

  test.each(Object.keys(layouts))("%s", async (name) => {
    expect(device.limits.maxStorageBuffersPerShaderStage).toBe(8);
    const counts = [];
    for (const count of [74, 148, 1000]) {
      counts.push(await dispatchesOf(await (layouts[name] as (typeof layouts)[string])(count)));
    }
    expect(rowsOf().get(name)).toEqual(counts.map(String));
  });
});

test("each gradient is clipped in its place, and the padding stays 0", async () => {
  const lengths = { kernel: 15, bias: 3, head: 130 };
  const [example] = examplesOf(page, { gradclip }, section);
  const made = (await example?.({ device, lengths }, "{ gradients, clip }")) as unknown;
  const { gradients, clip } = made as { gradients: Record<string, View>; clip: gradclip.Clip };
  const values = Object.values(lengths).map((length, i) => numbers(i, length));
  Object.values(gradients).forEach(({ buffer, byteOffset }, i) => {
    device.queue.writeBuffer(buffer, byteOffset, values[i] as Float32Array<ArrayBuffer>);
    expect(byteOffset % device.limits.minStorageBufferOffsetAlignment).toBe(0);
  });
  clip.run();
  const norm = norm64(values.flatMap((list) => [...list]));
  expect((await clip.report()).norm / norm).toBeCloseTo(1, 6);
  const all = await bench.values((gradients.kernel as View).buffer);
  Object.values(gradients).forEach(({ byteOffset, length }, i) => {
    const own = all.splice(0, length);
    expect(byteOffset).toBe([0, 256, 512][i]);
    const wanted = Array.from(own, (_, k) => (values[i]?.[k] ?? 0) / norm);
    expect(largest(own.map((value, k) => value - (wanted[k] as number)))).toBeLessThan(1e-6);
  });
  expect(all).toEqual([]);
});
