import { counted } from "../check.ts";

/** An array that lost its memory looks like an empty one: both have 0 bytes. */
export function refuseLostMemory(array: Uint8Array, label: string): void {
  try {
    new Uint8Array(array.buffer);
  } catch {
    throw new TypeError(`${label} is on a detached ArrayBuffer; pass the array that owns it now.`);
  }
  try {
    array.keys();
  } catch {
    throw new RangeError(
      `${label} is an array that its ArrayBuffer of ${counted(array.buffer.byteLength, "byte")} no longer holds; pass an array that lies in it.`,
    );
  }
}
