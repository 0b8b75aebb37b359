import type { Bits, Dtype } from "./types.ts";

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

/** Significant bits, the exponent of the smallest normal number, and the largest number. */
export const FORMATS = {
  f16: { precision: 11, smallestExponent: -14, largest: 65_504 },
  bf16: { precision: 8, smallestExponent: -126, largest: (2 - 2 ** -7) * 2 ** 127 },
} as const;

const numbers16 = new Map<string, Float64Array>();

/** The numbers that 16 bits stand for, by their patterns. */
function allNumbers16(dtype: "f16" | "bf16"): Float64Array {
  const known =
    numbers16.get(dtype) ?? Float64Array.from({ length: 2 ** 16 }, (_, pattern) => computed16(dtype, pattern));
  numbers16.set(dtype, known);
  return known;
}

/** The number that 16 bits stand for. */
export function number16(dtype: "f16" | "bf16", pattern: number): number {
  return allNumbers16(dtype)[pattern] as number;
}

function computed16(dtype: "f16" | "bf16", pattern: number): number {
  const { precision, smallestExponent } = FORMATS[dtype];
  const sign = pattern & 0x8000 ? -1 : 1;
  const fractions = 2 ** (precision - 1);
  const exponent = Math.floor((pattern & 0x7fff) / fractions);
  const fraction = (pattern & 0x7fff) % fractions;
  if (exponent === 0x8000 / fractions - 1) return fraction === 0 ? sign * Infinity : Number.NaN;
  const unit = 2 ** (smallestExponent - precision + 1);
  if (exponent === 0) return sign * fraction * unit;
  return sign * (fractions + fraction) * unit * 2 ** (exponent - 1);
}

/** The number of a 16-bit format that is nearest to a double, ties to even, as IEEE 754 rounds. */
export function round16(dtype: "f16" | "bf16", x: number): number {
  const { precision, smallestExponent, largest } = FORMATS[dtype];
  if (x === 0 || !Number.isFinite(x)) return x;
  const ulp = powerOfTwo(Math.max(exponentOf(x), smallestExponent) - precision + 1);
  const units = Math.abs(x) / ulp;
  const below = Math.floor(units);
  const up = units - below > 0.5 || (units - below === 0.5 && below % 2 === 1);
  const rounded = (up ? below + 1 : below) * ulp;
  return Math.sign(x) * (rounded > largest ? Infinity : rounded);
}

/** The bit patterns of numbers, rounded to a 16-bit format. */
export function bits16From(dtype: "f16" | "bf16", values: ArrayLike<number>): Uint16Array {
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) bits[i] = pattern16(dtype, round16(dtype, values[i] as number));
  return bits;
}

/** The bits of the same numbers as float32, in which they all have a place; a NaN keeps its payload. */
export function widened16(dtype: "f16" | "bf16", patterns: ArrayLike<number>): Uint32Array {
  const numbers = allNumbers16(dtype);
  const bits = bitsFrom(mapped(patterns, (pattern) => numbers[pattern] as number));
  const [fractions, shift] = dtype === "f16" ? [0x3ff, 13] : [0x7f, 16];
  return bits.map((word, i) => {
    const pattern = patterns[i] as number;
    if (!Number.isNaN(numbers[pattern])) return word;
    return (((pattern >>> 15) << 31) | 0x7f800000 | ((pattern & fractions) << shift)) >>> 0;
  });
}

/** The bit pattern of one number, rounded to its format. */
export function bitsIn(dtype: Dtype, value: number): number {
  return dtype === "f32" ? bitsOf(value) : pattern16(dtype, round16(dtype, value));
}

function pattern16(dtype: "f16" | "bf16", value: number): number {
  const { precision, smallestExponent } = FORMATS[dtype];
  const fractions = 2 ** (precision - 1);
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x8000 - fractions / 2;
  if (magnitude === Infinity) return sign + 0x8000 - fractions;
  const exponent = magnitude === 0 ? smallestExponent : Math.max(exponentOf(magnitude), smallestExponent);
  // A normal number counts its leading bit, which lifts the exponent field by one.
  return sign + (exponent - smallestExponent) * fractions + magnitude / powerOfTwo(exponent - precision + 1);
}

/** The same memory read as numbers of its format. */
export function valuesOf({ bits, dtype = "f32" }: { bits: Bits; dtype?: Dtype }): Float32Array | Float64Array {
  if (dtype === "f32") return floatsOf(bits as Uint32Array);
  const numbers = allNumbers16(dtype);
  return mapped(bits, (pattern) => numbers[pattern] as number);
}

/** Float64Array.from makes a list of all elements first, which takes several times as long. */
export function mapped(values: ArrayLike<number>, map: (value: number, index: number) => number): Float64Array {
  const result = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) result[i] = map(values[i] as number, i);
  return result;
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

/** 2^exponent of a normal double, several times as fast as the operator. */
function powerOfTwo(exponent: number): number {
  double.setUint32(0, (exponent + 1023) << 20);
  double.setUint32(4, 0);
  return double.getFloat64(0);
}

/** The spacing of 24-bit numbers with an unbounded exponent at x: what one ULP means for norms, scales and values here. */
export function ulp24(x: number): number {
  return x === 0 ? 0 : powerOfTwo(exponentOf(x) - 23);
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

/** The L2 norm of float32 numbers, whose squares neither overflow nor underflow here. */
export function norm64(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
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

/** Seeded values of a 16-bit format in (-magnitude, magnitude). */
export function randomBits16(dtype: "f16" | "bf16", length: number, seed: number, magnitude = 1): Uint16Array {
  return bits16From(dtype, floatsOf(randomBits(length, seed, magnitude)));
}

/** Seeded float32 values in (-magnitude, magnitude). */
export function randomBits(length: number, seed: number, magnitude = 1): Uint32Array {
  const random = randomSource(seed);
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) values[i] = random() * magnitude;
  return new Uint32Array(values.buffer);
}
