/** Roots, quotients and products of the integer arithmetic, bit for bit, where rounding is hardest. */
import { range } from "../build.ts";
import { fail } from "../expect.ts";
import { randomSource } from "../numbers.ts";
import { OPERATIONS, type Pair, softFloatsOf, wantedOf } from "../softFloat.ts";
import type { Case, WebGpuHarness } from "../types.ts";

const TOP = 2 ** 31;

function randomIntegers(seed: number): (below: number) => number {
  const random = randomSource(seed);
  return (below) => Math.floor(Math.abs(random()) * below);
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
      await compare(harness, [...quotientTies(), ...productTies(), ...rootTies(), ...randomPairs(3000)], 0);
    },
  },
  {
    name: "the same with estimates some ULP too large or too small",
    gpuScript: async (harness) => {
      const pairs = [...quotientTies(), ...rootTies(), ...randomPairs(1000)];
      for (const ulps of [-5, 5]) await compare(harness, pairs, ulps);
    },
  },
];
