/** Of what kernels share: shaders/shared/. */
import type { Equivalent } from "../equivalents.ts";

export const shared: readonly Equivalent[] = [
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
    file: "shared/moved",
    before: "let part = product(SoftFloat(gap.mantissa & 0xffffff00u, gap.exponent), weight);",
    after: "let part = product(SoftFloat(gap.mantissa & 0xffffff01u, gap.exponent), weight);",
    reason: "The product takes the first 24 digits.",
  },
  {
    file: "shared/difference",
    before: "if (small.mantissa == 0u || distance > 31) {",
    after: "if (small.mantissa == 1u || distance > 31) {",
    reason: "0 is 0 however far it is moved.",
  },
  {
    file: "shared/decide",
    before: "return 0u;",
    after: "return 1u;",
    reason: "No total norm is read there, and 1 is no fault.",
  },
  {
    file: "shared/judge",
    before: "decision.scale = vec2u(0u, ONE_BITS);",
    after: "decision.scale = vec2u(1u, ONE_BITS);",
    reason: "finish.wgsl and memories.wgsl give a spike its scale and its flags.",
  },
  {
    file: "shared/judge",
    before: "decision.scale = vec2u(0u, ONE_BITS);",
    after: ";",
    reason: "finish.wgsl and memories.wgsl give a spike its scale and its flags.",
  },
  {
    file: "shared/judge",
    before: "decision = decided(norm, SoftFloat(), 0u, max_norm_bits());",
    after: "decision = decided(norm, SoftFloat(), 1u, max_norm_bits());",
    reason: "finish.wgsl and memories.wgsl give a spike its scale and its flags.",
  },
  {
    file: "shared/exact",
    before: "return SoftFloat(0u, 0);",
    after: "return SoftFloat(0u, 1);",
    reason: "The exponent of 0 means nothing.",
  },
  {
    file: "shared/partial",
    before: "return piece < otherPiece || (piece == otherPiece && element < otherElement);",
    after: "return piece < otherPiece || (piece == otherPiece && element <= otherElement);",
    reason: "Of two equal places either may be the first.",
  },
  {
    file: "shared/unaligned_targets",
    before: "set_word(segment.slot, i, with_element(target_word(segment.slot, i), 1u - lane, bits));",
    after: "set_word(segment.slot, i, with_element(target_word(segment.slot, i), 1u + lane, bits));",
    reason: "Lane 1 has element 2 then, which in a word of two is element 0.",
  },
];
