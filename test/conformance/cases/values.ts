/** Values at which other systems go wrong (facts/reliability.md, section 10 A, rows 1 to 31). */
import { clipTo, filled, measured, range, raw, tensor, unit } from "../build.ts";
import { bitsFrom, FLT_MAX, MIN_NORMAL, MIN_SUBNORMAL, randomBits, randomSource } from "../numbers.ts";
import type { Case, Unit, Want } from "../types.ts";

const ROOT_HALF = Math.SQRT1_2;

function known(label: string, values: readonly number[], bound: number, want: Want, exact = false): Unit {
  return unit(label, [tensor(values)], clipTo(bound), { want, exact });
}

function manyOf(value: number, count: number, bound: number): Unit {
  return unit(`${count} times ${value}, bound ${bound}`, [filled(count, value)], clipTo(bound));
}

/** Magnitudes over the whole range in one tensor, so that all accumulators take part. */
function mixed(length: number, seed: number): Uint32Array {
  const random = randomSource(seed);
  const values = new Float32Array(length).map(() => random() * 2 ** Math.round(random() * 120));
  return new Uint32Array(values.buffer);
}

/** Magnitudes from 2^(4 step - 149) on, over 20 powers of two. */
function windowed(length: number, step: number): Uint32Array {
  const random = randomSource(step);
  const values = new Float32Array(length).map(() => random() * 2 ** (step * 4 - 149 + Math.round(10 + 10 * random())));
  return new Uint32Array(values.buffer);
}

