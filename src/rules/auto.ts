import wgsl from "../../shaders/rules/auto.wgsl?raw";
import { LARGEST } from "../floats.ts";
import { packed, packedBytes, refuseUnless, unpacked } from "../remembered.ts";
import { struct } from "../struct.ts";
import type { Facts, Rule, RuleState } from "./rule.ts";

const WHOLE = 1_000_000;
const TAG = 0x67_63_61_01; // version 1

/** As in shaders/rules/auto.wgsl. */
export const autoStruct = struct("capacity", "percentile", "count", "next", "list");

/** @param percentile in millionths. */
export function autoRule(percentile: number, capacity: number): Rule {
  return { name: "auto", wgsl, begin: () => new History(percentile, capacity) };
}

/** The last norms as float32; twin of shaders/rules/auto.wgsl. */
class History implements RuleState {
  readonly #percentile: number;
  readonly #capacity: number;
  readonly subject: string;
  readonly savedBytes: number;
  readonly headWords = autoStruct.words;
  /** The oldest first. */
  #norms: number[] = [];
  #sorted: number[] = [];

  constructor(percentile: number, capacity: number) {
    this.#percentile = percentile;
    this.#capacity = capacity;
    this.subject = `autoClip with a history of ${capacity}`;
    this.savedBytes = packedBytes(capacity + 1);
  }

  boundFor({ norm, maxNorm }: Facts): number {
    this.#note(Math.fround(Math.min(norm, LARGEST)));
    return Math.min(Math.fround(this.#percentileOfNorms()), maxNorm);
  }

  save(): ArrayBuffer {
    const room = Array<number>(this.#capacity - this.#norms.length).fill(0);
    return packed(TAG, [this.#norms.length, ...this.#norms, ...room]);
  }

  load(saved: ArrayBuffer): void {
    const [count = 0, ...norms] = unpacked(saved, TAG, this.#capacity + 1, this.subject);
    const counted = Number.isInteger(count) && count >= 0 && count <= this.#capacity;
    refuseUnless(
      counted && norms.every((norm) => norm >= 0 && Math.fround(norm) === norm && norm < Infinity),
      this.subject,
    );
    this.#set(norms.slice(0, count).map(Math.abs)); // not -0: the GPU compares bits
  }

  toWords(): Uint32Array<ArrayBuffer> {
    const count = this.#norms.length;
    const words = new Uint32Array(autoStruct.words + 3 * this.#capacity);
    autoStruct.write(words, 0, {
      capacity: this.#capacity,
      percentile: this.#percentile,
      count,
      next: count % this.#capacity,
    });
    const floats = new Float32Array(words.buffer);
    floats.set(this.#norms, autoStruct.words);
    floats.set(this.#sorted, autoStruct.words + this.#capacity);
    return words;
  }

  fromWords(words: Uint32Array): void {
    const count = autoStruct.read(words, 0, "count");
    const next = autoStruct.read(words, 0, "next");
    const ring = [...new Float32Array(words.buffer, words.byteOffset + 4 * autoStruct.words, count)];
    this.#set(count < this.#capacity ? ring : [...ring.slice(next), ...ring.slice(0, next)]);
  }

  #set(norms: number[]): void {
    this.#norms = norms;
    this.#sorted = [...norms].sort((a, b) => a - b);
  }

  #note(norm: number): void {
    if (this.#norms.length === this.#capacity) {
      this.#sorted.splice(placeIn(this.#sorted, this.#norms.shift() as number), 1);
    }
    this.#norms.push(norm);
    this.#sorted.splice(placeIn(this.#sorted, norm), 0, norm);
  }

  #percentileOfNorms(): number {
    const at = (this.#sorted.length - 1) * this.#percentile;
    const place = Math.floor(at / WHOLE);
    const rest = (at % WHOLE) / WHOLE;
    const below = this.#sorted[place] as number;
    const above = this.#sorted[place + 1] ?? below;
    return below + (above - below) * rest;
  }
}

/** The index of the first number that is not smaller than the value. */
function placeIn(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
