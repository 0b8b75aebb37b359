import wgsl from "../../shaders/rules/z.wgsl?raw";
import difference from "../../shaders/shared/difference.wgsl?raw";
import { LARGEST, softFloatOf } from "../floats.ts";
import { packed, packedBytes, refuseUnless, unpacked } from "../remembered.ts";
import { struct } from "../struct.ts";
import type { Facts, Rule, RuleState } from "./rule.ts";

const EPSILON = 1e-6;
const LEAST = 2 ** (31 - 600);
const TAG = 0x67_63_7a_01; // version 1
const SUBJECT = "zClip";

interface ZSettings {
  readonly zThreshold: number;
  readonly decay: number;
  readonly warmup: number;
}

/** As in shaders/rules/z.wgsl; a SoftFloat has two words. */
export const zStruct = struct(
  "thresholdMantissa",
  "thresholdExponent",
  "weightMantissa",
  "weightExponent",
  "warmup",
  "count",
  "meanMantissa",
  "meanExponent",
  "varianceMantissa",
  "varianceExponent",
);
type SoftFloatField = "threshold" | "weight" | "mean" | "variance";

export function zRule(settings: ZSettings): Rule {
  return { name: "z", wgsl, texts: { "shared/difference": difference }, begin: () => new Statistics(settings) };
}

/** Mean and variance of the norms; twin of shaders/rules/z.wgsl. */
class Statistics implements RuleState {
  readonly subject = SUBJECT;
  readonly savedBytes = packedBytes(3);
  readonly headWords = zStruct.words;
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
    // An array in a storage buffer has at least one element.
    const words = new Uint32Array(zStruct.words + 1);
    zStruct.write(words, 0, {
      ...softFloat("threshold", zThreshold),
      ...softFloat("weight", Math.fround(1 - decay)),
      warmup,
      count: this.#count,
      ...softFloat("mean", this.#mean),
      ...softFloat("variance", this.#variance),
    });
    return words;
  }

  fromWords(words: Uint32Array): void {
    const number = (field: SoftFloatField) =>
      zStruct.read(words, 0, `${field}Mantissa`) * 2 ** (zStruct.read(words, 0, `${field}Exponent`) | 0);
    this.#count = zStruct.read(words, 0, "count");
    this.#mean = number("mean");
    this.#variance = number("variance");
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

/** What the shader takes for 0 too is 0. */
function softFloat(field: SoftFloatField, value: number): Record<string, number> {
  const { mantissa, exponent } = value < LEAST ? { mantissa: 0, exponent: 0 } : softFloatOf(value, Math.floor);
  return { [`${field}Mantissa`]: mantissa, [`${field}Exponent`]: exponent };
}
