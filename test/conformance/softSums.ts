/** The other functions of shaders/shared/soft_float.wgsl, called directly, and the same in BigInt. */
import softFloat from "../../shaders/shared/soft_float.wgsl?raw&named";
import { type Call, resultsOf } from "./shaderFunctions.ts";
import type { Soft } from "./softFloat.ts";
import type { WebGpuHarness } from "./types.ts";

/** The bits of a float32, and three numbers; those of mantissa 0 have any exponent. */
export interface Input {
  readonly bits: number;
  readonly a: Soft;
  readonly b: Soft;
  readonly c: Soft;
}

const NAMES = [
  "soft_float, mantissa",
  "soft_float, exponent",
  "float_bits",
  "exceeds",
  "rounded, mantissa",
  "rounded, exponent",
  "exact_product, mantissa",
  "exact_product, exponent",
  "normalized, mantissa",
  "normalized, exponent",
  "a sum of three, high",
  "a sum of three, low",
  "a sum of three, exponent",
  "narrow, mantissa",
  "narrow, exponent",
] as const;

const BODY = `
  let a = SoftFloat(at(1u), i32(at(2u)));
  let b = SoftFloat(at(3u), i32(at(4u)));
  let c = SoftFloat(at(5u), i32(at(6u)));
  let number = soft_float(at(0u));
  put(0u, number.mantissa);
  put(1u, u32(number.exponent));
  put(2u, float_bits(SoftFloat(a.mantissa & 0xffffff00u, a.exponent)));
  put(3u, u32(exceeds(a, b)));
  let nearest = rounded(a);
  put(4u, nearest.mantissa);
  put(5u, u32(nearest.exponent));
  let exact = exact_product(SoftFloat(a.mantissa & 0xffffff00u, a.exponent), SoftFloat(b.mantissa & 0xffffff00u, b.exponent));
  put(6u, exact.mantissa);
  put(7u, u32(exact.exponent));
  let moved = normalized(max(at(0u), 1u), a.exponent);
  put(8u, moved.mantissa);
  put(9u, u32(moved.exponent));
  let total = added(added(wide(a), wide(b)), wide(c));
  put(10u, total.x);
  put(11u, total.y);
  put(12u, total.z);
  let short = narrow(total);
  put(13u, short.mantissa);
  put(14u, u32(short.exponent));
`;

const CALL: Call = { text: softFloat, body: BODY, inputWords: 7, resultWords: NAMES.length };

/** What is wrong. */
export async function wrongResults(harness: WebGpuHarness, inputs: readonly Input[]): Promise<string[]> {
  const words = Uint32Array.from(inputs.flatMap(({ bits, a, b, c }) => [bits, ...a, ...b, ...c]));
  const found = await resultsOf(harness, CALL, words);
  return inputs.flatMap((input, i) => {
    const wanted = wantedOf(input);
    return NAMES.flatMap((name, k) => {
      const [got, want] = [found[i * NAMES.length + k], wanted[k]];
      if (want === undefined || got === want >>> 0) return [];
      return [`${name} of ${JSON.stringify(input)} is ${got}, wanted ${want >>> 0}`];
    });
  });
}

/** Undefined where it means nothing. */
function wantedOf({ bits, a, b, c }: Input): (number | undefined)[] {
  const total = plus(plus(wideOf(a), wideOf(b)), wideOf(c));
  return [
    ...softOf(bits),
    floatBits(a),
    Number(exceeds(a, b)),
    ...meant(roundedTo24(a)),
    ...exactProduct(a, b),
    ...(toTop(BigInt(Math.max(bits, 1)), a[1], true) as [number, number]),
    Number(total.value >> 32n),
    Number(total.value & 0xffffffffn),
    total.value === 0n ? 0 : total.exponent + BIAS,
    ...(total.value === 0n ? [0, undefined] : toTop(total.value, total.exponent - 32, false)),
  ];
}

function meant([mantissa, exponent]: Soft): [number, number | undefined] {
  return [mantissa, mantissa === 0 ? undefined : exponent];
}

/** A number with its first digit at bit 31; what does not fit is cut. */
function toTop(value: bigint, exponent: number, isWhole: boolean): [number, number] {
  const zeros = 32 - value.toString(2).length;
  if (isWhole && zeros < 0) throw new Error(`${value} has more than 32 digits`);
  const mantissa = zeros >= 0 ? value << BigInt(zeros) : value >> BigInt(-zeros);
  return [Number(mantissa), exponent - zeros];
}

function softOf(bits: number): [number, number | undefined] {
  const magnitude = bits % 2 ** 31;
  if (magnitude === 0) return [0, undefined];
  const exponent = Math.floor(magnitude / 2 ** 23);
  const fraction = magnitude % 2 ** 23;
  return exponent === 0 ? toTop(BigInt(fraction), -149, true) : toTop(BigInt(fraction + 2 ** 23), exponent - 150, true);
}

function floatBits([mantissa, exponent]: Soft): number {
  const value = (mantissa - (mantissa % 256)) * 2 ** exponent;
  const word = new Uint32Array(1);
  new Float32Array(word.buffer)[0] = value;
  return Math.min(word[0] as number, 0x7f7fffff);
}

function exceeds(a: Soft, b: Soft): boolean {
  if (a[0] === 0 || b[0] === 0) return a[0] !== 0;
  return a[1] > b[1] || (a[1] === b[1] && a[0] > b[0]);
}

function roundedTo24([mantissa, exponent]: Soft): Soft {
  const rest = mantissa % 256;
  const kept = (mantissa - rest) / 256;
  const up = rest > 128 || (rest === 128 && kept % 2 === 1) ? 1 : 0;
  return kept + up === 2 ** 24 ? [2 ** 31, exponent + 1] : [(kept + up) * 256, exponent];
}

/** Of numbers of 24 digits. Of the 48 digits or 47 of the product the last 16 are dropped, and the one before is set if any of them is. */
function exactProduct([m, exponent]: Soft, [n, other]: Soft): (number | undefined)[] {
  const product = BigInt(m >>> 8) * BigInt(n >>> 8);
  if (product === 0n) return [0, undefined];
  const sticky = product & 0xffffn ? 1n : 0n;
  return toTop((product >> 16n) | sticky, exponent + other + 32, true);
}

const BIAS = 0x40000000;

/** value * 2^(exponent - 32), of 63 bits. */
interface Wide {
  readonly value: bigint;
  readonly exponent: number;
}

function wideOf([mantissa, exponent]: Soft): Wide {
  return mantissa === 0 ? { value: 0n, exponent: -BIAS } : { value: BigInt(mantissa) << 31n, exponent: exponent + 1 };
}

function plus(a: Wide, b: Wide): Wide {
  const [large, small] = a.exponent > b.exponent ? [a, b] : [b, a];
  const distance = large.exponent - small.exponent;
  const value = large.value + (distance > 63 ? 0n : small.value >> BigInt(distance));
  return value >> 63n ? { value: value >> 1n, exponent: large.exponent + 1 } : { value, exponent: large.exponent };
}
