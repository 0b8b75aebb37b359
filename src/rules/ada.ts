import wgsl from "../../shaders/rules/ada.wgsl?raw";
import difference from "../../shaders/shared/difference.wgsl?raw";
import entry from "../../shaders/shared/entry.wgsl?raw";
import memories from "../../shaders/shared/memories.wgsl?raw";
import moved from "../../shaders/shared/moved.wgsl?raw";
import { counted } from "../check.ts";
import { softFloatFields, softFloatIn } from "../floats.ts";
import { packed, packedBytes, refuseUnless, unpacked } from "../remembered.ts";
import { struct } from "../struct.ts";
import type { Facts, Rule, RuleState } from "./rule.ts";

const TAG = 0x67_63_64_01; // version 1

interface AdaSettings {
  readonly relative: number;
  readonly decay: number;
  readonly warmup: number;
}

/** As in shaders/rules/ada.wgsl; a SoftFloat has two words. */
export const adaStruct = struct(
  "relativeMantissa",
  "relativeExponent",
  "weightMantissa",
  "weightExponent",
  "warmup",
  "count",
);
/** What that shader remembers of a norm. */
const averageStruct = struct("averageMantissa", "averageExponent");

export function adaRule(settings: AdaSettings): Rule {
  return {
    name: "ada",
    wgsl,
    texts: {
      "shared/difference": difference,
      "shared/entry": entry,
      "shared/memories": memories,
      "shared/moved": moved,
    },
    each: true,
    begin: (norms) => new Averages(settings, norms),
  };
}

/** A moving average of each norm; twin of shaders/rules/ada.wgsl. */
class Averages implements RuleState {
  readonly headWords = adaStruct.words;
  readonly #settings: AdaSettings;
  /** 0 for a norm that has none. */
  #averages: number[];
  /** How many steps have warmed up. */
  #count = 0;

  constructor(settings: AdaSettings, norms: number) {
    this.#settings = settings;
    this.#averages = Array<number>(norms).fill(0);
  }

  get subject(): string {
    return `adaGC with ${counted(this.#averages.length, "norm")}`;
  }

  get savedBytes(): number {
    return packedBytes(1 + this.#averages.length);
  }

  get warmUp() {
    return this.#count < this.#settings.warmup ? (norms: readonly number[]) => this.#warm(norms) : undefined;
  }

  boundFor({ norm, maxNorm, normNumber }: Facts): number {
    if (normNumber === undefined) return maxNorm;
    const average = this.#averages[normNumber] as number;
    if (average === 0) this.#averages[normNumber] = norm;
    if (average === 0 || norm === 0) return Infinity;
    const { relative, decay } = this.#settings;
    const bound = relative * average;
    this.#averages[normNumber] = average + (1 - decay) * (Math.min(norm, bound) - average);
    return bound;
  }

  save(): ArrayBuffer {
    return packed(TAG, [this.#count, ...this.#averages]);
  }

  load(saved: ArrayBuffer): void {
    const [count = 0, ...averages] = unpacked(saved, TAG, 1 + this.#averages.length, this.subject);
    const isCount = Number.isInteger(count) && count >= 0 && count < 2 ** 32;
    refuseUnless(isCount && averages.every((average) => average >= 0 && average < 2 ** 400), this.subject);
    this.#count = count;
    this.#averages = averages;
  }

  toWords(): Uint32Array<ArrayBuffer> {
    const { relative, decay, warmup } = this.#settings;
    const words = new Uint32Array(adaStruct.words + averageStruct.words * this.#averages.length);
    adaStruct.write(words, 0, {
      ...softFloatFields("relative", relative),
      ...softFloatFields("weight", Math.fround(1 - decay)),
      warmup,
      count: this.#count,
    });
    for (const [i, average] of this.#averages.entries()) {
      averageStruct.write(words, adaStruct.words + averageStruct.words * i, softFloatFields("average", average));
    }
    return words;
  }

  fromWords(words: Uint32Array): void {
    this.#count = adaStruct.read(words, 0, "count");
    const at = (i: number) => adaStruct.words + averageStruct.words * i;
    this.#averages = this.#averages.map((_, i) => softFloatIn(averageStruct, words, at(i), "average"));
  }

  renumber(numbers: readonly (number | undefined)[]): void {
    this.#averages = numbers.map((number) => this.#averages[number ?? -1] ?? 0);
  }

  #warm(norms: readonly number[]): void {
    this.#count += 1;
    for (const [i, norm] of norms.entries()) {
      const average = this.#averages[i] as number;
      if (norm > 0 && (average === 0 || norm < average)) this.#averages[i] = norm;
    }
  }
}
