/** Every length up to four workgroups and around 2^16: no tail may be lost, and nothing beside the range may change. */
import { clipTo, guarded, range, unit } from "../build.ts";
import { GUARD_BYTES } from "../memory.ts";
import { randomBits } from "../numbers.ts";
import type { Case, Unit } from "../types.ts";

const LENGTHS_A_CASE = 128;
const LAST_LENGTH = 1025;

function lengthUnit(length: number, byteOffset: number): Unit {
  const bits = randomBits(length, length);
  // The last element alone is large, so that a lost tail shows in the norm as well as in the bytes.
  bits[length - 1] = 0x41200000;
  return unit(`${length} elements at byte ${byteOffset}`, [guarded(bits, byteOffset)], clipTo(2));
}

export const cases: Case[] = [
  ...range(Math.ceil(LAST_LENGTH / LENGTHS_A_CASE)).map((part) => {
    const first = part * LENGTHS_A_CASE + 1;
    const count = Math.min(LENGTHS_A_CASE, LAST_LENGTH - first + 1);
    return {
      name: `lengths ${first} to ${first + count - 1} between guards`,
      units: () => range(count, first).map((length) => lengthUnit(length, GUARD_BYTES)),
    };
  }),
  {
    name: "lengths 1 to 70 from a word that no vector starts at",
    units: () => range(70, 1).map((length) => lengthUnit(length, GUARD_BYTES + 4 * (1 + (length % 3)))),
  },
  {
    name: "lengths around 2^16 between guards",
    units: () => [65_535, 65_536, 65_537].map((length) => lengthUnit(length, GUARD_BYTES)),
  },
  {
    name: "buffers that are exactly as long as their gradient",
    units: () => {
      return [...range(20, 1), 63, 64, 65, 255, 256, 257, 1023, 4095, 4097, 16_385].map((length) => {
        return unit(`${length} elements`, [{ bits: randomBits(length, length) }], clipTo(0.25));
      });
    },
  },
  {
    name: "a logical length shorter than a padded buffer",
    units: () => {
      return [1, 3, 61, 64, 1000].map((length) => {
        return unit(`${length} elements`, [guarded(randomBits(length, length), 0)], clipTo(0.25));
      });
    },
  },
];
