/** Clipping by value over several steps, whatever the plan. */
import { clipByValue } from "../../../src/index.ts";
import { clampTo, guarded, packed, range, raw, tensor, unit } from "../build.ts";
import { fail, refuses, same, sameWords, untouched } from "../expect.ts";
import { bitsFrom, bitsOf, randomBits } from "../numbers.ts";
import { ONE_WORKGROUP, onEveryGrid, planned } from "../plans.ts";
import { runUnits } from "../suite.ts";
import type { Allocation, Case, Tensor, Unit, WebGpuHarness } from "../types.ts";
import { anyBits } from "../valueBits.ts";

/** Everything that depends on how the work is cut. */
function whateverThePlan(): Unit[] {
  const long = anyBits(70_003, 5);
  const list = range(40).map((index) => anyBits(1 + ((index * 613) % 5003), index + 1));
  const moved = packed(list, 4).map((item, index) => ({
    ...item,
    into: { memory: "target", byteOffset: index * 20_480 },
  }));
  const rule = clampTo(-1, 2);
  return [
    ...[1, 255, 256, 257, 1023, 1025, 4097].flatMap((length) => [
      unit(`${length}`, [guarded(anyBits(length, length))], rule),
      unit(`${length} off 16 bytes`, [guarded(anyBits(length, length), 260)], rule),
    ]),
    unit("a long one", [guarded(long)], rule),
    unit("a long one, scaled", [guarded(long, 260)], rule, { options: { gradScale: 0.5 } }),
    unit(
      "40 of their own",
      list.map((bits) => ({ bits })),
      rule,
    ),
    unit("40 adjacent", packed(list, 4), rule),
    unit("40 adjacent, backwards", packed(list, 256).reverse(), rule),
    unit("40 into", moved, rule),
    unit(
      "every other one into",
      packed(list, 4).map((item, k) => (k % 2 ? item : (moved[k] as Tensor))),
      rule,
    ),
    // Here the pass in place has more workgroups than the one before it.
    unit(
      "a small one into, a long one in place",
      [{ ...tensor([5]), into: { memory: "target", byteOffset: 0 } }, guarded(long)],
      rule,
    ),
    unit("inside", [guarded(randomBits(70_003, 6))], rule),
    unit("inside but for the last", [guarded(randomBits(70_003, 6).fill(bitsOf(-7), 70_002))], rule),
  ];
}

/** Lengths that need the vec4 kernels alone, as in webgpuDevices.ts: those of words of 4 bytes differ in no binding. */
function wholeVectors(): Unit[] {
  const list = range(40).map((index) => anyBits(4 + 4 * ((index * 613) % 1251), index + 1));
  const moved = list.map((bits, index) => ({ bits, into: { memory: `target ${index}`, byteOffset: 16 * index } }));
  const rule = clampTo(-1, 2);
  return [
    unit(
      "40 of their own",
      list.map((bits) => ({ bits })),
      rule,
    ),
    unit("40 into", moved, rule),
    unit(
      "every other one into",
      list.map((bits, k) => (k % 2 ? { bits } : (moved[k] as Tensor))),
      rule,
    ),
    unit(
      "40 of their own, gradScale in a buffer",
      list.map((bits) => ({ bits })),
      rule,
      { options: { gradScale: { held: 0.5 } } },
    ),
    unit("40 into, gradScale in a buffer", moved, rule, { options: { gradScale: { held: 0.5 } } }),
    // Here the pass in place has more workgroups than the one before it.
    unit(
      "a small one into, a long one in place",
      [{ bits: anyBits(4, 1), into: { memory: "target", byteOffset: 0 } }, { bits: anyBits(70_000, 5) }],
      rule,
    ),
  ];
}

async function wordsOf(memory: Allocation, name = "own 0"): Promise<Uint32Array> {
  return (await memory.read()).get(name) ?? fail(`no memory "${name}"`);
}

