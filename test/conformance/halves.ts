/** Short ways to write cases of 16-bit elements. */
import { guarded, range } from "./build.ts";
import { GUARD_BYTES } from "./memory.ts";
import { bits16From, randomBits16 } from "./numbers.ts";
import type { Tensor } from "./types.ts";

export type Half = "f16" | "bf16";

export const HALVES: readonly Half[] = ["f16", "bf16"];
export const POLICIES = ["zero", "keep", "propagate"] as const;
export const PATTERNS = Uint16Array.from(range(2 ** 16));
/** Infinities, quiet and signalling NaN of both signs. */
export const NOT_FINITE = {
  f16: [0x7c00, 0xfc00, 0x7e00, 0x7c01, 0xffff],
  bf16: [0x7f80, 0xff80, 0x7fc0, 0x7f81, 0xffff],
} as const;

export function half(dtype: Half, values: ArrayLike<number>, extras: Partial<Tensor> = {}): Tensor {
  return { bits: bits16From(dtype, values), dtype, ...extras };
}

export function repeated(dtype: Half, value: number, length: number): Tensor {
  return { bits: new Uint16Array(length).fill(bits16From(dtype, [value])[0] as number), dtype };
}

/** At a byte of a memory, between guards. */
export function placed(dtype: Half, bits: Uint16Array, byteOffset: number, memory?: string): Tensor {
  return guarded(bits, GUARD_BYTES + byteOffset, memory, dtype);
}

export function random(dtype: Half, length: number, seed: number, byteOffset: number): Tensor {
  return placed(dtype, randomBits16(dtype, length, seed), byteOffset);
}
