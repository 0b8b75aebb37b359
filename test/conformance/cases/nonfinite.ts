/** NaN and infinities: found wherever they are, whatever their payload, counted, and located in the caller's own order. */
import { clipTo, filled, measured, packed, range, raw, tensor, unit } from "../build.ts";
import { bitsFrom, randomBits } from "../numbers.ts";
import type { Case, Tensor, Unit, UnitOptions } from "../types.ts";

const PLUS_INFINITY = 0x7f800000;
const MINUS_INFINITY = 0xff800000;
const NAN_KINDS = [0x7fc00000, 0x7f800001, 0xffffffff, 0x7fbfffff];
const KINDS = [...NAN_KINDS, PLUS_INFINITY, MINUS_INFINITY];
const POLICIES = ["zero", "keep", "propagate"] as const;

const LENGTH = 12_291;
const POSITIONS = [
  ...[0, 1, 2, 3, 4, 63, 64, 255, 256, 1023, 1024, 1025, 2047, 2048],
  ...[4095, 4096, 4097, 8191, 8192, 8193, 12_287, 12_288, 12_289],
  ...[LENGTH - 2, LENGTH - 1],
];

function withWords(length: number, seed: number, words: Readonly<Record<number, number>>): Uint32Array {
  const bits = randomBits(length, seed);
  for (const [at, word] of Object.entries(words)) bits[Number(at)] = word;
  return bits;
}

function alone(kind: number, at: number, options: UnitOptions): Unit {
  const bits = withWords(LENGTH, at, { [at]: kind });
  const label = `0x${kind.toString(16)} at ${at}, ${options.nonFinite ?? "default"}`;
  return unit(label, packed([bits], 256), clipTo(1), { options });
}

/** Four tensors of which the given ones hold bad values. */
function fourTensors(bad: Readonly<Record<number, Record<number, number>>>): Uint32Array[] {
  return range(4).map((index) => withWords(700 + index, index, bad[index] ?? {}));
}

const SEVERAL = fourTensors({
  1: { 699: PLUS_INFINITY, 3: MINUS_INFINITY },
  2: { 0: 0x7fc00000 },
  3: { 5: 0xffffffff, 6: 0x7f800001, 702: PLUS_INFINITY },
});

function ownBuffers(list: readonly Uint32Array[]): Tensor[] {
  return list.map((bits) => ({ bits }));
}

export const cases: Case[] = [
  ...KINDS.map((kind) => ({
    name: `0x${kind.toString(16)} at the edges of tiles and workgroups`,
    units: () => POSITIONS.map((at, index) => alone(kind, at, { nonFinite: POLICIES[index % 3] })),
  })),
  {
    name: "every policy for every kind in a short tensor",
    units: () => {
      return POLICIES.flatMap((nonFinite) => {
        return KINDS.flatMap((kind) => [
          unit(`0x${kind.toString(16)}, ${nonFinite}`, [raw([0x3f800000, kind, 0xbf800000])], clipTo(1), {
            options: { nonFinite },
          }),
        ]);
      });
    },
  },
  {
    name: "zero is what happens when nothing is asked for",
    units: () => [
      unit("NaN", [tensor([1, Number.NaN]), tensor([5])], clipTo(1), {
        want: { norm: Number.NaN, scale: 0, clipped: false, nonFinite: 1, values: [[0, 0], [0]] },
      }),
      unit("infinity", [tensor([1, Infinity]), tensor([5])], clipTo(1), {
        want: { norm: Infinity, scale: 0, clipped: false, nonFinite: 1, values: [[0, 0], [0]] },
      }),
    ],
  },
  {
    name: "several at once: counted, and the first in the list's order found",
    units: () => [
      unit("own buffers", ownBuffers(SEVERAL), clipTo(1), { want: { nonFinite: 6, norm: Number.NaN } }),
      unit("one arena", packed(SEVERAL, 4), clipTo(1), { want: { nonFinite: 6 } }),
      unit("one arena, listed backwards", packed(SEVERAL, 4).reverse(), clipTo(1), { want: { nonFinite: 6 } }),
      unit(
        "one arena, shuffled",
        [3, 0, 2, 1].map((k) => packed(SEVERAL, 4)[k]),
        clipTo(1),
      ),
      unit("between absent ones", [null, ...ownBuffers(SEVERAL).flatMap((item) => [item, undefined])], clipTo(1)),
      unit("beside empty ones", [raw([]), ...ownBuffers(SEVERAL)], clipTo(1)),
      unit("in the last of 50 tensors", [...range(49).map(() => tensor([1, 2])), raw([0, PLUS_INFINITY])], clipTo(1)),
      unit(
        "in the first and in the last of 50",
        [raw([0, 0, 0x7fc00000]), ...range(48).map(() => tensor([1])), raw([PLUS_INFINITY])],
        clipTo(1),
      ),
    ],
  },
  {
    name: "the first of many in one tensor",
    units: () => [
      unit("a thousand NaN", [filled(1000, Number.NaN)], clipTo(1), { want: { nonFinite: 1000 } }),
      unit("100,000 infinities", [filled(100_000, Infinity)], clipTo(1), {
        want: { nonFinite: 100_000, norm: Infinity },
      }),
      unit("the second half", [tensor(range(20_000).map((k) => (k < 9999 ? 1 : Number.NaN)))], clipTo(1), {
        want: { nonFinite: 10_001 },
      }),
    ],
  },
  {
    name: "infinities of both signs, and NaN beside them in both orders",
    units: () => [
      unit("+ and -", [tensor([Infinity, -Infinity])], clipTo(1), { want: { norm: Infinity, maxAbs: Infinity } }),
      unit("- and +, far apart", [raw(withWords(9000, 1, { 5: MINUS_INFINITY, 8999: PLUS_INFINITY }))], clipTo(1), {
        want: { norm: Infinity },
      }),
      unit("infinity, NaN", [tensor([Infinity, Number.NaN])], clipTo(1), {
        want: { norm: Number.NaN, maxAbs: Number.NaN },
      }),
      unit("NaN, infinity", [tensor([Number.NaN, Infinity])], clipTo(1), {
        want: { norm: Number.NaN, maxAbs: Number.NaN },
      }),
      unit("in two tensors", [tensor([Infinity]), tensor([Number.NaN])], clipTo(1), {
        want: { norm: Number.NaN, nonFinite: 2 },
      }),
    ],
  },
  {
    name: "measured: seen, and nothing changes",
    units: () => KINDS.map((kind) => unit(`0x${kind.toString(16)}`, [raw([kind, 0x3f800000])], measured())),
  },
  {
    name: "guards and neighbours that are NaN are not seen",
    units: () => [
      unit("around views", packed([randomBits(5, 1), randomBits(6, 2)], 256, 12), clipTo(1), {
        want: { nonFinite: 0 },
      }),
      unit("a NaN view that is not listed", [packed([bitsFrom([1, 2]), bitsFrom([Number.NaN, 1])], 256)[0]], clipTo(1)),
    ],
  },
];