export const cases: Case[] = [
  {
    name: "steps are counted from report to report, and none is skipped",
    script: async ({ allocate, prepare }) => {
      const [wide, bad, small] = [
        [9, 1],
        [Number.NaN, 0.5],
        [0.5, -0.5],
      ].map((values) => allocate([tensor(values)]));
      const clip = prepare((wide as Allocation).gradients, clipByValue(1));
      for (const memory of [wide, bad, small, wide]) clip.run((memory as Allocation).gradients);
      const first = await clip.report();
      same(first.steps, 4, "steps");
      // The second run over the wide ones finds them clipped.
      same(first.clippedSteps, 1, "clippedSteps");
      same(first.skippedSteps, 0, "skippedSteps");
      same(first.clipped, false, "clipped");
      await untouched(bad as Allocation);
      await untouched(small as Allocation);
      clip.run((bad as Allocation).gradients);
      const second = await clip.report();
      same(second.steps, 1, "steps after a report");
      same(second.skippedSteps, 0, "skippedSteps after a report");
      same(second.nonFinite, 1, "nonFinite after a report");
    },
  },
  {
    name: "gradScale set between runs",
    script: async ({ allocate, prepare }) => {
      const memories = range(4).map(() => allocate([tensor([3, -40, 0.5])]));
      const clip = prepare((memories[0] as Allocation).gradients, clipByValue(-8, 2));
      for (const [k, memory] of memories.entries()) {
        clip.set({ gradScale: 2 ** -k });
        clip.run(memory.gradients);
      }
      for (const [k, memory] of memories.entries()) {
        const wanted = [3, -40, 0.5].map((value) => Math.max(-8, Math.min(2, value * 2 ** -k)));
        sameWords(await wordsOf(memory), bitsFrom(wanted), `gradScale 2^-${k}`);
      }
    },
  },
  ...[false, true].map((inOnePass) => ({
    name: `a hundred gradScales in one submit${inOnePass ? ", in one pass" : ""}`,
    gpuScript: async ({ device, allocate, prepare }: WebGpuHarness) => {
      const memories = range(100).map(() => allocate([tensor([3, -40, 0.5])]));
      const clip = prepare((memories[0] as Allocation).gradients, clipByValue(-8, 2));
      const encoder = device.createCommandEncoder();
      const pass = inOnePass ? encoder.beginComputePass() : undefined;
      for (const [k, memory] of memories.entries()) {
        clip.set({ gradScale: 1 + k / 128 });
        clip.encode(pass ?? encoder, memory.gradients);
      }
      pass?.end();
      device.queue.submit([encoder.finish()]);
      // All at once: Firefox takes up to a tenth of a second for each that it waits for.
      const found = await Promise.all(memories.map((memory) => wordsOf(memory)));
      for (const [k, words] of found.entries()) {
        const wanted = [3, -40, 0.5].map((value) => Math.max(-8, Math.min(2, value * (1 + k / 128))));
        sameWords(words, bitsFrom(wanted), `encode ${k}`);
      }
      const report = await clip.report();
      same(report.steps, 100, "steps");
      same(report.clippedSteps, 100, "clippedSteps");
      same(report.scale, 1 + 99 / 128, "scale");
    },
  })),
  {
    name: "the same bits twenty times",
    script: async ({ allocate, prepare }) => {
      const tensors = [...packed([anyBits(12_003, 1), anyBits(1001, 2)], 4), raw(anyBits(9000, 3))];
      const memories = range(20).map(() => allocate(tensors));
      const clip = prepare((memories[0] as Allocation).gradients, clipByValue(0.1), { gradScale: 0.3 });
      for (const memory of memories) clip.run(memory.gradients);
      const first = await wordsOf(memories[0] as Allocation, "arena");
      for (const memory of memories) sameWords(await wordsOf(memory, "arena"), first, "arena");
    },
  },
  ...onEveryGrid(whateverThePlan),
  planned("a grid of one workgroup", ONE_WORKGROUP, whateverThePlan),
  planned("ranges cut for bindings of 8192 bytes", { maxBinding: 8192 }, whateverThePlan),
  planned("8 storage buffers in a stage", { storageBuffers: 8 }, wholeVectors),
  {
    name: "16 storage buffers in a stage",
    dependsOn: "plan",
    gpuScript: (harness: WebGpuHarness) =>
      harness.withDevice({ maxStorageBuffersPerShaderStage: 16 }, async (other) => {
        await runUnits(wholeVectors(), other);
      }),
  },
  {
    name: "what has no meaning is refused",
    script: async ({ allocate, prepare }) => {
      const memory = allocate([tensor([3, 4])]);
      const { gradients } = memory;
      refuses(() => prepare(gradients, clipByValue(1), { apply: "record" }), [TypeError], 'apply: "record"');
      refuses(() => prepare(gradients, clipByValue(1), { totalNorm: 5 }), [TypeError], "totalNorm");
      const clip = prepare(gradients, clipByValue(1));
      refuses(() => clip.set({ maxNorm: 1 }), [TypeError], "set maxNorm");
      refuses(() => clip.set({ gradScale: 0 }), [RangeError], "set gradScale 0");
      await untouched(memory);
    },
  },
  {
    name: "gradScale in a buffer of gradients is refused",
    gpuScript: async ({ allocate, prepare }) => {
      const memory = allocate([tensor([3, 4])]);
      const [buffer] = memory.gradients as GPUBuffer[];
      refuses(
        () => prepare(memory.gradients, clipByValue(1), { gradScale: buffer }),
        [RangeError],
        "gradScale among gradients",
      );
      await untouched(memory);
    },
  },
];
