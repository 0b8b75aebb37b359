/** As few and as many storage buffers as adapters give. */
import { clipByGlobalNorm } from "../../../src/index.ts";
import { clipTo, packed, range, unit } from "../build.ts";
import { same } from "../expect.ts";
import { randomBits } from "../numbers.ts";
import { planned } from "../plans.ts";
import { runUnits } from "../suite.ts";
import type { Case, Unit, WebGpuHarness } from "../types.ts";

const COUNTS = [1, 3, 4, 7, 8, 15, 16, 33];

/**
 * Buffers of whole words of 4 bytes, or of 16. Words of 16 bytes need the vec4 kernels alone: a software adapter compiles each kernel with
 * many bindings for up to a second, and those for words of 4 bytes differ in no binding.
 */
function spread(count: number, wordBytes: 4 | 16): Unit[] {
  const elements = wordBytes / 4;
  const list = range(count).map((index) => randomBits(elements * (1 + ((index * 53) % 301)), index + 1));
  const own = list.map((bits) => ({ bits }));
  const moved = own.map((item, index) => ({
    ...item,
    into: { memory: `target ${index}`, byteOffset: wordBytes * index },
  }));
  const half = own.map((item, index) => (index % 2 ? item : (moved[index] ?? item)));
  return [
    unit(`${count} own`, own, clipTo(0.5)),
    unit(`${count} own, under the bound`, own, clipTo(1e6)),
    unit(`${count} into`, moved, clipTo(0.5)),
    unit(`${count}, every other one into`, half, clipTo(0.5)),
    unit(`${count} adjacent`, packed(list, wordBytes), clipTo(0.5)),
  ];
}

/** One buffer is a source and a destination, so the dispatch binds every source writable: two sources must not share a window then. */
function sharing(): Unit[] {
  const at = (memory: string, byteOffset: number) => ({ memory, byteOffset });
  const bits = (seed: number) => randomBits(8, seed);
  const [first, second] = [at("read twice", 0), at("read twice", 64)];
  const list = [
    { bits: bits(1), place: first, into: at("read and written", 0) },
    { bits: bits(2), place: at("read and written", 1024), into: at("written", 0) },
    { bits: bits(3), place: second, into: at("written", 1024) },
  ];
  return [
    unit("two sources in one window", list, clipTo(0.5)),
    unit("under the bound", list, clipTo(1e6)),
    unit("backwards", [...list].reverse(), clipTo(0.5)),
  ];
}

/** On a device on which nothing is compiled yet, and without gradients, so that only one kernel is compiled twice. */
async function encodeBeforeReady({ prepare, device }: WebGpuHarness): Promise<void> {
  const clip = prepare([], clipByGlobalNorm(1));
  const encoder = device.createCommandEncoder();
  clip.encode(encoder);
  device.queue.submit([encoder.finish()]);
  same((await clip.report()).steps, 1, "steps that were encoded before ready");
  await clip.ready;
}

export const cases: Case[] = [
  { name: "few storage buffers in a stage", only: "webgpu", units: () => COUNTS.flatMap((count) => spread(count, 4)) },
  planned("8 storage buffers in a stage", { storageBuffers: 8 }, () => COUNTS.flatMap((count) => spread(count, 16))),
  planned("two sources in one window, and a buffer that is read and written", { storageBuffers: 8 }, sharing),
  {
    name: "a new device with 16 storage buffers, or as many as the adapter has",
    gpuScript: async ({ withDevice }) => {
      await withDevice({ maxStorageBuffersPerShaderStage: 16 }, async (harness) => {
        await encodeBeforeReady(harness);
        await runUnits(
          COUNTS.flatMap((count) => spread(count, 16)),
          harness,
        );
      });
    },
  },
];
