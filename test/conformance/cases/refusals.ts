/** A handful of refusals that keep gradients whole; the messages and the rest are tested in test/errors.test.ts. */
import { clipByGlobalNorm, createClipper } from "../../../src/index.ts";
import { packed, tensor } from "../build.ts";
import { refuses, untouched } from "../expect.ts";
import { randomBits } from "../numbers.ts";
import type { Case } from "../types.ts";

export const cases: Case[] = [
  {
    name: "ranges that overlap in part",
    script: async ({ allocate, prepare }) => {
      for (const gap of [-4, -8, -36]) {
        const memory = allocate(packed([randomBits(10, 1), randomBits(10, 2)], 256, gap));
        refuses(() => prepare(memory.gradients), [RangeError], `an overlap of ${-gap} bytes`);
        await untouched(memory);
      }
    },
  },
  {
    name: "a negative bound",
    script: async () => {
      for (const bound of [-1, Number.NaN, 1e-40, 1e39]) {
        refuses(() => clipByGlobalNorm(bound), [RangeError], `maxNorm ${bound}`);
      }
    },
  },
  {
    name: "gradScale that is no positive normal number",
    script: async ({ allocate, prepare }) => {
      const memory = allocate([tensor([3, 4])]);
      for (const gradScale of [0, -1, Number.NaN, Infinity, 1e-40]) {
        refuses(
          () => prepare(memory.gradients, clipByGlobalNorm(1), { gradScale }),
          [RangeError],
          `gradScale ${gradScale}`,
        );
      }
      await untouched(memory);
    },
  },
  {
    name: "encode for typed arrays",
    only: "cpu",
    script: async ({ allocate, prepare }) => {
      const memory = allocate([tensor([3, 4])]);
      const clip = prepare(memory.gradients, clipByGlobalNorm(1));
      refuses(() => clip.encode({} as GPUCommandEncoder), [TypeError], "encode on the CPU");
      await untouched(memory);
    },
  },
  {
    name: "typed arrays and GPU buffers in one list",
    gpuScript: async ({ allocate, prepare }) => {
      const memory = allocate([tensor([3, 4])]);
      const mixture = [...(memory.gradients as Iterable<GPUBuffer>), new Float32Array([1, 2])];
      refuses(() => prepare(mixture), [TypeError], "a mixture");
      await untouched(memory);
    },
  },
  {
    name: "GPU buffers for a clipper without a device",
    gpuScript: async ({ allocate }) => {
      const memory = allocate([tensor([3, 4])]);
      const clipper = await createClipper({ backend: "cpu" });
      refuses(() => clipper.prepare(memory.gradients), [TypeError], "GPU buffers on the CPU");
      clipper.destroy();
      await untouched(memory);
    },
  },
];
