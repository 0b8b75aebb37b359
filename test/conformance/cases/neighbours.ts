/** Gradients and results that share a window of 256 bytes, or touch: what is bound for one must not disturb the other. */
import { clipByGlobalNorm } from "../../../src/index.ts";
import { clampTo, clipTo, packed, range, tensor, unit } from "../build.ts";
import { near, sameWords } from "../expect.ts";
import { floatsOf, randomBits } from "../numbers.ts";
import { perTensor, perTensorRms } from "../rules.ts";
import type { Case, Rule, Tensor, Unit } from "../types.ts";

const bits = (length: number, seed: number) => randomBits(length, seed);
const at = (memory: string, byteOffset: number) => ({ memory, byteOffset });

/**
 * Two gradients that one pass writes into other buffers, where their windows in `shared` overlap: result and result, result and source
 * in either order, and source and source in a buffer that is also written, so that both are bound writable. All of them are off 16 bytes,
 * so that one dispatch could have both.
 */
function windowsInCommon(): [label: string, tensors: Tensor[]][] {
  const toShared = (seed: number, byteOffset: number) => ({ bits: bits(20, seed), into: at("shared", byteOffset) });
  const fromShared = (seed: number, byteOffset: number, target: string) => ({
    bits: bits(20, seed),
    place: at("shared", byteOffset),
    into: at(target, 260),
  });
  const writer = toShared(9, 8196);
  return [
    ["two results", [toShared(1, 260), toShared(2, 344)]],
    ["a result, then a source", [toShared(3, 260), fromShared(4, 344, "first")]],
    ["a source, then a result", [fromShared(5, 260, "first"), toShared(6, 344)]],
    ["two sources in a buffer that is written", [fromShared(7, 260, "first"), fromShared(8, 344, "second"), writer]],
    [
      "the same, written first",
      [writer, fromShared(7, 260, "first"), fromShared(8, 344, "second"), toShared(10, 12_292)],
    ],
  ];
}

function underEach(rules: readonly [string, Rule][]): Unit[] {
  return windowsInCommon().flatMap(([label, tensors]) =>
    rules.map(([name, rule]) => unit(`${label}, ${name}`, tensors, rule)),
  );
}

export const cases: Case[] = [
  {
    name: "windows in common between results and sources of one pass",
    units: () =>
      underEach([
        ["clipped", clipTo(0.5)],
        ["under the bound", clipTo(1e6)],
        ["by value", clampTo(-0.25, 0.5)],
        ["each by its own norm", perTensor(0.5)],
      ]),
  },
  {
    name: "neighbours in one arena, each by its own norm",
    units: () => {
      // Their norms differ by powers of two: joined, they would have one scale.
      const list = range(12).map((k) =>
        randomBits([16, 64, 5, 256][k % 4] as number, k).map(withExponent(100 + 4 * k)),
      );
      return [256, 260].flatMap((from) => [
        unit(`from ${from}`, packed(list, from), perTensor(1e-3)),
        unit(`from ${from}, by their mean squares`, packed(list, from), perTensorRms(1e-3)),
      ]);
    },
  },
  {
    name: "one range into two buffers, beside its neighbours",
    units: () => {
      const [before, twice, after] = packed([bits(30, 1), bits(50, 2), bits(7, 3)], 260) as [Tensor, Tensor, Tensor];
      const into = (memory: string, byteOffset: number) => ({ ...twice, into: at(memory, byteOffset) });
      const copies = [into("first", 256), into("second", 4)];
      return [0.5, 1e6].flatMap((bound) => [
        unit(`bound ${bound}`, [before, ...copies, after], clipTo(bound)),
        unit(`bound ${bound}, and in place`, [...copies, before, twice, after], clipTo(bound)),
        unit(`bound ${bound}, both in one buffer`, [into("first", 256), before, into("first", 4096)], clipTo(bound)),
      ]);
    },
  },
  {
    name: "the same buffer at another offset in a later step",
    script: async ({ allocate, prepare }) => {
      const tensors = packed([bits(40, 1), bits(40, 2), bits(40, 3)], 256, 4096);
      const memory = allocate(tensors);
      const views = [...(memory.gradients as Iterable<GPUBuffer | Float32Array>)];
      const clip = prepare([views[0]], clipByGlobalNorm(0.5));
      clip.run();
      clip.run([views[2]]);
      const after = (await memory.read()).get("arena") as Uint32Array;
      const wordsOf = (index: number) => {
        const start = ((tensors[index] as Tensor).place?.byteOffset ?? 0) / 4;
        return after.subarray(start, start + 40);
      };
      for (const index of [0, 2]) {
        const norm = Math.hypot(...floatsOf(wordsOf(index)));
        near(norm, 0.5, 4, `the norm of view ${index} after its step`);
      }
      sameWords(wordsOf(1), (tensors[1] as Tensor).bits, "the view that no step had");
    },
  },
  {
    name: "by value, into other places: every length around a tile and its last words",
    units: () =>
      [256, 1024, 4096].flatMap((tile) =>
        range(9, tile - 4).flatMap((length) =>
          [0, 4].map((byteOffset) =>
            unit(
              `${length} into byte ${byteOffset}`,
              [{ bits: bits(length, length), into: at("target", byteOffset) }],
              clampTo(-0.25, 0.5),
            ),
          ),
        ),
      ),
  },
  {
    name: "a single float beside another one, each into the other's buffer",
    units: () => {
      const cross = (k: number): Tensor => ({
        ...tensor([k + 3]),
        place: at(`buffer ${k}`, 256),
        into: at(`buffer ${1 - k}`, 1024),
      });
      return [unit("clipped", [cross(0), cross(1)], clipTo(0.5)), unit("kept", [cross(0), cross(1)], clipTo(1e6))];
    },
  },
];

/** Sets the exponent of a float32's bits. */
function withExponent(exponent: number): (word: number) => number {
  return (word) => ((word & 0x807fffff) | (exponent << 23)) >>> 0;
}
