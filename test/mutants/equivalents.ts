import type { Mutant } from "./operators.ts";

/** A mutant that no input can tell from the shader as it is, or that only costs time. */
export interface Equivalent extends Omit<Mutant, "nth"> {
  readonly reason: string;
}

export const equivalents: readonly Equivalent[] = [
  {
    file: "scale",
    before: "let isFast = (scaling.flags & 14u) == 0u && scaling.scale.y == ONE_BITS && scaling.scale.x < ONE_BITS;",
    after: "let isFast = (scaling.flags & 15u) == 0u && scaling.scale.y == ONE_BITS && scaling.scale.x < ONE_BITS;",
    reason: "What is clipped takes the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "shared/soft_float",
    before: "return 158u - (bitcast<u32>(f32(value & ~(value >> 1u))) >> 23u);",
    after: "return 158u - (bitcast<u32>(f32(value & ~(value >> 2u))) >> 23u);",
    reason: "Of three digits 1 in a row the third is cleared then, and rounding still carries nowhere.",
  },
  {
    file: "shared/soft_float",
    before: "let isSubnormal = magnitude < HIDDEN;",
    after: "let isSubnormal = magnitude <= HIDDEN;",
    reason: "The smallest normal number gives the same result in both ways.",
  },
  {
    file: "shared/soft_float",
    before: "let carried = more < value.mantissa;",
    after: "let carried = more <= value.mantissa;",
    reason: "127 or 128 was added: the two are never equal.",
  },
  {
    file: "shared/soft_float",
    before: "return select(u32(rest > most), 0xffffffffu, rest > 0x7fffffffu);",
    after: "return select(u32(rest > most), 0xffffffffu, rest >= 0x7fffffffu);",
    reason: "What is left is below 2^30 in magnitude.",
  },
  {
    file: "shared/soft_float",
    before: "return select(u32(rest > most), 0xffffffffu, rest > 0x7fffffffu);",
    after: "return select(u32(rest > most), 0xffffffffu, rest > 0x80000000u);",
    reason: "What is left is below 2^30 in magnitude.",
  },
  {
    file: "shared/soft_float",
    before: "let drop = u32(clamp(1 - biased, 0, 25));",
    after: "let drop = u32(clamp(1 - biased, 0, 26));",
    reason: "24 digits and half a unit, moved by 25 or by 26, are 0.",
  },
  {
    file: "shared/soft_float",
    before: "if (total.x == 0u) {",
    after: "if (total.x == 1u) {",
    reason: "The exponent of 0 means nothing; 1 does not occur.",
  },
  {
    file: "shared/soft_float",
    before: "if (total.x == 0u) {",
    after: "if (false) {",
    reason: "The exponent of 0 means nothing; 1 does not occur.",
  },
  {
    file: "shared/soft_float",
    before: "let aFirst = a.z > b.z;",
    after: "let aFirst = a.z >= b.z;",
    reason: "Of two numbers with one exponent either may be the first.",
  },
  {
    file: "shared/soft_float",
    before: "if (squared.mantissa == 0u) {",
    after: "if (squared.mantissa == 1u) {",
    reason:
      "A device that makes 0 of 0 / 0 as an integer gets 0 without it; WGSL leaves open what that is. 1 does not occur.",
  },
  {
    file: "shared/soft_float",
    before: "if (squared.mantissa == 0u) {",
    after: "if (false) {",
    reason:
      "A device that makes 0 of 0 / 0 as an integer gets 0 without it; WGSL leaves open what that is. 1 does not occur.",
  },
  {
    file: "formats/f16",
    before:
      "fn rounded_bits(bits: Word) -> Word { return rounded_units(bitcast<Values>(min(bits, Word(0x47800000u))) * UNITS); }",
    after:
      "fn rounded_bits(bits: Word) -> Word { return rounded_units(bitcast<Values>(min(bits, Word(0x47800001u))) * UNITS); }",
    reason: "Both are rounded to infinity.",
  },
  {
    file: "formats/packed",
    before:
      "let half = select(lane_of(rounded_bits(Word(positive)), 0u) >> ROUNDED, nan_of(positive), positive > 0x7f800000u);",
    after:
      "let half = select(lane_of(rounded_bits(Word(positive)), 1u) >> ROUNDED, nan_of(positive), positive > 0x7f800000u);",
    reason:
      "All lanes hold the same, and both ways lead from infinity to infinity; no NaN that occurs has the bits 0x7f800001.",
  },
  {
    file: "formats/packed",
    before:
      "let half = select(lane_of(rounded_bits(Word(positive)), 0u) >> ROUNDED, nan_of(positive), positive > 0x7f800000u);",
    after:
      "let half = select(lane_of(rounded_bits(Word(positive)), 0u) >> ROUNDED, nan_of(positive), positive >= 0x7f800000u);",
    reason:
      "All lanes hold the same, and both ways lead from infinity to infinity; no NaN that occurs has the bits 0x7f800001.",
  },
  {
    file: "formats/packed",
    before:
      "let half = select(lane_of(rounded_bits(Word(positive)), 0u) >> ROUNDED, nan_of(positive), positive > 0x7f800000u);",
    after:
      "let half = select(lane_of(rounded_bits(Word(positive)), 0u) >> ROUNDED, nan_of(positive), positive > 0x7f800001u);",
    reason:
      "All lanes hold the same, and both ways lead from infinity to infinity; no NaN that occurs has the bits 0x7f800001.",
  },
  {
    file: "shared/clipped",
    before: "if (magnitude >= 0x7f800000u || (scale.x & 0x7fffffffu) > 0x7f800000u) {",
    after: "if (magnitude >= 0x7f800000u || (scale.x & 0x7fffffffu) >= 0x7f800000u) {",
    reason: "A scale is finite, or the NaN 0x7fc00000.",
  },
  {
    file: "shared/clipped",
    before: "if (magnitude >= 0x7f800000u || (scale.x & 0x7fffffffu) > 0x7f800000u) {",
    after: "if (magnitude >= 0x7f800000u || (scale.x & 0x7fffffffu) > 0x7f800001u) {",
    reason: "A scale is finite, or the NaN 0x7fc00000.",
  },
  {
    file: "shared/clipped",
    before: "if (magnitude >= 0x7f800000u || (scale.x & 0x7fffffffu) > 0x7f800000u) {",
    after: "if (magnitude >= 0x7f800000u || (scale.x & 0x80000000u) > 0x7f800000u) {",
    reason: "Only a device that assumes away NaN would show it: elsewhere the product with the scale is a NaN too.",
  },
  {
    file: "shared/clipped",
    before: "if (magnitude < 0x00800000u && factor > 1.0) {",
    after: "if (magnitude <= 0x00800000u && factor > 1.0) {",
    reason: "The smallest normal number gives the same result in both ways, and a factor of 1 does not come here.",
  },
  {
    file: "shared/clipped",
    before: "if (magnitude < 0x00800000u && factor > 1.0) {",
    after: "if (magnitude < 0x800001u && factor > 1.0) {",
    reason: "The smallest normal number gives the same result in both ways, and a factor of 1 does not come here.",
  },
  {
    file: "shared/clipped",
    before: "if (magnitude < 0x00800000u && factor > 1.0) {",
    after: "if (magnitude < 0x00800000u && factor >= 1.0) {",
    reason: "The smallest normal number gives the same result in both ways, and a factor of 1 does not come here.",
  },
  {
    file: "clamp",
    before: "let hasTiny = has_tiny(bits_of(word), all.tiny) || (PACKED && has_tiny(more_bits_of(word), all.tiny));",
    after: "let hasTiny = has_tiny(bits_of(word), all.tiny) || (PACKED || has_tiny(more_bits_of(word), all.tiny));",
    reason: "16-bit words all take the careful path then, which gives the same bits.",
  },
  {
    file: "norms/l1_terms",
    before: "const FAST_FROM = 0x17800000u;",
    after: "const FAST_FROM = 0x17800001u;",
    reason: "Sums on either side of the limit are right in both ways.",
  },
  {
    file: "norms/l1_terms",
    before: "const FAST_BELOW = 0x71800000u;",
    after: "const FAST_BELOW = 0x71800001u;",
    reason: "Sums on either side of the limit are right in both ways.",
  },
  {
    file: "norms/l2_terms",
    before: "const FAST_FROM = 0x2b800000u;",
    after: "const FAST_FROM = 0x2b800001u;",
    reason: "Sums on either side of the limit are right in both ways.",
  },
  {
    file: "norms/l2_terms",
    before: "const FAST_BELOW = 0x56800000u;",
    after: "const FAST_BELOW = 0x56800001u;",
    reason: "Sums on either side of the limit are right in both ways.",
  },
  {
    file: "norms/linf_terms",
    before: "const FAST_FROM = 0u;",
    after: "const FAST_FROM = 1u;",
    reason: "No magnitude is between 0 and the smallest.",
  },
  {
    file: "webgpu/windows.ts",
    before: "  if (Math.max(source.size, into?.size ?? 0) > limits.maxBinding) return undefined;",
    after: "  if (Math.max(source.size, into?.size ?? 1) > limits.maxBinding) return undefined;",
    reason: "A source has more than one byte.",
  },
  {
    file: "webgpu/windows.ts",
    before: "  return { buffer: a.buffer, offset, size: Math.max(a.offset + a.size, b.offset + b.size) - offset };",
    after: "  return { buffer: a.buffer, offset, size: Math.max(a.offset - a.size, b.offset + b.size) - offset };",
    reason: "Of two windows in order the second ends last.",
  },
];

export function reasonOf({ file, before, after }: Mutant): string | undefined {
  return equivalents.find((one) => one.file === file && one.before === before && one.after === after)?.reason;
}
