import { counted } from "./check.ts";

/** What is kept from step to step: the CPU decides by it, and for the GPU it is the content of a buffer. */
export interface Remembered {
  /** What it belongs to, as messages say it. */
  readonly subject: string;
  /** Of what `save` gives. */
  readonly savedBytes: number;
  /** For `Clip.state`: the same on both backends. */
  save(): ArrayBuffer;
  /** @throws RangeError for anything but what such a memory has saved; then nothing changes. */
  load(saved: ArrayBuffer): void;
  /** How many of its words are its struct in WGSL; the others are lists in `State.words`. */
  readonly headWords: number;
  /** The settings and what is remembered, the struct first; its lists begin at word `listAt` of `State.words`. */
  toWords(listAt: number): Uint32Array<ArrayBuffer>;
  fromWords(words: Uint32Array): void;
}

/** A saved memory is a list of float64: first a number that stands for the method and the version of its format. */
export function packed(tag: number, values: readonly number[]): ArrayBuffer {
  return new Float64Array([tag, ...values]).buffer;
}

export function packedBytes(valueCount: number): number {
  return 8 * (valueCount + 1);
}

export function refuseOtherLength(saved: ArrayBuffer, bytes: number, subject: string): void {
  if (saved.byteLength === bytes) return;
  throw new RangeError(
    `The state has ${counted(saved.byteLength, "byte")}, but that of ${subject} has ${bytes}; pass what state() of such a clip gave.`,
  );
}

/** The values of a saved memory with `count` values. */
export function unpacked(saved: ArrayBuffer, tag: number, count: number, subject: string): number[] {
  refuseOtherLength(saved, packedBytes(count), subject);
  const [found, ...values] = new Float64Array(saved);
  if (found !== tag) {
    throw new RangeError(`The state is not one of ${subject}; pass what state() of such a clip gave.`);
  }
  return values;
}

/** Throws for a saved memory that no step can have left. */
export function refuseUnless(sound: boolean, subject: string): void {
  if (!sound) throw new RangeError(`The state of ${subject} is damaged; pass what state() gave, unchanged.`);
}
