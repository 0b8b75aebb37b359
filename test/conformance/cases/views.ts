/** Views into shared memory: any offset, neighbours in the same 256-byte window, results written elsewhere. */
import { clipTo, guarded, packed, range, unit } from "../build.ts";
import { randomBits } from "../numbers.ts";
import type { Case, Tensor, Unit } from "../types.ts";

const OFFSETS = range(64, 1).map((step) => step * 4);

/** Tensors of uneven lengths, one directly after the other: most share a window, many a 16-byte vector, with the next. */
const UNEVEN = [1, 2, 3, 5, 7, 64, 65, 1, 255, 256, 257, 4, 1023, 1, 1];

function uneven(seed: number): Uint32Array[] {
  return UNEVEN.map((length, index) => randomBits(length, seed + index));
}

function intoUnits(): Unit[] {
  const bits = randomBits(300, 7);
  const source = { memory: "source", byteOffset: 256 };
  const into = (memory: string, byteOffset: number) => ({ bits, place: source, into: { memory, byteOffset } });
  const variants: [string, Tensor][] = [
    ["another buffer", into("target", 256)],
    ["another buffer, at a word of its own", into("target", 260)],
    [
      "another buffer, from an unaligned view",
      { bits, place: { memory: "source", byteOffset: 12 }, into: { memory: "target", byteOffset: 0 } },
    ],
    ["the same buffer, windows apart", into("source", 4096)],
    [
      "the same buffer, before itself",
      { bits, place: { memory: "source", byteOffset: 8192 }, into: { memory: "source", byteOffset: 256 } },
    ],
    ["from a buffer of its own", { bits, into: { memory: "target", byteOffset: 1024 } }],
  ];
  return variants.flatMap(([label, item]) => [
    unit(`${label}, clipped`, [item], clipTo(1)),
    unit(`${label}, under the bound`, [item], clipTo(1000)),
    unit(`${label}, gradScale`, [item], clipTo(1000), { options: { gradScale: 0.375 } }),
  ]);
}

export const cases: Case[] = [
  {
    name: "a view at every offset from 4 to 256, clipped",
    units: () => OFFSETS.map((at) => unit(`offset ${at}`, [guarded(randomBits(37, at), at)], clipTo(1))),
  },
  {
    name: "a view at every offset from 4 to 256, ending in the middle of a vector, under the bound",
    units: () => OFFSETS.map((at) => unit(`offset ${at}`, [guarded(randomBits(66, at), at)], clipTo(100))),
  },
  {
    name: "two views with one word between them that belongs to nobody",
    units: () => {
      return OFFSETS.map((at) => {
        return unit(`offset ${at}`, packed([randomBits(13, at), randomBits(22, at + 1)], at, 4), clipTo(1));
      });
    },
  },
  {
    name: "adjacent views of uneven lengths",
    units: () => [4, 8, 12, 16, 100, 256].map((at) => unit(`from ${at}`, packed(uneven(at), at), clipTo(3))),
  },
  {
    name: "adjacent views, listed backwards",
    units: () => [4, 256].map((at) => unit(`from ${at}`, packed(uneven(at), at).reverse(), clipTo(3))),
  },
  {
    name: "every other one of adjacent views: the others must not change",
    units: () => {
      return [0, 1].flatMap((parity) => {
        return [4, 256].map((at) => {
          const chosen = packed(uneven(at), at).filter((_, index) => index % 2 === parity);
          return unit(`from ${at}, parity ${parity}`, chosen, clipTo(2));
        });
      });
    },
  },
  {
    name: "views of two arenas in turn",
    units: () => {
      const left = packed(uneven(1), 4, 8, "left");
      const right = packed(uneven(50), 260, 0, "right");
      return [
        unit(
          "left and right",
          left.flatMap((item, index) => [item, right[index]]),
          clipTo(2),
        ),
      ];
    },
  },
  {
    name: "two distant views of one buffer",
    units: () => [unit("first and last", packed([randomBits(500, 1), randomBits(500, 2)], 512, 65_536), clipTo(1))],
  },
  {
    name: "subarrays of one ArrayBuffer",
    only: "cpu",
    units: () => [
      unit(
        "subarrays",
        packed(uneven(9), 4).map((item) => ({ ...item, subarray: true as const })),
        clipTo(3),
      ),
    ],
  },
  { name: "results into other places", units: intoUnits },
  {
    name: "results into other places, for tensors that share windows",
    units: () => {
      const sources = packed(uneven(3), 4);
      const targets = packed(uneven(3), 12, 4, "target");
      const moved = sources.map((item, index) => ({ ...item, into: targets[index]?.place }));
      const half = moved.map((item, index) => (index % 2 ? item : (sources[index] as Tensor)));
      return [unit("all of them", moved, clipTo(2)), unit("every other one", half, clipTo(2))];
    },
  },
  {
    name: "gradients and results in turn in one buffer",
    units: () => {
      const tensors = range(9).map((index) => {
        const at = (offset: number) => ({ memory: "arena", byteOffset: index * 4096 + offset + 4 * (index % 3) });
        return { bits: randomBits(100 + index, index), place: at(256), into: at(2048) };
      });
      return [unit("all", tensors, clipTo(1)), unit("in reverse", [...tensors].reverse(), clipTo(1))];
    },
  },
];
