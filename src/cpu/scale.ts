/** gradient = scale * gradient, in place or into another array; twin of shaders/scale.wgsl. */
export function scale(source: Float32Array, into: Float32Array, factor: number, skip: boolean): void {
  if (skip) {
    into.fill(0);
  } else if (factor === 1) {
    // Bytes, not numbers: a copy must keep NaN payloads.
    if (into !== source) bytesOf(into).set(bytesOf(source));
  } else {
    for (let i = 0; i < source.length; i++) into[i] = (source[i] as number) * factor;
  }
}

function bytesOf(array: Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
