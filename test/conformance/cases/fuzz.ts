/** Seeded random lists: layouts, duplicates, destinations, options and values that nobody thought of together. */
import { clipTo, range, unit } from "../build.ts";
import { randomSource } from "../numbers.ts";
import { summarise } from "../reference.ts";
import type { Case, Tensor, Unit, UnitOptions } from "../types.ts";

const LISTS_A_CASE = 40;
const GAPS = [0, 0, 4, 8, 12, 16, 240, 252, 256, 260];
const LENGTHS = [1, 2, 3, 4, 5, 8, 31, 64, 65, 100, 255, 256, 257, 600, 1024, 3001];
const BAD_WORDS = [0x7fc00000, 0x7f800001, 0xffffffff, 0x7f800000, 0xff800000];

class Dice {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomSource(seed);
  }

  below(count: number): number {
    return Math.floor(((this.#random() + 1) / 2) * count);
  }

  chance(probability: number): boolean {
    return this.below(1000) < probability * 1000;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  shuffled<T>(list: readonly T[]): T[] {
    const left = [...list];
    return list.flatMap(() => left.splice(this.below(left.length), 1));
  }

  value(magnitude: number): number {
    return this.#random() * magnitude;
  }
}

/** Hands out places one after the other in a few memories. */
class Memories {
  readonly #next = new Map<string, number>();
  readonly #dice: Dice;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  place(memory: string, bytes: number) {
    const byteOffset = (this.#next.get(memory) ?? 0) + this.#dice.of(GAPS);
    this.#next.set(memory, byteOffset + bytes);
    return { memory, byteOffset };
  }
}

function randomTensor(dice: Dice, memories: Memories, magnitude: number): Tensor {
  const length = dice.chance(0.05) ? 0 : dice.of(LENGTHS);
  const values = new Float32Array(length).map(() => dice.value(magnitude));
  const bits = new Uint32Array(values.buffer);
  const place = dice.chance(0.7) ? { place: memories.place(dice.of(["left", "right"]), bits.byteLength) } : {};
  const into = dice.chance(0.25) ? { into: memories.place(dice.of(["there", "elsewhere"]), bits.byteLength) } : {};
  return { bits, ...place, ...into };
}

/** The same range again: as it is, or into a place of its own. */
function again(tensor: Tensor, dice: Dice, memories: Memories): Tensor {
  if (!tensor.into && dice.chance(0.5)) return tensor;
  return { ...tensor, into: memories.place("there", tensor.bits.byteLength) };
}

function randomList(dice: Dice): (Tensor | null)[] {
  const memories = new Memories(dice);
  const magnitude = dice.of([1, 1, 1, 1e-3, 1e20, 1e-25, 3e38]);
  const list: (Tensor | null)[] = range(1 + dice.below(24)).map(() => randomTensor(dice, memories, magnitude));
  for (const tensor of [...list]) {
    if (tensor?.place && dice.chance(0.15)) list.push(again(tensor, dice, memories));
  }
  if (dice.chance(0.3)) list.splice(dice.below(list.length), 0, null);
  // Not in the order of their addresses.
  return dice.chance(0.5) ? dice.shuffled(list) : list;
}

/** Writes into the words of one tensor; a duplicate shares them. */
function spoil(list: readonly (Tensor | null)[], dice: Dice): void {
  const bits = dice.of(list.filter((tensor) => tensor !== null && tensor.bits.length > 0))?.bits;
  for (const _ of range(bits ? 1 + dice.below(3) : 0)) bits?.set([dice.of(BAD_WORDS)], dice.below(bits.length));
}

function randomUnit(seed: number): Unit {
  const dice = new Dice(seed);
  const list = randomList(dice);
  const gradScale = dice.of([undefined, undefined, 0.25, 0.3]);
  const norm = Math.sqrt(summarise(list).sumOfSquares) * (gradScale ?? 1);
  // Far enough from the norm that no rounding decides.
  const bound = Math.min(3e38, Math.max(1e-30, norm * dice.of([0.01, 0.5, 0.9, 1.1, 100])));
  if (dice.chance(0.3)) spoil(list, dice);
  const options: UnitOptions = {
    nonFinite: dice.of(["zero", "keep", "propagate"]),
    ...(gradScale === undefined ? {} : { gradScale }),
  };
  return unit(`seed ${seed}`, list, clipTo(bound), { options, via: dice.of(["encode", "pass", "run"]) });
}

export const cases: Case[] = range(6).map((part) => ({
  name: `random lists, seeds ${part * LISTS_A_CASE} to ${(part + 1) * LISTS_A_CASE - 1}`,
  units: () => range(LISTS_A_CASE, part * LISTS_A_CASE).map(randomUnit),
}));
