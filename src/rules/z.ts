import wgsl from "../../shaders/rules/z.wgsl?raw";
import { LARGEST, softFloatOf } from "../floats.ts";
import type { Facts, Rule, RuleState } from "./rule.ts";
import { packed, refuseUnless, unpacked } from "./ruleState.ts";

const EPSILON = 1e-6;
const LEAST = 2 ** (31 - 600);
const TAG = 0x67_63_7a_01; // version 1
const SUBJECT = "zClip";

interface ZSettings {
  readonly zThreshold: number;
  readonly decay: number;
  readonly warmup: number;
}

export function zRule(settings: ZSettings): Rule {
  return { name: "z", wgsl, begin: () => new Statistics(settings) };
}

/** Mean and variance of the norms; twin of shaders/rules/z.wgsl. */
class Statistics implements RuleState {
  readonly #settings: ZSettings;
  #count = 0;
  #mean = 0;
  #variance = 0;

  constructor(settings: ZSettings) {
    this.#settings = settings;
  }

  boundFor({ norm, maxNorm }: Facts): number {
    const warming = this.#count < this.#settings.warmup;
    const usual = warming ? norm : this.#usual(norm);
    this.#note(usual, warming);
    return usual < norm ? Math.min(Math.fround(Math.min(usual, LARGEST)), maxNorm) : maxNorm;
  }

  save(): ArrayBuffer {
    return packed(TAG, [this.#count, this.#mean, this.#variance]);
  }

  load(saved: ArrayBuffer): void {
    const [count = 0, mean = 0, variance = 0] = unpacked(saved, TAG, 3, SUBJECT);
    const counted = Number.isInteger(count) && count >= 0 && count < 2 ** 32;
    refuseUnless(counted && mean >= 0 && mean < 2 ** 200 && variance >= 0 && variance < 2 ** 400, SUBJECT);
    [this.#count, this.#mean, this.#variance] = [count, mean, variance];
  }

  toWords(): Uint32Array<ArrayBuffer> {
    const { zThreshold, decay, warmup } = this.#settings;
    const weight = Math.fround(1 - decay);
    return Uint32Array.of(
      ...wordsOf(zThreshold),
      ...wordsOf(weight),
      warmup,
      this.#count,
      ...wordsOf(this.#mean),
      ...wordsOf(this.#variance),
    );
  }

  fromWords(words: Uint32Array): void {
    const number = (at: number) => (words[at] as number) * 2 ** ((words[at + 1] as number) | 0);
    this.#count = words[5] as number;
    this.#mean = number(6);
    this.#variance = number(8);
  }

  /** The norm for the averages: the norm itself, or its bound if it exceeds that. */
  #usual(norm: number): number {
    const deviation = Math.sqrt(this.#variance);
    const z = (norm - this.#mean) / (deviation + EPSILON);
    const { zThreshold } = this.#settings;
    return z > zThreshold ? this.#mean + (zThreshold * deviation) / (z / zThreshold) : norm;
  }

  /** Moves the averages by a part of the difference: norms that never change have a deviation of exactly 0. */
  #note(norm: number, warming: boolean): void {
    if (warming) this.#count += 1;
    const weight = warming ? 1 / this.#count : 1 - this.#settings.decay;
    const before = norm - this.#mean;
    this.#mean += weight * before;
    const after = norm - this.#mean;
    this.#variance += weight * (after * (warming ? before : after) - this.#variance);
  }
}

/** Numbers that the shader takes for 0 become 0. */
function wordsOf(value: number): [mantissa: number, exponent: number] {
  if (value < LEAST) return [0, 0];
  const { mantissa, exponent } = softFloatOf(value, Math.floor);
  return [mantissa, exponent];
}
