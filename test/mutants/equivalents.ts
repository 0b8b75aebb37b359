import type { Mutant } from "./operators.ts";

/** A mutant that no input can tell from the shader as it is, or that only costs time. */
export interface Equivalent extends Omit<Mutant, "nth"> {
  readonly reason: string;
}

export const equivalents: readonly Equivalent[] = [
  {
    file: "scale",
    before:
      "let isFast = (scaling.flags & 14u) == 0u && scaling.scale.y == ONE_BITS && scaling.scale.x < ONE_BITS && isKept;",
    after:
      "let isFast = (scaling.flags & 15u) == 0u && scaling.scale.y == ONE_BITS && scaling.scale.x < ONE_BITS && isKept;",
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
    file: "norms/lp_terms",
    before: "const FAST_FROM = 0u;",
    after: "const FAST_FROM = 1u;",
    reason: "All lanes take the exact path.",
  },
  {
    file: "norms/lp_terms",
    before: "const FAST_BELOW = 0u;",
    after: "const FAST_BELOW = 1u;",
    reason: "All lanes take the exact path.",
  },
  {
    file: "norms/lp_terms",
    before: "return SoftFloat(0u, 0);",
    after: "return SoftFloat(0u, 1);",
    reason: "The exponent of 0 means nothing.",
  },
  {
    file: "norms/lp_terms",
    before: "let f = bitcast<f32>(0x3f800000u | ((x.mantissa >> 8u) & FRACTION));",
    after: "let f = bitcast<f32>(0x3f800001u | ((x.mantissa >> 8u) & FRACTION));",
    reason: "What float32's last digit makes is less than log2 may be off by.",
  },
  {
    file: "norms/lp_root",
    before: "let f = bitcast<f32>(0x3f800000u | ((total.mantissa >> 8u) & FRACTION));",
    after: "let f = bitcast<f32>(0x3f800001u | ((total.mantissa >> 8u) & FRACTION));",
    reason: "What float32's last digit makes is less than log2 may be off by.",
  },
  {
    file: "norms/lp_root",
    before: "if (remainder >= power) {",
    after: "if (remainder > power) {",
    reason: "A remainder of `power` then stays one, and counts as 1 in the fraction.",
  },
  {
    file: "norms/lp_root",
    before: "if (e < 0) {",
    after: "if (e <= 0) {",
    reason: "Of 0 both the quotient and the remainder are 0.",
  },
  {
    file: "norms/lp_root",
    before: "if (e < 0) {",
    after: "if (e < 1) {",
    reason: "Of 0 both the quotient and the remainder are 0.",
  },
  {
    file: "rules/ada",
    before: "return SoftFloat(TOP, 0x10000);",
    after: "return SoftFloat(TOP, 0x10001);",
    reason: "No norm comes near either.",
  },
  {
    file: "rules/auto",
    before: "const LARGEST_BITS = 0x7f7fffffu;",
    after: "const LARGEST_BITS = 0x7f800000u;",
    reason: "It is above every norm, and what stands there counts 0.",
  },
  {
    file: "skips/spikes",
    before: "return Signed(soft_float(bits & 0x7fffffffu), bits > 0x7fffffffu);",
    after: "return Signed(soft_float(bits & 0x7fffffffu), bits >= 0x7fffffffu);",
    reason: "0 has no sign, and NaN does not come here.",
  },
  {
    file: "skips/spikes",
    before: "return Signed(soft_float(bits & 0x7fffffffu), bits > 0x7fffffffu);",
    after: "return Signed(soft_float(bits & 0x7fffffffu), bits > 0x80000000u);",
    reason: "0 has no sign, and NaN does not come here.",
  },
  {
    file: "skips/spikes",
    before: "let isFull = seen >= state.skip.window;",
    after: "let isFull = seen > state.skip.window;",
    reason: "When a list has just become full, the next place is 0.",
  },
  {
    file: "skips/spikes",
    before:
      "let mean = divided_by(distances(list, first, Signed(SoftFloat(), false), lane).total, max(list.count, 1u));",
    after:
      "let mean = divided_by(distances(list, first, Signed(SoftFloat(), false), lane).total, max(list.count, 2u));",
    reason: "Nothing is judged by fewer than two values.",
  },
  {
    file: "skips/spikes",
    before: "return plus(plus(mean, divided_by(rest.total, max(list.count, 1u))), most);",
    after: "return plus(plus(mean, divided_by(rest.total, max(list.count, 2u))), most);",
    reason: "Nothing is judged by fewer than two values.",
  },
  {
    file: "finish",
    before: "var found = partials[min(i, end - 1u)];",
    after: "var found = partials[min(i, end + 1u)];",
    reason: "What lies behind the end is not counted.",
  },
  {
    file: "shared/decide",
    before: "return 0u;",
    after: "return 1u;",
    reason: "No total norm is read there, and 1 is no fault.",
  },
  {
    file: "rules/z",
    before: "variance = SoftFloat(0u, 0);",
    after: "variance = SoftFloat(0u, 1);",
    reason: "The exponent of 0 means nothing.",
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
    file: "scales/unit",
    before: "return units.axisCount > 4u;",
    after: "return units.axisCount >= 4u;",
    reason: "Of four axes the periods outside never end.",
  },
  {
    file: "scales/unit",
    before: "return units_at(s).axisCount > 0u;",
    after: "return units_at(s).axisCount >= 0u;",
    reason: "Where the segment is one unit, each element's unit is the first; it takes longer.",
  },
  {
    file: "scales/unit",
    before: "changes.z += outer_change(units, place.outer + ELEMENTS - 1u);",
    after: "changes.z += outer_change(units, place.outer + ELEMENTS + 1u);",
    reason: "A period that ends behind a word is not met in it.",
  },
  {
    file: "overlaps.ts",
    before:
      "    if (byteLength > 0) uses.push({ buffer: idOf(buffer), start, end: start + byteLength, range, tensor, as });",
    after:
      "    if (byteLength > 1) uses.push({ buffer: idOf(buffer), start, end: start + byteLength, range, tensor, as });",
    reason: "No range has one byte.",
  },
  {
    file: "overlaps.ts",
    before: '  if (a.as === "parameter" || b.as === "parameter") return a.as === b.as;',
    after: '  if (a.as === "parameter" && b.as === "parameter") return a.as === b.as;',
    reason: "Where one of them is a parameter, the next line finds them different.",
  },
  {
    file: "ranges.ts",
    before: '  if (backendOf(whole.buffer) === "webgpu" && byteLength > 0 && start + byteLength > bindable) {',
    after: '  if (backendOf(whole.buffer) === "webgpu" && byteLength > 1 && start + byteLength > bindable) {',
    reason: "No range has one byte.",
  },
  {
    file: "ranges.ts",
    before: "let lastId = 0;",
    after: "let lastId = 1;",
    reason: "Numbers of buffers are compared with each other alone.",
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
