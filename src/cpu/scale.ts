/** gradient = scale * gradient, in place or into another array; twin of shaders/scale.wgsl. */
export function scale(source: Float32Array, into: Float32Array, factor: number, skip: boolean): void {
  if (skip) {
    into.fill(0);
  } else if (factor === 1) {
    if (into !== source) copyBytes(source, into);
  } else {
    for (let i = 0; i < source.length; i++) into[i] = (source[i] as number) * factor;
  }
}

/** Bytes, not numbers: a copy must keep NaN payloads. */
export function copyBytes(source: Float32Array, into: Float32Array): void {
  bytesOf(into).set(bytesOf(source));
}

function bytesOf(array: Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
