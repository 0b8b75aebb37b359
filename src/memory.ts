import type { ClipMethod } from "./methods/method.ts";
import { type Remembered, refuseOtherLength } from "./remembered.ts";
import type { RuleState } from "./rules/rule.ts";
import type { SkipRule, SkipState } from "./skips/skip.ts";

/** A part of a memory, and where its struct and its lists begin among the words of the whole. */
interface Part {
  readonly of: Remembered;
  readonly headAt: number;
  readonly listAt: number;
  readonly listWords: number;
}

/** What one clip remembers: its rule's memory, then its skip rule's; `State` of shaders/shared/decide.wgsl. */
export class Memory {
  readonly rule?: RuleState;
  readonly skip?: SkipState;
  readonly savedBytes: number;
  readonly #parts: readonly Part[];
  readonly #headWords: number;
  readonly #words: number;

  constructor(method: ClipMethod, skip: SkipRule | undefined) {
    this.rule = "begin" in method.rule ? method.rule.begin() : undefined;
    this.skip = skip?.begin();
    const all = [this.rule, this.skip].filter((part) => part !== undefined);
    this.savedBytes = all.reduce((sum, { savedBytes }) => sum + savedBytes, 0);
    this.#headWords = all.reduce((sum, { headWords }) => sum + headWords, 0);
    let [headAt, listAt] = [0, this.#headWords];
    this.#parts = all.map((of) => {
      const part = { of, headAt, listAt, listWords: of.toWords(0).length - of.headWords };
      headAt += of.headWords;
      listAt += part.listWords;
      return part;
    });
    // An array in a storage buffer has at least one element.
    this.#words = Math.max(listAt, this.#headWords + 1);
  }

  save(): ArrayBuffer {
    const saved = this.#parts.flatMap(({ of }) => [...new Uint8Array(of.save())]);
    return Uint8Array.from(saved).buffer;
  }

  /** All of it or nothing. */
  load(saved: ArrayBuffer): void {
    refuseOtherLength(saved, this.savedBytes, this.#parts.map(({ of }) => of.subject).join(" and "));
    const before = this.save();
    try {
      this.#loadParts(saved);
    } catch (error) {
      this.#loadParts(before);
      throw error;
    }
  }

  toWords(): Uint32Array<ArrayBuffer> {
    const words = new Uint32Array(this.#words);
    for (const { of, headAt, listAt } of this.#parts) {
      const own = of.toWords(listAt - this.#headWords);
      words.set(own.subarray(0, of.headWords), headAt);
      words.set(own.subarray(of.headWords), listAt);
    }
    return words;
  }

  fromWords(words: Uint32Array): void {
    for (const { of, headAt, listAt, listWords } of this.#parts) {
      const own = new Uint32Array(of.headWords + listWords);
      own.set(words.subarray(headAt, headAt + of.headWords));
      own.set(words.subarray(listAt, listAt + listWords), of.headWords);
      of.fromWords(own);
    }
  }

  #loadParts(saved: ArrayBuffer): void {
    let at = 0;
    for (const { of } of this.#parts) {
      of.load(saved.slice(at, at + of.savedBytes));
      at += of.savedBytes;
    }
  }
}
