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
  for (; mantissa >= 2 ** 32; exponent++) mantissa /= 2;
  for (; mantissa < 2 ** 31; exponent--) mantissa *= 2;
  mantissa = round(mantissa);
  return mantissa < 2 ** 32 ? { mantissa, exponent } : { mantissa: mantissa / 2, exponent: exponent + 1 };
}

const LEAST = 2 ** (31 - 600);

/** The words of a SoftFloat that a memory keeps, cut to 32 bits. What the shaders take for 0 too is 0. */
export function softFloatWords(value: number): [mantissa: number, exponent: number] {
  if (value < LEAST) return [0, 0];
  const { mantissa, exponent } = softFloatOf(value, Math.floor);
  return [mantissa, exponent];
}

/** The same as the two fields of a struct that begin with a name. */
export function softFloatFields(name: string, value: number): Record<string, number> {
  const [mantissa, exponent] = softFloatWords(value);
  return { [`${name}Mantissa`]: mantissa, [`${name}Exponent`]: exponent };
}

export function softFloatIn(words: Uint32Array, at: number): number {
  return (words[at] as number) * 2 ** ((words[at + 1] as number) | 0);
}
