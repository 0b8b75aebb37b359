/** Every value clipped by itself. */
import { clampTo, filled, guarded, packed, range, raw, tensor, unit } from "../build.ts";
import { bits16From, bitsFrom, FLT_MAX, floatsOf, MIN_NORMAL, neighbour, randomBits } from "../numbers.ts";
import type { Bits, Case, Dtype, Tensor, Unit } from "../types.ts";
import { anyBits, held, INFINITIES, layoutsOf, NAN_KINDS, specials } from "../valueBits.ts";

const RANGES: [number, number][] = [
  ...[1, 2.5, 0.1, 1e-3, 1e20, FLT_MAX, MIN_NORMAL].map((limit): [number, number] => [-limit, limit]),
  ...([
    [5, 10],
    [-10, -5],
    [-1, 3],
    [-3, 1],
    [0, 5],
    [-5, 0],
    [0, 0],
    [3, 3],
    [-1e-3, 1e30],
  ] as [number, number][]),
  ...([
    [-Infinity, 1],
    [-Infinity, -2],
    [-1, Infinity],
    [4, Infinity],
    [-Infinity, Infinity],
  ] as [number, number][]),
];

function around(min: number, max: number): Unit[] {
  return layoutsOf(specials(min, max)).flatMap(([layout, tensors]) => [
    unit(layout, tensors, clampTo(min, max)),
    unit(`${layout}, scaled by 2`, tensors, clampTo(min, max), { options: { gradScale: 2 } }),
    unit(`${layout}, scaled by 0.3`, tensors, clampTo(min, max), { options: { gradScale: 0.3 } }),
  ]);
}

function scaled(values: number[], gradScale: number, limit: number): Unit {
  return unit(`${values} times ${gradScale} to ${limit}`, [tensor(values)], clampTo(-limit, limit), {
    options: { gradScale },
  });
}

/** The same bits as 16-bit numbers, which are then of every kind. */
function halves(bits: Uint32Array): Uint16Array {
  return new Uint16Array(bits.buffer, bits.byteOffset, 2 * bits.length);
}

function in16Bits(dtype: "f16" | "bf16"): Unit[] {
  const bits = halves(anyBits(500, 3));
  const of = (list: Bits, byteOffset: number) => guarded(list, byteOffset, "arena", dtype);
  const into = (byteOffset: number) => ({ memory: "target", byteOffset });
  const limits: [number, number][] = [
    [-1, 1],
    [-0.1, 0.1],
    [0.1, 0.1],
    [5, 10],
    [-1e6, -1e5],
    [-1e30, 1e30],
    [-Infinity, 3],
  ];
  return limits.flatMap(([min, max]) =>
    [undefined, 2, 0.3].flatMap((gradScale) => {
      const options = gradScale ? { options: { gradScale } } : {};
      const rule = clampTo(min, max);
      const label = `[${min}, ${max}] times ${gradScale ?? 1}`;
      return [
        unit(`${label}, on 16 bytes`, [of(bits, 256)], rule, options),
        unit(`${label}, odd start and end`, [of(bits.subarray(0, 777), 258)], rule, options),
        unit(`${label}, into`, [{ ...of(bits.subarray(0, 501), 256), into: into(512) }], rule, options),
        unit(
          `${label}, into, half a word off`,
          [{ ...of(bits.subarray(0, 501), 258), into: into(512) }],
          rule,
          options,
        ),
      ];
    }),
  );
}

const MIXED: readonly Dtype[] = ["f32", "f16", "bf16"];

