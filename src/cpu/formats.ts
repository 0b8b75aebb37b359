import type { Dtype, Range } from "../ranges.ts";

/** The elements of a gradient as they are stored; twin of shaders/formats. */
export interface Elements {
  readonly dtype: Dtype;
  readonly stored: Float32Array | Uint16Array;
}

export function elementsOf(range: Range, dtype: Dtype): Elements {
  const { byteOffset, byteLength } = range;
  const buffer = range.buffer as ArrayBuffer;
  const stored =
    dtype === "f32"
      ? new Float32Array(buffer, byteOffset, byteLength / 4)
      : new Uint16Array(buffer, byteOffset, byteLength / 2);
  return { dtype, stored };
}

/**
 * All work is done in blocks. V8 compiles a function that is called often, but leaves the compiled code of one long loop again and
 * again. 16-bit elements become float32 values here: the passes have loops for float32 only.
 */
const BLOCK = 4096;
const values = new Float32Array(BLOCK);
const bits = new Uint32Array(values.buffer);
const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);

/** Passes all elements as float32 to `use`, in runs; `first` is the index of a run's first element. */
export function read({ dtype, stored }: Elements, use: (values: Float32Array, first: number) => void): void {
  for (let first = 0; first < stored.length; first += BLOCK) {
    use(stored instanceof Float32Array ? stored.subarray(first, first + BLOCK) : decoded(dtype, stored, first), first);
  }
}

/** Writes the results of `change`, which reads and writes float32. Both may be the same memory; 16-bit elements may become float32. */
export function rewrite(
  source: Elements,
  into: Elements,
  change: (values: Float32Array, into: Float32Array) => void,
): void {
  const { dtype, stored } = source;
  const encoded = dtype === "f16" ? toFloat16 : toBfloat16;
  for (let first = 0; first < stored.length; first += BLOCK) {
    if (stored instanceof Float32Array) {
      const results = into.stored as Float32Array;
      change(stored.subarray(first, first + BLOCK), results.subarray(first, first + BLOCK));
      continue;
    }
    const run = decoded(dtype, stored, first);
    change(run, run);
    if (into.dtype === "f32") into.stored.set(run, first);
    else for (let i = 0; i < run.length; i++) into.stored[first + i] = encoded(bits[i] as number);
  }
}

/** Writes only the elements that `change` changes. The others keep their bytes, or are copied to the destination. */
export function rewriteEach(
  source: Elements,
  into: Elements,
  change: (value: number, element: number) => number,
): void {
  if (into.stored !== source.stored) copy(source, into);
  const { dtype, stored } = into;
  const encoded = dtype === "f16" ? toFloat16 : toBfloat16;
  read(source, (values, first) => {
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      const result = change(value, first + i);
      // Two NaN count as equal.
      if (result === value || (Number.isNaN(result) && Number.isNaN(value))) continue;
      if (stored instanceof Float32Array) stored[first + i] = result;
      else stored[first + i] = encodedNumber(result, encoded);
    }
  });
}

function encodedNumber(value: number, encoded: (float: number) => number): number {
  single[0] = value;
  return encoded(singleBits[0] as number);
}

/** Copies bytes, not numbers: a copy must keep NaN payloads, those of 16-bit elements that become float32 too. */
export function copy(source: Elements, into: Elements): void {
  if (source.dtype === into.dtype) bytesOf(into.stored).set(bytesOf(source.stored));
  else read(source, (values, first) => bytesOf(into.stored).set(bytesOf(values), 4 * first));
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function decoded(dtype: Dtype, stored: Uint16Array, first: number): Float32Array {
  const length = Math.min(BLOCK, stored.length - first);
  if (dtype === "bf16") {
    for (let i = 0; i < length; i++) bits[i] = (stored[first + i] as number) << 16;
  } else {
    for (let i = 0; i < length; i++) bits[i] = fromFloat16(stored[first + i] as number);
  }
  return values.subarray(0, length);
}

/** Converts bits of float16 to bits of float32. */
function fromFloat16(half: number): number {
  const magnitude = half & 0x7fff;
  const sign = (half & 0x8000) << 16;
  if (magnitude >= 0x7c00) return sign | 0x7f800000 | (magnitude << 13);
  if (magnitude >= 0x400) return sign | ((magnitude << 13) + 0x38000000);
  if (magnitude === 0) return sign;
  // A subnormal number: its leading bit moves to the place of a normal number's implicit bit.
  const shift = Math.clz32(magnitude) - 8;
  return sign | ((126 - shift) << 23) | ((magnitude << shift) & 0x7fffff);
}

/** Converts bits of float32 to bits of float16, to the nearest, ties to even. */
function toFloat16(float: number): number {
  const magnitude = float & 0x7fffffff;
  const sign = (float >>> 16) & 0x8000;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // A number halfway between the largest one and the next one rounds to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  const drop = Math.min(126 - (magnitude >>> 23), 25);
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  return sign | ((fraction + (1 << (drop - 1)) - 1 + ((fraction >>> drop) & 1)) >>> drop);
}

/** Converts bits of float32 to bits of bfloat16, to the nearest, ties to even. */
function toBfloat16(float: number): number {
  if ((float & 0x7fffffff) > 0x7f800000) return (float >>> 16) | 0x40;
  return (float + 0x7fff + ((float >>> 16) & 1)) >>> 16;
}
