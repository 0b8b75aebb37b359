import { type Elements, rewrite } from "./formats.ts";

/** gradient = scale * gradient, in place or into another array; twin of shaders/scale.wgsl. */
export function scale(source: Elements, into: Elements, factor: number, skip: boolean): void {
  if (skip) {
    into.stored.fill(0);
  } else if (factor === 1) {
    // Bytes, not numbers: a copy must keep NaN payloads.
    if (into.stored !== source.stored) bytesOf(into.stored).set(bytesOf(source.stored));
  } else {
    rewrite(source, into, (values, results) => {
      for (let i = 0; i < values.length; i++) results[i] = (values[i] as number) * factor;
    });
  }
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
