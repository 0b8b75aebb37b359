import type { Struct } from "./struct.ts";

/** The largest finite float32. */
export const LARGEST = 3.4028234663852886e38;

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The bits of a float32. */
export function floatBits(value: number): number {
  float[0] = value;
  return bits[0] as number;
}

/** The value as mantissa * 2^exponent; bit 31 of the rounded mantissa is set. Twin of shaders/shared/soft_float.wgsl. */
export function softFloatOf(
  value: number,
  round: (mantissa: number) => number,
): { mantissa: number; exponent: number } {
  let exponent = Math.floor(Math.log2(value)) - 31;
  let mantissa = value * 2 ** -exponent;
  for (; mantissa < 2 ** 31; exponent--) mantissa *= 2;
  mantissa = round(mantissa);
  return mantissa < 2 ** 32 ? { mantissa, exponent } : { mantissa: mantissa / 2, exponent: exponent + 1 };
}

const LEAST = 2 ** (31 - 600);

/** A SoftFloat that a memory keeps, cut to 32 bits, as the two fields of a struct that begin with a name. What the shaders take for 0 too is 0. */
export function softFloatFields(name: string, value: number): Record<string, number> {
  const { mantissa, exponent } = value < LEAST ? { mantissa: 0, exponent: 0 } : softFloatOf(value, Math.floor);
  return { [`${name}Mantissa`]: mantissa, [`${name}Exponent`]: exponent };
}

/** The number in these two fields of the struct that begins at a word. */
export function softFloatIn(struct: Struct<string>, words: Uint32Array, start: number, name: string): number {
  return struct.read(words, start, `${name}Mantissa`) * 2 ** (struct.read(words, start, `${name}Exponent`) | 0);
}
