/** The integer arithmetic of shaders/shared/soft_float.wgsl, called directly, and the same in BigInt. */
import softFloat from "../../shaders/shared/soft_float.wgsl?raw&named";
import { fail } from "./expect.ts";
import { resultsOf } from "./shaderFunctions.ts";
import type { WebGpuHarness } from "./types.ts";

/** A pair of mantissas with their top bits set, and the exponent of the first; the second's is 0, or 3 in products and quotients. */
export type Pair = readonly [a: number, b: number, exponent: number];

/** mantissa * 2^exponent. */
export type Soft = readonly [mantissa: number, exponent: number];

export const OPERATIONS = ["root", "rounded root", "quotient", "product", "sum"] as const;
const WORDS = 2 * OPERATIONS.length;

/** `ULPS` of the estimates are added to them. */
const PUT_OFF = `
fn put_off(estimate: f32) -> f32 {
  return select(bitcast<f32>(bitcast<u32>(estimate) + u32(ULPS)), estimate, estimate == 0.0);
}
`;

const BODY = `
  let a = SoftFloat(at(0u), i32(at(2u)));
  let b = SoftFloat(at(1u), 0);
  let all = array<SoftFloat, ${OPERATIONS.length}>(
    root(a),
    rounded(root(a)),
    quotient(a, SoftFloat(b.mantissa, 3)),
    product(SoftFloat(a.mantissa & 0xffffff00u, a.exponent), SoftFloat(b.mantissa & 0xffffff00u, 3)),
    sum(a, b),
  );
  for (var k = 0u; k < ${OPERATIONS.length}u; k += 1u) {
    put(2u * k, all[k].mantissa);
    put(2u * k + 1u, u32(all[k].exponent));
  }
`;

const ESTIMATES = [/sqrt\(f32\(high\)\)/, /f32\(value\) \/ f32\(divisor\)/];

/** The results on the device, with the float32 estimates off by so many ULP. */
export async function softFloatsOf(harness: WebGpuHarness, pairs: readonly Pair[], ulps: number): Promise<Soft[][]> {
  const text = ESTIMATES.reduce((before, estimate) => {
    if (!estimate.test(before)) fail(`soft_float.wgsl estimates in another way than ${estimate}`);
    return before.replace(estimate, "put_off($&)");
  }, softFloat);
  const call = { text: text + PUT_OFF.replace("ULPS", `${ulps}i`), body: BODY, inputWords: 3, resultWords: WORDS };
  const words = await resultsOf(harness, call, Uint32Array.from(pairs.flat()));
  return pairs.map((_, i) =>
    OPERATIONS.map((_, k): Soft => {
      const at = WORDS * i + 2 * k;
      return [words[at] as number, (words[at + 1] as number) | 0];
    }),
  );
}

/** What they have to be. */
export function wantedOf([a, b, exponent]: Pair): Soft[] {
  const [m, n] = [BigInt(a), BigInt(b)];
  // 30 bits and more behind the last digit that counts.
  const even = exponent & 1 ? 63 : 64;
  const square = m << BigInt(even);
  const root = squareRoot(square);
  const rootExponent = (exponent - even) / 2;
  const isExact = root * root === square;
  return [
    withSticky(root, rootExponent, 28, isExact),
    nearest(root, rootExponent, isExact),
    nearest(((m >> 4n) << 64n) / (n >> 4n), exponent - 67, ((m >> 4n) << 64n) % (n >> 4n) === 0n),
    nearest((m >> 8n) * (n >> 8n), exponent + 19, true),
    sumOf(m, n, exponent),
  ];
}

function sumOf(m: bigint, n: bigint, exponent: number): Soft {
  const [first, second] = exponent < 0 ? [m, n << BigInt(-exponent)] : [m << BigInt(exponent), n];
  return truncated(first + second, Math.min(exponent, 0), 32);
}

/** Its first digits, moved to the top of 32. */
function truncated(value: bigint, exponent: number, digits: number): Soft {
  const dropped = value.toString(2).length - digits;
  const kept = dropped > 0 ? value >> BigInt(dropped) : value << BigInt(-dropped);
  return [Number(kept << BigInt(32 - digits)), exponent + dropped + digits - 32];
}

function withSticky(value: bigint, exponent: number, digits: number, isExact: boolean): Soft {
  const [mantissa, power] = truncated(value, exponent, digits);
  const isWhole = isExact && BigInt(mantissa) << BigInt(power - exponent) === value;
  return [isWhole ? mantissa : (mantissa | (1 << (32 - digits))) >>> 0, power];
}

/** To 24 bits, ties to even; a value that is not exact is a little larger. */
function nearest(value: bigint, exponent: number, isExact: boolean): Soft {
  const dropped = BigInt(value.toString(2).length - 24);
  const twice = (value >> (dropped - 1n)) & 1n;
  const rest = value & ((1n << (dropped - 1n)) - 1n);
  const kept = value >> dropped;
  const up = twice === 1n && (rest > 0n || !isExact || (kept & 1n) === 1n);
  return truncated(kept + (up ? 1n : 0n), exponent + Number(dropped), 32);
}

function squareRoot(square: bigint): bigint {
  let root = BigInt(Math.floor(Math.sqrt(Number(square))));
  for (let next = (root + square / root) / 2n; next !== root; next = (root + square / root) / 2n) {
    if (next === root + 1n && next * next > square) break;
    root = next;
  }
  while (root * root > square) root -= 1n;
  while ((root + 1n) * (root + 1n) <= square) root += 1n;
  return root;
}
