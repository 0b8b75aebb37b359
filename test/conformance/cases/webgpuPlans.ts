/** Every row of the grid table, and ranges that no binding is large enough for, on whatever device this is. */
import { gridTable } from "../../../src/webgpu/grid.ts";
import { clipTo, filled, guarded, measured, packed, range, unit } from "../build.ts";
import { FLT_MAX, randomBits } from "../numbers.ts";
import { ONE_WORKGROUP, planned } from "../plans.ts";
import type { Case, Unit } from "../types.ts";

// One workgroup's tile is 1,024 words of four or sixteen bytes: lengths around one, several and many of them.
const LENGTHS = [1, 1023, 1024, 1025, 4095, 4096, 4097, 8193, 65_537];
const NAN_BITS = 0x7f800001;
const INFINITY_BITS = 0xff800000;

function withWords(bits: Uint32Array, words: readonly (readonly [number, number])[]): Uint32Array {
  for (const [at, word] of words) bits[at] = word;
  return bits;
}

/** Everything that depends on how the work is cut: sums, tails, the first non-finite value, every write. */
function whateverThePlan(): Unit[] {
  const lengths = LENGTHS.flatMap((length) => [
    unit(`${length} elements`, [guarded(randomBits(length, length))], clipTo(0.25)),
    unit(`${length} elements off 16 bytes`, [guarded(randomBits(length, length), 260)], clipTo(0.25)),
  ]);
  const list = range(40).map((index) => randomBits(1 + ((index * 613) % 5003), index + 1));
  const moved = packed(list, 4).map((item, index) => ({
    ...item,
    into: { memory: "target", byteOffset: index * 20_480 },
  }));
  const long = () => randomBits(100_003, 5);
  const bad = withWords(long(), [
    [99_999, NAN_BITS],
    [40_000, INFINITY_BITS],
    [70_000, INFINITY_BITS],
  ]);
  const last = withWords(long(), [[100_002, NAN_BITS]]);
  return [
    ...lengths,
    unit(
      "40 of their own",
      list.map((bits) => ({ bits })),
      clipTo(1),
    ),
    unit("40 adjacent", packed(list, 4), clipTo(1)),
    unit("40 adjacent, backwards", packed(list, 256).reverse(), clipTo(1)),
    unit("40 apart", packed(list, 256, 12), clipTo(1)),
    unit("40 into", moved, clipTo(1)),
    unit("40 under the bound", packed(list, 4), clipTo(1e6)),
    unit("a large one between small ones", packed([randomBits(3, 1), long(), randomBits(5, 2)], 4), clipTo(1)),
    unit("the same range twice", [guarded(long()), guarded(long())], clipTo(1)),
    unit("non-finite values far apart", [guarded(bad)], clipTo(1)),
    unit("non-finite values far apart, off 16 bytes", [guarded(bad, 268)], clipTo(1), {
      options: { nonFinite: "keep" },
    }),
    unit("the last value NaN", packed([randomBits(77, 3), last], 256), clipTo(1), {
      options: { nonFinite: "propagate" },
    }),
    unit("in two tensors, listed backwards", packed([bad, last], 256).reverse(), clipTo(1)),
    unit("in two buffers", [{ bits: last }, { bits: bad }], clipTo(1)),
    unit("FLT_MAX everywhere", [filled(70_000, FLT_MAX)], clipTo(1)),
    unit("1e-25 everywhere", [filled(70_000, 1e-25)], clipTo(1e-24)),
  ];
}

export const cases: Case[] = [
  ...Object.entries(gridTable).map(([row, grid]) =>
    planned(`the grid of ${row} devices`, { grid }, whateverThePlan, "compiler"),
  ),
  planned("a grid of one workgroup", ONE_WORKGROUP, whateverThePlan, "compiler"),
  ...[8192, 65_536].map((maxBinding) =>
    planned(`ranges cut for bindings of ${maxBinding} bytes`, { maxBinding }, whateverThePlan),
  ),
  {
    name: "a range larger than a binding of the device",
    heavy: true,
    only: "webgpu",
    units: () => [unit("130 MiB", [filled(2 ** 25 + 5003, 0.5)], measured(), { reportOnly: true })],
  },
];
