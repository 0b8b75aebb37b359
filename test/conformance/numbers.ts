/** Float32 facts and helpers. Bit patterns travel as u32 words: a NaN payload does not survive a JavaScript number. */

export const FLT_MAX = 3.4028234663852886e38;
export const MIN_NORMAL = 2 ** -126;
export const MIN_SUBNORMAL = 2 ** -149;

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);
const double = new DataView(new ArrayBuffer(8));

export function bitsOf(value: number): number {
  float[0] = value;
  return word[0] as number;
}

export function floatOf(bits: number): number {
  word[0] = bits;
  return float[0] as number;
}

/** The bit patterns of numbers, rounded to float32. */
export function bitsFrom(values: ArrayLike<number>): Uint32Array {
  return new Uint32Array(Float32Array.from(values).buffer);
}

/** The same memory read as numbers. */
export function floatsOf(bits: Uint32Array): Float32Array {
  return new Float32Array(bits.buffer, bits.byteOffset, bits.length);
}

/** The float32 neighbour of a positive finite value: up for +1, down for -1. */
export function neighbour(value: number, direction: 1 | -1): number {
  return floatOf(bitsOf(value) + direction);
}

/** The exponent e of a finite non-zero double, 2^e <= |x| < 2^(e+1). */
function exponentOf(x: number): number {
  double.setFloat64(0, x);
  const biased = (double.getUint32(0) >>> 20) & 0x7ff;
  if (biased === 0 || biased === 0x7ff) throw new RangeError(`exponentOf: ${x} is not a normal double`);
  return biased - 1023;
}

/** The spacing of 24-bit numbers with an unbounded exponent at x: what one ULP means for norms, scales and values here. */
export function ulp24(x: number): number {
  return x === 0 ? 0 : 2 ** (exponentOf(x) - 23);
}

/** A double rounded to 24 bits, to nearest even, with an unbounded exponent. */
export function round24(x: number): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  const ulp = ulp24(x);
  const units = x / ulp;
  const below = Math.floor(units);
  const rest = units - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 === 1);
  return (up ? below + 1 : below) * ulp;
}

/** Mulberry32: the same numbers in every engine, so that a failure can be repeated. In (-1, 1), never 0. */
export function randomSource(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((((t ^ (t >>> 14)) >>> 8) | 1) / 2 ** 24) * 2 - 1;
  };
}

/** Seeded float32 values in (-magnitude, magnitude). */
export function randomBits(length: number, seed: number, magnitude = 1): Uint32Array {
  const random = randomSource(seed);
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) values[i] = random() * magnitude;
  return new Uint32Array(values.buffer);
}
