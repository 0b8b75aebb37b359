import { type Remembered, refuseOtherLength } from "../remembered.ts";

/** A part of a memory, and where its struct and its lists begin among the words of the whole. */
interface Part {
  readonly of: Remembered;
  readonly headAt: number;
  readonly listAt: number;
  readonly listWords: number;
}

/** The memories of a rule and of a skip rule as one: `State` of shaders/shared/decide.wgsl. */
export class JointMemory implements Remembered {
  readonly headWords: number;
  readonly #parts: readonly Part[];
  readonly #words: number;

  constructor(memories: readonly Remembered[]) {
    this.headWords = memories.reduce((sum, { headWords }) => sum + headWords, 0);
    let [headAt, listAt] = [0, this.headWords];
    this.#parts = memories.map((of) => {
      const part = { of, headAt, listAt, listWords: of.toWords(0).length - of.headWords };
      headAt += of.headWords;
      listAt += part.listWords;
      return part;
    });
    this.#words = listAt;
  }

  get subject(): string {
    return this.#parts.map(({ of }) => of.subject).join(" and ");
  }

  get savedBytes(): number {
    return this.#parts.reduce((sum, { of }) => sum + of.savedBytes, 0);
  }

  save(): ArrayBuffer {
    return new Float64Array(this.#parts.flatMap(({ of }) => [...new Float64Array(of.save())])).buffer;
  }

  /** All of it or nothing. */
  load(saved: ArrayBuffer): void {
    refuseOtherLength(saved, this.savedBytes, this.subject);
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
      const own = of.toWords(listAt - this.headWords);
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
