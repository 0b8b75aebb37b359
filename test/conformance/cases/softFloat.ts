/** Roots, quotients and products of the integer arithmetic, bit for bit, where rounding is hardest. */
import { range } from "../build.ts";
import { fail } from "../expect.ts";
import { randomSource } from "../numbers.ts";
import { OPERATIONS, type Pair, type Soft, softFloatsOf, wantedOf } from "../softFloat.ts";
import { type Input, wrongResults } from "../softSums.ts";
import type { Case, WebGpuHarness } from "../types.ts";

const TOP = 2 ** 31;

function randomIntegers(seed: number): (below: number) => number {
  const random = randomSource(seed);
  // One number has 24 digits.
  return (below) => Math.floor(((Math.abs(random()) + Math.abs(random()) / 2 ** 24) % 1) * below);
}

/** With the top bit of 32 set. */
function moved(value: number): number {
  return value * 2 ** Math.clz32(value);
}

/** Few bits times 25, the last of them 1: in the middle between two numbers of 24 bits, and one unit beside it. */
function quotientTies(): Pair[] {
  const random = randomIntegers(1);
  return range(200).flatMap((k) => {
    const few = [1, 3, 5, 7][k % 4] as number;
    const odd = 2 ** 24 + 2 * random(2 ** 23) + 1;
    const middle = few * odd;
    // Numbers of 28 bits, so that none is lost.
    const unit = 2 ** (28 - Math.ceil(Math.log2(middle + 2)));
    return [-1, 0, 1].map((off): Pair => [moved(middle * unit + off), moved(few), -40 + (k % 80)]);
  });
}

/** Of the first step of a division, or of both, the remainder is as large or as small as it can be. */
function quotientEnds(): Pair[] {
  const random = randomIntegers(6);
  return range(300).flatMap((k) => {
    // Of 28 digits, as the dividend.
    const divisor = BigInt(2 ** 27 + 2 * random(2 ** 26) + 1);
    const digits = k % 2 ? 12n : 25n;
    const unit = inverseIn(2n ** digits, divisor);
    return [-1n, -2n, 1n].flatMap((rest): Pair[] => {
      const dividend = Number((((rest * unit) % divisor) + divisor) % divisor);
      return dividend < 2 ** 27 ? [] : [[16 * dividend, 16 * Number(divisor), k - 150]];
    });
  });
}

