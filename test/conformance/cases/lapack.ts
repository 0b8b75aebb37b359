/**
 * The values of LAPACK's test of snrm2 (BLAS/TESTING/sblat1.f, SB1NRM2): every pair of extreme magnitudes, the first as the first
 * element and the second times random numbers as the others. Judged more strictly than there: 2 ULP, and all that clipping does.
 */
import { clipTo, guarded, range, unit } from "../build.ts";
import { bitsOf, FLT_MAX, floatsOf, MIN_NORMAL, MIN_SUBNORMAL, randomSource } from "../numbers.ts";
import type { Case, Unit } from "../types.ts";

const ULP = 2 ** -23;
const SMALL = 2 ** -103;
const BIG = 2 ** 103;
const LAPACK_VALUES = [0, 2 * MIN_NORMAL, SMALL, ULP, 1, 1 / ULP, BIG, 2 ** 126, Infinity, NaN];
const EXTENDED_VALUES = [
  ...[0, MIN_SUBNORMAL, 1e-40, MIN_NORMAL, SMALL, 1, 1e20],
  ...[BIG, FLT_MAX, Infinity, -Infinity, NaN, -1.5],
];
// Bounds far apart, so that the same magnitudes are clipped here and left alone there.
const BOUNDS = [0.75, 2 ** -110, 1e30];
const SIGNALLING_NAN = 0x7f800001;

/** As LAPACK does it: what is above 1 is halved, and the second value is divided by the square root of the length too. */
function lapackPoint(first: number, second: number, length: number, random: () => number): Uint32Array {
  const halved = (value: number) => (Math.abs(value) > 1 ? value / 2 : value);
  const others = halved(second) / (Math.abs(second) > 1 ? Math.sqrt(length) : 1);
  return point(halved(first), others, length, random);
}

function point(first: number, second: number, length: number, random: () => number): Uint32Array {
  const values = new Float32Array(length).map((_, index) => (index === 0 ? first : second * random()));
  return new Uint32Array(values.buffer);
}

function withPayload(bits: Uint32Array, payload: number): Uint32Array {
  return bits.map((word, index) => (Number.isNaN(floatsOf(bits)[index]) ? payload : word));
}

function lapackUnits(length: number): Unit[] {
  const random = randomSource(length);
  return LAPACK_VALUES.flatMap((first) => {
    return LAPACK_VALUES.map((second) => {
      const bits = lapackPoint(first, second, length, random);
      return unit(`N = ${length}, (${first}, ${second})`, [guarded(bits)], clipTo(0.75));
    });
  });
}

function extendedUnits(length: number): Unit[] {
  const random = randomSource(1000 + length);
  return EXTENDED_VALUES.flatMap((first, i) => {
    return EXTENDED_VALUES.map((second, j) => {
      const bits = withPayload(point(first, second, length, random), j % 2 ? SIGNALLING_NAN : bitsOf(NaN));
      const bound = BOUNDS[(i + j) % BOUNDS.length] as number;
      // Where the norm is the first value exactly, the decision is exact too.
      const exact = length === 1;
      return unit(`N = ${length}, (${first}, ${second}), bound ${bound}`, [guarded(bits)], clipTo(bound), { exact });
    });
  });
}

export const cases: Case[] = [
  ...range(4, 1).map((length) => ({ name: `snrm2 grid, N = ${length}`, units: () => lapackUnits(length) })),
  ...[1, 2, 5, 1000].map((length) => ({ name: `extended grid, N = ${length}`, units: () => extendedUnits(length) })),
];
