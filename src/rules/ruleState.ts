import { counted } from "../check.ts";

/** A saved memory is a list of float64. The first stands for the method and the version of its format. */
export function packed(tag: number, values: readonly number[]): ArrayBuffer {
  return new Float64Array([tag, ...values]).buffer;
}

/** The values of a saved memory with `count` values. */
export function unpacked(saved: ArrayBuffer, tag: number, count: number, subject: string): number[] {
  if (saved.byteLength !== 8 * (count + 1)) {
    throw new RangeError(
      `The state has ${counted(saved.byteLength, "byte")}, but that of ${subject} has ${8 * (count + 1)}; pass what state() of such a clip gave.`,
    );
  }
  const [found, ...values] = new Float64Array(saved);
  if (found !== tag) {
    throw new RangeError(`The state is not one of ${subject}; pass what state() of such a clip gave.`);
  }
  return values;
}

/** Throws for a saved memory that no step can produce. */
export function refuseUnless(sound: boolean, subject: string): void {
  if (!sound) throw new RangeError(`The state of ${subject} is damaged; pass what state() gave, unchanged.`);
}
