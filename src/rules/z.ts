import wgsl from "../../shaders/rules/z.wgsl?raw";
import difference from "../../shaders/shared/difference.wgsl?raw";
import entry from "../../shaders/shared/entry.wgsl?raw";
import memories from "../../shaders/shared/memories.wgsl?raw";
import moved from "../../shaders/shared/moved.wgsl?raw";
import { counted } from "../check.ts";
import { LARGEST, softFloatFields, softFloatIn } from "../floats.ts";
import { packed, packedBytes, refuseUnless, unpacked } from "../remembered.ts";
import { struct } from "../struct.ts";
import type { Facts, Rule, RuleState } from "./rule.ts";

const EPSILON = 1e-6;
const TAG = 0x67_63_7a_01; // version 1
const TAG_OF_EACH = 0x67_63_65_01;

interface ZSettings {
  readonly zThreshold: number;
  readonly decay: number;
  readonly warmup: number;
}

/** As in shaders/rules/z.wgsl; a SoftFloat has two words. */
export const zStruct = struct("thresholdMantissa", "thresholdExponent", "weightMantissa", "weightExponent", "warmup");
/** The same of what is remembered of a norm. */
export const statisticsStruct = struct("count", "meanMantissa", "meanExponent", "varianceMantissa", "varianceExponent");

/** @param each whether each of several norms has its own mean and variance. */
export function zRule(settings: ZSettings, each: boolean): Rule {
  return {
    name: each ? "z each" : "z",
    wgsl,
    texts: {
      "shared/difference": difference,
      "shared/moved": moved,
      ...(each && { "shared/entry": entry, "shared/memories": memories }),
    },
    ...(each && { each }),
    begin: (norms) => new ZMemory(settings, each, norms),
  };
}

/** Mean and variance of one norm. */
interface Statistics {
  readonly count: number;
  readonly mean: number;
  readonly variance: number;
}

const NONE: Statistics = { count: 0, mean: 0, variance: 0 };

/** Twin of shaders/rules/z.wgsl. */
class ZMemory implements RuleState {
  readonly headWords = zStruct.words;
  readonly #settings: ZSettings;
  readonly #each: boolean;
  #norms: Statistics[];

  constructor(settings: ZSettings, each: boolean, norms: number) {
    this.#settings = settings;
    this.#each = each;
    this.#norms = Array<Statistics>(norms).fill(NONE);
  }

  get subject(): string {
    return this.#each ? `zClip with ${counted(this.#norms.length, "norm")}` : "zClip";
  }

  get savedBytes(): number {
    return packedBytes(3 * this.#norms.length);
  }

  boundFor({ norm, maxNorm, normNumber }: Facts): number {
    // A bound that follows from zeros alone would stay 0.
    if (this.#each && (normNumber === undefined || norm === 0)) return maxNorm;
    const number = this.#each ? (normNumber as number) : 0;
    const before = this.#norms[number] as Statistics;
    const warming = before.count < this.#settings.warmup;
    const usual = warming ? norm : this.#usual(before, norm);
    this.#norms[number] = this.#noted(before, usual, warming);
    return usual < norm ? Math.min(Math.fround(Math.min(usual, LARGEST)), maxNorm) : maxNorm;
  }

  save(): ArrayBuffer {
    return packed(
      this.#each ? TAG_OF_EACH : TAG,
      this.#norms.flatMap(({ count, mean, variance }) => [count, mean, variance]),
    );
  }

  load(saved: ArrayBuffer): void {
    const values = unpacked(saved, this.#each ? TAG_OF_EACH : TAG, 3 * this.#norms.length, this.subject);
    this.#norms = this.#norms.map((_, i) => {
      const [count = 0, mean = 0, variance = 0] = values.slice(3 * i);
      const isCount = Number.isInteger(count) && count >= 0 && count < 2 ** 32;
      refuseUnless(isCount && mean >= 0 && mean < 2 ** 200 && variance >= 0 && variance < 2 ** 400, this.subject);
      return { count, mean, variance };
    });
  }

  toWords(): Uint32Array<ArrayBuffer> {
    const { zThreshold, decay, warmup } = this.#settings;
    const words = new Uint32Array(zStruct.words + statisticsStruct.words * this.#norms.length);
    zStruct.write(words, 0, {
      ...softFloatFields("threshold", zThreshold),
      ...softFloatFields("weight", Math.fround(1 - decay)),
      warmup,
    });
    for (const [i, { count, mean, variance }] of this.#norms.entries()) {
      const at = zStruct.words + statisticsStruct.words * i;
      const moments = { ...softFloatFields("mean", mean), ...softFloatFields("variance", variance) };
      statisticsStruct.write(words, at, { count, ...moments });
    }
    return words;
  }

  fromWords(words: Uint32Array): void {
    this.#norms = this.#norms.map((_, i) => {
      const at = zStruct.words + statisticsStruct.words * i;
      const of = (name: string) => softFloatIn(statisticsStruct, words, at, name);
      return { count: statisticsStruct.read(words, at, "count"), mean: of("mean"), variance: of("variance") };
    });
  }

  renumber(numbers: readonly (number | undefined)[]): void {
    this.#norms = numbers.map((number) => this.#norms[number ?? -1] ?? NONE);
  }

  /** The norm for the averages: the norm itself, or its bound if it exceeds that. */
  #usual({ mean, variance }: Statistics, norm: number): number {
    const deviation = Math.sqrt(variance);
    const z = (norm - mean) / (deviation + EPSILON);
    const { zThreshold } = this.#settings;
    return z > zThreshold ? mean + (zThreshold * deviation) / (z / zThreshold) : norm;
  }

  /** Moves the averages by a part of the difference: norms that never change have a deviation of exactly 0. */
  #noted({ count, mean, variance }: Statistics, norm: number, warming: boolean): Statistics {
    const seen = warming ? count + 1 : count;
    const weight = warming ? 1 / seen : 1 - this.#settings.decay;
    const before = norm - mean;
    const moved = mean + weight * before;
    const after = norm - moved;
    return { count: seen, mean: moved, variance: variance + weight * (after * (warming ? before : after) - variance) };
  }
}
