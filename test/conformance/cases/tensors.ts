/** Many gradients, gradients listed twice, absent and empty ones. */
import { clipTo, measured, packed, range, raw, tensor, unit } from "../build.ts";
import { randomBits } from "../numbers.ts";
import type { Case, Tensor, Unit } from "../types.ts";

const COUNTS = [1, 2, 6, 7, 8, 9, 14, 15, 16, 17, 31, 100, 1000];

function contents(count: number): Uint32Array[] {
  return range(count).map((index) => randomBits(((index * 37) % 61) + 1, index + 1));
}

function own(list: readonly Uint32Array[]): Tensor[] {
  return list.map((bits) => ({ bits }));
}

/** Clipped, left alone, and written elsewhere. */
function threeWays(label: string, tensors: Tensor[]): Unit[] {
  let at = 0;
  const moved = tensors.map((item, index) => {
    const byteOffset = at;
    at += item.bits.byteLength + 260;
    return { ...item, into: { memory: `target ${index % 3}`, byteOffset } };
  });
  const clipped = unit(`${label}, clipped`, tensors, clipTo(0.125));
  // A thousand buffers take a software adapter seconds.
  if (tensors.length > 100) return [clipped];
  return [
    clipped,
    unit(`${label}, under the bound`, tensors, clipTo(1e6)),
    unit(`${label}, into`, moved, clipTo(0.125)),
  ];
}

const SHARED = { memory: "shared", byteOffset: 256 };
const ELSEWHERE = { memory: "shared", byteOffset: 8192 };
const TWICE = randomBits(70, 5);
const ONCE = randomBits(33, 6);

function duplicates(): Unit[] {
  const item = { bits: TWICE, place: SHARED };
  const other = { bits: ONCE, place: ELSEWHERE };
  const toFirst = { ...item, into: { memory: "first", byteOffset: 256 } };
  const toSecond = { ...item, into: { memory: "second", byteOffset: 16 } };
  return [0.5, 1e6].flatMap((bound) => [
    unit(`twice, bound ${bound}`, [item, item], clipTo(bound)),
    unit(`three times with another between, bound ${bound}`, [item, other, item, item], clipTo(bound)),
    unit(`twice, gradScale, bound ${bound}`, [item, other, item], clipTo(bound), { options: { gradScale: 0.25 } }),
    unit(`twice, measured, bound ${bound}`, [item, item], measured()),
    unit(`twice, into two places, bound ${bound}`, [toFirst, toSecond], clipTo(bound)),
    unit(`in place and into another, bound ${bound}`, [item, toSecond], clipTo(bound)),
    unit(`into another and in place, bound ${bound}`, [toSecond, item], clipTo(bound)),
  ]);
}

export const cases: Case[] = [
  ...COUNTS.map((count) => ({
    name: `${count} gradients in buffers of their own`,
    units: () => threeWays(`${count} buffers`, own(contents(count))),
  })),
  ...COUNTS.map((count) => ({
    name: `${count} gradients in one arena`,
    units: () => {
      const list = contents(count);
      return [...threeWays("adjacent", packed(list, 4)), ...threeWays("apart", packed(list, 256, 12))];
    },
  })),
  {
    name: "large and small gradients together",
    units: () => {
      const list = [50_000, 1, 3, 20_000, 2, 70_001, 5].map((length, index) => randomBits(length, index));
      return [...threeWays("own", own(list)), ...threeWays("adjacent", packed(list, 12))];
    },
  },
  {
    name: "own buffers and views of arenas together",
    units: () => {
      const list = contents(60);
      const views = packed(list.slice(30), 4);
      const tensors = range(30).flatMap((index) => [{ bits: list[index] as Uint32Array }, views[index] as Tensor]);
      return threeWays("in turn", tensors);
    },
  },
  {
    name: "a range listed twice counts twice and is scaled once",
    units: () => {
      const item = { ...tensor([3, 4]), place: SHARED };
      const root = Math.sqrt(50);
      const want = {
        norm: root,
        scale: 1 / root,
        values: [
          [3 / root, 4 / root],
          [3 / root, 4 / root],
        ],
      };
      return [unit("[3, 4] twice", [item, item], clipTo(1), { want }), ...duplicates()];
    },
  },
  {
    name: "absent gradients are skipped",
    units: () => [
      unit("null and undefined", [null, tensor([3, 4]), undefined, tensor([12])], clipTo(1), { want: { norm: 13 } }),
      unit("located past absent ones", [null, tensor([1]), undefined, raw([0, 0x7fc00000])], clipTo(1)),
    ],
  },
  {
    name: "empty gradients count nothing",
    units: () => [
      unit("views of no elements", packed([randomBits(3, 1), new Uint32Array(0), randomBits(3, 2)], 256), clipTo(1)),
      unit("buffers of no bytes", [raw([]), tensor([3, 4]), raw([])], clipTo(1), { want: { norm: 5 } }),
      unit("nothing else", [raw([]), raw([])], clipTo(1), { want: { norm: 0, scale: 1, clipped: false } }),
    ],
  },
  {
    name: "gradients by name",
    units: () => {
      const tensors = [tensor([3], { name: "dense/kernel" }), tensor([4], { name: "dense/bias" })];
      const bad = [tensor([3], { name: "a" }), null, tensor([4, Number.NaN], { name: "b" })];
      return [
        unit("clipped", tensors, clipTo(1), { named: true, want: { norm: 5, values: [[0.6], [0.8]] } }),
        unit("NaN in the last", bad, clipTo(1), { named: true, want: { nonFinite: 1 } }),
        unit("NaN in the last, named by the views", bad, clipTo(1)),
      ];
    },
  },
];
