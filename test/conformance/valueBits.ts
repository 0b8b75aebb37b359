/** What can go wrong when values are compared: bits around the limits, in every layout. */
import { clampTo, guarded, range, raw, tensor, unit } from "./build.ts";
import { bitsFrom, FLT_MAX, MIN_NORMAL, MIN_SUBNORMAL, neighbour, randomBits } from "./numbers.ts";
import type { Tensor, Unit, UnitOptions } from "./types.ts";

export const NAN_KINDS = [0x7fc00000, 0x7f800001, 0xffffffff, 0x7fbfffff, 0xffa00003];
export const INFINITIES = [0x7f800000, 0xff800000];
/** Everything at which a comparison can go wrong, around these limits. */
export function specials(min: number, max: number): Uint32Array {
  const limits = [min, max].map(Math.fround).filter((limit) => Number.isFinite(limit) && limit !== 0);
  const around = limits.flatMap((limit) => {
    const sign = Math.sign(limit);
    const magnitude = Math.abs(limit);
    const next = magnitude === FLT_MAX ? magnitude : neighbour(magnitude, 1);
    return [limit, -limit, sign * next, -sign * next, sign * neighbour(magnitude, -1)];
  });
  const plain = [0, 1, -1, 0.3, -7, 1e10, -1e10, FLT_MAX, -FLT_MAX, MIN_NORMAL, -MIN_NORMAL, MIN_SUBNORMAL, 1e-40];
  return Uint32Array.from([
    ...bitsFrom([...around, ...plain]),
    ...[0x80000000, 0x80000001, 0x007fffff, 0x807fffff],
    ...NAN_KINDS,
    ...INFINITIES,
  ]);
}

/** Random bits of every kind, with more NaN and infinities than there would be. */
export function anyBits(length: number, seed: number): Uint32Array {
  const bits = randomBits(length, seed).map((word, at) => Math.imul(word ^ at, 0x9e3779b1) >>> 0);
  for (let at = seed % 97; at < length; at += 97) bits[at] = [...NAN_KINDS, ...INFINITIES][at % 7] as number;
  return bits;
}

export function layoutsOf(bits: Uint32Array): [string, Tensor[]][] {
  const into = { memory: "target", byteOffset: 268 };
  return [
    ["its own buffer", [{ bits }]],
    ["on 16 bytes", [guarded(bits)]],
    ["off 16 bytes", [guarded(bits, 260)]],
    ["into", [{ bits, into }]],
    [
      "into the same buffer",
      [{ bits, place: { memory: "arena", byteOffset: 256 }, into: { memory: "arena", byteOffset: 4096 } }],
    ],
  ];
}

/** gradScale in a buffer. */
export function held(value: number, options: UnitOptions = {}): Unit[] {
  const bits = anyBits(77, 4);
  const all = { ...options, gradScale: { held: value } };
  return [
    unit(`${value}`, [tensor([3, -4, 0.25]), raw(bits)], clampTo(-1, 1), { options: all }),
    unit(
      `${value}, 20 buffers`,
      range(20).map((k) => tensor([k, -k])),
      clampTo(-8, 5),
      { options: all },
    ),
    unit(`${value}, into`, [{ bits, into: { memory: "target", byteOffset: 0 } }], clampTo(-8, 5), { options: all }),
  ];
}