/** The inverse modulo an odd number, by Euclid. */
function inverseIn(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [value % modulus, modulus, 1n, 0n];
  while (b > 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  return ((x % modulus) + modulus) % modulus;
}

/** Products of which what is dropped is half a unit, one more or one less. */
function productTies(): Pair[] {
  const random = randomIntegers(2);
  return range(200).flatMap((k) => {
    const [bits, half] = k % 2 ? [24, 2 ** 23] : [23, 2 ** 22];
    const a = 2 ** 23 + 2 * random(2 ** 22) + 1;
    const near = [-4096, -1, 1, 4096].map((off) => {
      const modulus = 2n ** BigInt(bits);
      const low = (inverse(BigInt(a), modulus) * BigInt(half + off)) % modulus;
      return Number(low < 2n ** 23n ? low + 2n ** 23n : low);
    });
    const few = 17 + 2 * random(7);
    const exact: Pair = [moved(2 ** 20 + 2 * random(2 ** 19) + 1), moved(few), k - 100];
    return [exact, ...near.map((b): Pair => [moved(a), moved(b), k - 100])];
  });
}

/** The inverse of an odd number modulo a power of two, by Newton. */
function inverse(odd: bigint, modulus: bigint): bigint {
  let found = 1n;
  for (let i = 0; i < 6; i++) found = (found * (2n - odd * found)) % modulus;
  return ((found % modulus) + modulus) % modulus;
}

/** Nearest to the squares of 25 bits, the last of them 1; squares of 16 bits; both ends of the range. */
function rootTies(): Pair[] {
  const random = randomIntegers(3);
  const middles = range(200).flatMap((k) => {
    const odd = BigInt(2 ** 24 + 2 * random(2 ** 23) + 1);
    const bits = (odd * odd).toString(2).length;
    const square = Number((odd * odd) >> BigInt(bits - 32));
    // The root of a number with an odd exponent is another one.
    return [0, 1].map((off): Pair => [square + off, TOP, 2 * k - 200 + (bits & 1)]);
  });
  const exact = range(200).map((k): Pair => {
    const square = (2 ** 15 + random(2 ** 15)) ** 2;
    return [square < TOP ? 2 * square : square, TOP, 2 * k - 200 - (square < TOP ? 1 : 0)];
  });
  const ends = range(32).flatMap((k): Pair[] => [
    [TOP + k, 2 ** 32 - 1 - k, k - 16],
    [2 ** 32 - 1 - k, TOP + k, k - 16],
  ]);
  return [...middles, ...exact, ...ends];
}

function randomPairs(count: number): Pair[] {
  const random = randomIntegers(4);
  // Numbers of few digits and of many.
  const mantissa = (k: number) => moved(Math.floor((TOP + random(TOP)) / 2 ** ((k * 7) % 32)));
  return range(count).map((k): Pair => [mantissa(k), mantissa(k + 3), random(80) - 40]);
}

/** Subnormal float32s and their neighbours, and what rounds to them; both ends of the range; zeros with an exponent; sums near and far. */
function conversions(): Input[] {
  const random = randomIntegers(5);
  const mantissa = (k: number) => (k % 11 === 10 ? 0 : moved(Math.floor((TOP + random(TOP)) / 2 ** ((k * 7) % 32))));
  const ends = [1, 2, 2 ** 22, 2 ** 23 - 1, 2 ** 23, 2 ** 23 + 1, 2 ** 31 - 2 ** 23 - 1];
  const bits = (k: number) => ends[k % 12] ?? (k % 12 === 7 ? 0 : random(2 ** 31 - 2 ** 23));
  const signed = (k: number) => bits(k) + (k % 2 ? TOP : 0);
  const atRandom = range(4000).map((k): Input => {
    const near = [1, 3, 31, 32, 33, 63, 64, 65, 200][k % 9] as number;
    const exponent = random(2 * near + 1) - near;
    return { bits: signed(k), a: [mantissa(k), exponent], b: [mantissa(k + 3), 0], c: [mantissa(k + 5), -exponent] };
  });
  // Of each exponent that a float32 has, and some beyond: a tie that goes to even, one that does not, and what is beside a tie.
  const rounded = range(24).flatMap((digits) => {
    const half = 2 ** (30 - digits);
    return [TOP + half, TOP + 3 * half, TOP + half + 256, TOP + 2 * half - 256, 2 ** 32 - 256].flatMap((value) =>
      [-183, -182, -181 + digits, -157 - digits, -158, -157, 95, 96, 97].map((exponent): Input => {
        const even: Soft = [Math.min(value, 2 ** 32 - 256), exponent];
        return { bits: 1, a: even, b: [TOP, exponent], c: [0, 700] };
      }),
    );
  });
  const ofRounding = range(200).map((k): Input => {
    const rest = [0, 1, 127, 128, 129, 255][k % 6] as number;
    const kept = k % 5 === 4 ? 2 ** 24 - 1 : 2 ** 23 + random(2 ** 23);
    return { bits: 2 ** 31, a: [256 * kept + rest, k - 100], b: [256 * kept + rest, k - 101], c: [TOP, k - 100] };
  });
  const zeros: Input[] = [{ bits: TOP, a: [0, 5], b: [0, 900], c: [0, -7] }];
  return [...atRandom, ...rounded, ...ofRounding, ...zeros];
}

async function compare(harness: WebGpuHarness, pairs: readonly Pair[], ulps: number): Promise<void> {
  const found = await softFloatsOf(harness, pairs, ulps);
  const wrong = pairs.flatMap((pair, i) => {
    const wanted = wantedOf(pair);
    return OPERATIONS.flatMap((operation, k) => {
      const [got, want] = [found[i]?.[k], wanted[k]];
      return `${got}` === `${want}` ? [] : [`${operation} of ${pair} is ${got}, wanted ${want}`];
    });
  });
  if (wrong.length > 0)
    fail(`${wrong.length} wrong, estimates off by ${ulps} ULP:\n  ${wrong.slice(0, 5).join("\n  ")}`);
}

export const cases: Case[] = [
  {
    name: "roots, quotients and products in the middle between two numbers, beside it, and at random",
    gpuScript: async (harness) => {
      await compare(
        harness,
        [...quotientTies(), ...quotientEnds(), ...productTies(), ...rootTies(), ...randomPairs(3000)],
        0,
      );
    },
  },
  {
    name: "the same with estimates some ULP too large or too small",
    gpuScript: async (harness) => {
      const pairs = [...quotientTies(), ...quotientEnds(), ...rootTies(), ...randomPairs(1000)];
      for (const ulps of [-5, 5]) await compare(harness, pairs, ulps);
    },
  },
  {
    name: "conversions, comparisons and sums",
    gpuScript: async (harness) => {
      const inputs = conversions();
      const wrong = await wrongResults(harness, inputs);
      if (wrong.length > 0) fail(`${wrong.length} wrong:\n  ${wrong.slice(0, 5).join("\n  ")}`);
    },
  },
];