export const cases: Case[] = [
  {
    name: "by hand",
    units: () => [
      unit("[-3, 0.5, 2] to 1", [tensor([-3, 0.5, 2])], clampTo(-1, 1), {
        want: { norm: 3, maxAbs: 3, scale: 1, clipped: true, nonFinite: 0, values: [[-1, 0.5, 1]] },
      }),
      unit("at the limits", [tensor([-1, 1])], clampTo(-1, 1), { want: { clipped: false, values: [[-1, 1]] } }),
      unit("all below [5, 10]", [tensor([0, -8, 4.5])], clampTo(5, 10), {
        want: { clipped: true, values: [[5, 5, 5]] },
      }),
      unit("limit 0", [tensor([3, -3, 1e-45])], clampTo(0, 0), { want: { clipped: true, values: [[0, 0, 0]] } }),
      unit("NaN stays, infinities go to the limits", [tensor([Number.NaN, Infinity, -Infinity])], clampTo(-2, 3), {
        want: { norm: Number.NaN, clipped: true, nonFinite: 3, values: [[Number.NaN, 3, -2]] },
      }),
      unit("one-sided", [tensor([-Infinity, -9, 9, Infinity])], clampTo(-Infinity, 1), {
        want: { norm: Infinity, clipped: true, nonFinite: 2, values: [[-Infinity, -9, 1, 1]] },
      }),
      unit("gradScale first", [tensor([6, -8, 1])], clampTo(-3, 3), {
        options: { gradScale: 0.5 },
        want: { norm: 4, maxAbs: 4, scale: 0.5, clipped: true, values: [[3, -3, 0.5]] },
      }),
    ],
  },
  ...RANGES.map(([min, max]) => ({
    name: `specials around [${min}, ${max}], in every layout, scaled and not`,
    units: () => around(min, max),
  })),
  {
    name: "inside the limits no byte changes",
    units: () => [
      unit("zeros and subnormals", [raw([0x80000000, 1, 0x80000001, 0x807fffff, 0])], clampTo(-1, 1), {
        want: { clipped: false },
      }),
      unit("-0 at limit 0", [raw([0x80000000, 0])], clampTo(0, 0), { want: { clipped: false } }),
      unit("NaN payloads", [raw(NAN_KINDS)], clampTo(0, 0), { want: { clipped: false, nonFinite: 5 } }),
      unit("any bits, no limits", [raw(anyBits(5000, 1))], clampTo(-Infinity, Infinity), { want: { clipped: false } }),
    ],
  },
  {
    name: "one value just above the limit among many at it",
    units: () =>
      [1, -1].map((sign) => {
        const bits = bitsFrom(Array<number>(5000).fill(sign));
        bits.set(bitsFrom([sign * neighbour(1, 1)]), 1234);
        return unit(`${sign}`, [raw(bits)], clampTo(-1, 1), { want: { clipped: true } });
      }),
  },
  {
    name: "any bits, at random limits",
    units: () =>
      range(60).map((seed) => {
        const [a, b] = [...floatsOf(randomBits(2, seed, 2 ** ((seed % 31) - 15)))].sort((x, y) => x - y) as [
          number,
          number,
        ];
        const [, tensors] = layoutsOf(anyBits(900, seed))[seed % 5] as [string, Tensor[]];
        return unit(`seed ${seed}`, tensors, clampTo(a, b), {
          options: seed % 3 ? {} : { gradScale: 2 ** (seed % 40) },
        });
      }),
  },
  ...[256, 260, 264, 268].map((offset) => ({
    name: `lengths 1 to 300 at byte ${offset}, between guards`,
    units: () =>
      range(300, 1).map((length) => unit(`${length}`, [guarded(anyBits(length, length), offset)], clampTo(-1, 1))),
  })),
  {
    name: "1, 9 and 100 gradients",
    units: () =>
      [1, 9, 100].flatMap((count) => {
        const list = range(count).map((k) => anyBits(1 + ((k * 37) % 200), k));
        const places = packed(list, 260, 12);
        const into = (k: number) => ({ memory: "target", byteOffset: 1024 * k });
        return [
          unit(
            `${count} buffers`,
            list.map((bits) => ({ bits })),
            clampTo(-1, 1),
          ),
          unit(`${count} in one buffer`, places, clampTo(-1, 1)),
          unit(
            `${count} adjacent, with names`,
            packed(list).map((item, k) => ({ ...item, name: `w${k}` })),
            clampTo(-1, 1),
          ),
          unit(
            `${count} into one buffer`,
            list.map((bits, k) => ({ bits, into: into(k) })),
            clampTo(-1, 1),
          ),
          unit(
            `${count} into their own`,
            list.map((bits, k) => ({ bits, into: { memory: `t${k}`, byteOffset: 4 } })),
            clampTo(-1, 1),
          ),
          unit(
            `${count} moved within pairs`,
            places.map((item, k) => ({ ...item, into: into(k) })),
            clampTo(-1, 1),
          ),
        ];
      }),
  },
  {
    name: "PyTorch's test_clip_grad_value",
    units: () => {
      const weights = tensor(range(100, -50).map((k) => k / 5));
      const values = [range(100, -50).map((k) => Math.max(-2.5, Math.min(2.5, k / 5)))];
      const rule = clampTo(-2.5, 2.5);
      const want = { norm: 10, clipped: true };
      return [
        unit("with a bias", [weights, filled(10, 2)], rule, {
          want: { ...want, values: [...values, range(10).map(() => 2)] },
        }),
        unit("without its gradient", [weights, null], rule, { want }),
        unit("alone", [weights], rule, { want: { ...want, values } }),
      ];
    },
  },
  {
    name: "nonFinite does not matter",
    units: () =>
      (["zero", "keep", "propagate"] as const).flatMap((nonFinite) =>
        [undefined, 0.5].map((gradScale) =>
          unit(
            `${nonFinite}, ${gradScale}`,
            [raw([...NAN_KINDS, ...INFINITIES, 0x40400000]), tensor([1, 9])],
            clampTo(-2, 2),
            {
              options: { nonFinite, ...(gradScale ? { gradScale } : {}) },
              want: { scale: gradScale ?? 1, nonFinite: 7, clipped: true },
            },
          ),
        ),
      ),
  },
  {
    name: "where the first non-finite value is",
    units: () => {
      const bad = (at: number) => bitsFrom(range(9)).fill(0xffc00001, at, at + 1);
      const into = { memory: "target", byteOffset: 0 };
      const [a, b, c] = packed([bitsFrom([1, 2, 3, 4]), bad(7), bitsFrom([5, 6])]) as [Tensor, Tensor, Tensor];
      const own = { ...raw(bad(2)), into };
      const rule = clampTo(-1, 4);
      return [
        unit("in the second of three neighbours", [a, b, c], rule),
        // What stands between two neighbours in the list must not shift the place that is told.
        unit("neighbours with another between them", [a, { ...tensor([8, 8]), into }, b, c], rule),
        unit("neighbours with an alias between them", [a, { ...a }, b, c], rule),
        unit("the first of the list in place, another into", [b, own], rule),
        unit("the first of the list into, another in place", [own, b], rule),
        unit("backwards", [c, b, a], rule),
      ];
    },
  },
  {
    name: "a range listed twice is clipped once",
    units: () => {
      const bits = anyBits(300, 1);
      const into = (byteOffset: number) => ({ memory: "target", byteOffset });
      return [
        unit("in place, scaled", [guarded(bits), guarded(bits)], clampTo(-1, 1), { options: { gradScale: 0.5 } }),
        unit("in place, between others", [guarded(bits), tensor([7]), guarded(bits)], clampTo(-1, 1)),
        unit(
          "into one place",
          [
            { ...guarded(bits), into: into(0) },
            { ...guarded(bits), into: into(0) },
          ],
          clampTo(-1, 1),
        ),
        unit(
          "into two places",
          [
            { ...guarded(bits), into: into(0) },
            { ...guarded(bits), into: into(2048) },
          ],
          clampTo(-1, 1),
        ),
        unit("into and in place", [guarded(bits), { ...guarded(bits), into: into(0) }], clampTo(-1, 1), {
          options: { gradScale: 0.5 },
        }),
      ];
    },
  },
  {
    name: "gradScale multiplies before the clamp",
    units: () => [
      scaled([65_536, 1, -3], 1 / 65_536, 0.5),
      scaled([1e30, -1e30, 1], 1e20, 1),
      scaled([FLT_MAX, -FLT_MAX], 4, FLT_MAX),
      scaled([1e-40, -3e-42, 2], 2 ** 60, 100),
      scaled([1e-20, 1e-30, -1e-38], 1e-15, 1),
      scaled([1e-20, 1e-30], 2 ** -126, 1),
      ...[0.1, 1 / 3, 7, 1e-10, 1e10, MIN_NORMAL, FLT_MAX].map((gradScale) =>
        unit(`any bits times ${gradScale}`, [raw(anyBits(3000, 2))], clampTo(-1e5, 1e-5), { options: { gradScale } }),
      ),
      unit("beyond float32, no limit there", [tensor([1e30, -1e30])], clampTo(-1, Infinity), {
        options: { gradScale: 1e20 },
        want: { values: [[FLT_MAX, -1]], nonFinite: 0, maxAbs: FLT_MAX },
      }),
      // The smallest factor with which the largest numbers leave float32's range, and one with which smaller ones do.
      unit("just beyond float32, no limits", [tensor([FLT_MAX, 3e38, -3e38, 1, 2])], clampTo(-Infinity, Infinity), {
        options: { gradScale: 1.5 },
        want: { values: [[FLT_MAX, FLT_MAX, -FLT_MAX, 1.5, 3]], nonFinite: 0, clipped: false },
      }),
      unit("the same from smaller numbers", [tensor([1.5 * 2 ** 126, -(2 ** 125), 1])], clampTo(-1, Infinity), {
        options: { gradScale: 3 },
        want: { values: [[FLT_MAX, -1, 3]], nonFinite: 0 },
      }),
      unit("exactly at the limit", [tensor([5, -5, neighbour(5, 1)])], clampTo(-2.5, 2.5), {
        options: { gradScale: 0.5 },
        want: { values: [[2.5, -2.5, 2.5]] },
      }),
    ],
  },
  {
    name: "gradScale held in a buffer",
    only: "webgpu",
    units: () => [0.125, 1, 3, MIN_NORMAL, 1e20].flatMap((value) => held(value)),
  },
  {
    name: "a gradScale buffer with anything else makes every value NaN",
    only: "webgpu",
    units: () => [0, -1, Number.NaN, Infinity, -Infinity, 1e-40].flatMap((value) => held(value, { nonFinite: "keep" })),
  },
  {
    name: "no gradients at all",
    units: () => [
      unit("an empty list", [], clampTo(-1, 1), {
        want: { norm: 0, scale: 1, clipped: false, nonFinite: 0, maxAbs: 0 },
      }),
      unit("only absent ones", [null, undefined, raw([])], clampTo(5, 10), { want: { norm: 0, clipped: false } }),
    ],
  },
  ...(["f16", "bf16"] as const).map((dtype) => ({
    name: `${dtype}: every kind of bits, in every layout`,
    units: () => in16Bits(dtype),
  })),
  {
    name: "formats side by side",
    units: () => [
      unit(
        "one of each",
        MIXED.map((dtype): Tensor => {
          const values = [3, -0.5, 100, -7];
          return { bits: dtype === "f32" ? bitsFrom(values) : bits16From(dtype, values), dtype };
        }),
        clampTo(-2, 2.5),
        { want: { norm: 100, clipped: true, values: MIXED.map(() => [2.5, -0.5, 2.5, -2]) } },
      ),
    ],
  },
];