export const cases: Case[] = [
  {
    name: "zeros",
    units: () => [
      known("bound 1", [0, 0, 0], 1, { norm: 0, scale: 1, clipped: false, maxAbs: 0 }),
      known("bound 0", [0, 0, 0], 0, { norm: 0, scale: 1, clipped: false }, true),
      unit("-0 stays -0", [raw([0x80000000, 0, 0x80000000])], clipTo(1)),
      unit("-0 stays -0 at bound 0", [raw([0x80000000, 0, 0x80000000])], clipTo(0), { exact: true }),
    ],
  },
  {
    name: "3-4-5",
    units: () => [
      known("bound 1", [3, 4], 1, { norm: 5, scale: 0.2, clipped: true, maxAbs: 4, values: [[0.6, 0.8]] }, true),
      known("bound 5", [3, 4], 5, { norm: 5, scale: 1, clipped: false, values: [[3, 4]] }, true),
      known("bound 6", [3, -4], 6, { norm: 5, scale: 1, clipped: false, values: [[3, -4]] }, true),
      known("signs do not matter", [-3, 4], 1, { norm: 5, values: [[-0.6, 0.8]] }, true),
    ],
  },
  {
    name: "squares that overflow",
    units: () => [
      known("two of 1e20", [1e20, 1e20], 1, {
        norm: Math.fround(1e20) * Math.SQRT2,
        clipped: true,
        values: [[ROOT_HALF, ROOT_HALF]],
      }),
      known(
        "four of 3e38",
        [3e38, 3e38, 3e38, 3e38],
        1,
        { norm: 2 * Math.fround(3e38), values: [[0.5, 0.5, 0.5, 0.5]] },
        true,
      ),
      known("FLT_MAX alone", [FLT_MAX], 1, { norm: FLT_MAX, maxAbs: FLT_MAX, values: [[1]] }, true),
      known("four of FLT_MAX", [FLT_MAX, FLT_MAX, FLT_MAX, FLT_MAX], 1, { norm: 2 * FLT_MAX }, true),
      manyOf(1e20, 1000, 1),
      manyOf(1e19, 128, 1),
      manyOf(FLT_MAX, 10_000, 1),
      manyOf(3e38, 70_000, 2 ** -100),
      manyOf(2 ** 52, 4096, 1e3),
    ],
  },
  {
    name: "squares that underflow",
    units: () => [
      known("four of 1e-20", [1e-20, 1e-20, 1e-20, 1e-20], 1, { norm: 2 * Math.fround(1e-20), clipped: false }, true),
      known("1e-23 clipped", [1e-23, 1e-23], 1e-24, { clipped: true, values: [[7.0710678e-25, 7.0710678e-25]] }),
      ...[1e-23, 1e-30, 1e-36].flatMap((value) => [manyOf(value, 1000, value), manyOf(value, 7, 1)]),
      manyOf(1e-38, 100, 1),
      manyOf(2 ** -64, 65_536, 2 ** -80),
    ],
  },
  {
    name: "subnormals",
    units: () => [
      known(
        "the smallest alone",
        [MIN_SUBNORMAL],
        1,
        { norm: MIN_SUBNORMAL, maxAbs: MIN_SUBNORMAL, clipped: false },
        true,
      ),
      known(
        "a thousand of the smallest",
        range(1000).map(() => MIN_SUBNORMAL),
        1,
        { norm: MIN_SUBNORMAL * Math.sqrt(1000) },
      ),
      known("the largest alone", [MIN_NORMAL - MIN_SUBNORMAL], 1, { norm: MIN_NORMAL - MIN_SUBNORMAL }, true),
      manyOf(1e-40, 3000, 1),
      ...range(12).map((seed) => {
        const source = randomSource(seed);
        const words = range(2 + seed).map(() => Math.floor(Math.abs(source()) * 2 ** (23 - seed)));
        return unit(`a norm that is subnormal, ${seed}`, [raw(words)], clipTo(1));
      }),
      known("1e-40 beside what is clipped", [1e-40, 10, 1e-40], 1, { clipped: true }),
      known("results that are subnormal", [1, 1, 1e-38], 1e-37, { clipped: true }),
      manyOf(1e-38, 1000, 1.5 * MIN_NORMAL),
      unit("unclipped: every bit stays", [raw(range(64).map((k) => (k % 2 ? 0x80000001 : 1) + k))], clipTo(1)),
    ],
  },
  {
    name: "a large gradScale over subnormals",
    units: () => [
      unit("2^60", [tensor([1e-40, 3e-42, 2])], clipTo(FLT_MAX), { options: { gradScale: 2 ** 60 } }),
      unit("2^60, clipped", [tensor([1e-40, 3e-42])], clipTo(2 ** -80), { options: { gradScale: 2 ** 60 } }),
    ],
  },
  {
    name: "extremes together",
    units: () => [
      known("1e30 and 1e-30", [1e30, 1e-30, 1e-30], 1, { norm: Math.fround(1e30), values: [[1, 0, 0]] }),
      known("2^-62 beside 2^-64", [2 ** -62, ...range(65_535).map(() => 2 ** -64)], 1, {
        norm: 2 ** -64 * Math.sqrt(65_551),
      }),
      known("2^46 beside 2^45", [2 ** 46, ...range(4095).map(() => 2 ** 45)], 1, { norm: 2 ** 45 * Math.sqrt(4099) }),
      ...range(6).map((seed) => unit(`random exponents ${seed}`, [{ bits: mixed(5000, seed) }], clipTo(1))),
      ...[46, -40, -42, -48, -63]
        .map((power) => 2 ** power)
        .map((edge) => {
          const values = [edge * (1 - 2 ** -24), edge, edge * (1 + 2 ** -23)];
          return unit(`around ${edge}`, [tensor(range(999).map((k) => values[k % 3] as number))], clipTo(edge));
        }),
    ],
  },
  {
    name: "a window of 20 powers of two, over the whole range",
    units: () =>
      range(64).map((step) => unit(`from 2^${step * 4 - 149}`, [{ bits: windowed(700, step) }], clipTo(1e-20))),
  },
  {
    name: "one element",
    units: () => {
      return [1e-45, 1e-38, 1e-10, 0.1, 1, 7, 1e10, 1e38].flatMap((value) => {
        const norm = Math.fround(value);
        return [
          known(`${value}`, [value], FLT_MAX, { norm, scale: 1 }, true),
          known(`-${value}`, [-value], FLT_MAX, { norm }, true),
        ];
      });
    },
  },
  {
    name: "alternating signs",
    units: () => [
      unit("10,000 of 0.5", [tensor(range(10_000).map((k) => (k % 2 ? 0.5 : -0.5)))], clipTo(1), {
        want: { norm: 50 },
      }),
    ],
  },
  {
    name: "unclipped bytes stay as they are, whatever they hold",
    units: () => [
      unit(
        "random bits of finite values",
        [{ bits: randomBits(5000, 3).map((word) => word & 0xbfffffff) }],
        clipTo(FLT_MAX),
      ),
      unit("measured", [{ bits: randomBits(5000, 4) }], measured()),
    ],
  },
  {
    name: "vectors of stdlib's snrm2, compared in earnest",
    units: () => [
      unit("[1, -2, -4, 5, 0, 3]", [tensor([1, -2, -4, 5, 0, 3])], measured(), { want: { norm: Math.sqrt(55) } }),
      unit("9e-20, 9e-20, 1.2e-19", [tensor([9e-20, 9e-20, 1.2e-19])], measured(), {
        want: { norm: 1.7492855684535901e-19 },
      }),
      unit("1e-20 four times", [tensor([1e-20, 1e-20, 1e-20, 1e-20])], measured(), {
        want: { norm: 1.999999936531045e-20 },
      }),
      unit("1e20 and 1e5", [tensor([1e20, 1e5, 1e20, 1e5])], measured(), { want: { norm: 141421358199525600000 } }),
      unit("1e-20 and 1e5", [tensor([1e-20, 1e5, 1e-20, 1e5])], measured(), { want: { norm: 141421.359375 } }),
      unit("1.4e-19, 1.5e-19", [tensor([1.4e-19, 1.5e-19, 1.4e-19, 0])], measured(), {
        want: { norm: 2.4839484162537295e-19 },
      }),
    ],
  },
  {
    name: "float32 patterns of every exponent",
    units: () => {
      return range(254, 1).map((exponent) => {
        const bits = bitsFrom([1, -1.25, 1.999]).map((word) => (word & 0x807fffff) | (exponent << 23));
        return unit(`exponent ${exponent - 127}`, [{ bits }], clipTo(1e-3));
      });
    },
  },
];
