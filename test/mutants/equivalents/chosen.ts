/** Of what a pass chooses: shaders/formats/, norms/, rules/, scales/, skips/ and words/. */
import type { Equivalent } from "../equivalents.ts";

export const chosen: readonly Equivalent[] = [
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
    before: "let mean = plus(origin, divided_by(found.total, max(list.count, 1u)));",
    after: "let mean = plus(origin, divided_by(found.total, max(list.count, 2u)));",
    reason: "Nothing is judged by fewer than two values.",
  },
  {
    file: "skips/spikes",
    before: "for (var round = 0u; round < 2u; round = (round + 1u) % 4u) {",
    after: "for (var round = 0u; round < 2u; round = (round + 1u) % 5u) {",
    reason: "No round reaches either.",
  },
  {
    file: "rules/z",
    before: "variance = SoftFloat(0u, 0);",
    after: "variance = SoftFloat(0u, 1);",
    reason: "The exponent of 0 means nothing.",
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
    file: "norms/linf_terms",
    before: "return SoftFloat(0u, 0);",
    after: "return SoftFloat(1u, 0);",
    reason: "Nothing reads the sum.",
  },
  {
    file: "norms/linf_terms",
    before: "return SoftFloat(0u, 0);",
    after: "return SoftFloat(0u, 1);",
    reason: "Nothing reads the sum.",
  },
  {
    file: "scales/one",
    before: "return work_of(segment_scaling(0u)) == LEAVE;",
    after: "return work_of(segment_scaling(1u)) == LEAVE;",
    reason: "All segments share the scale.",
  },
  {
    file: "scales/unit",
    before: "let end = within(span, min(PARTS * arrayLength(&gradients_SLOT), arrayLength(&TARGET_SLOT) - shift)).end;",
    after: "let end = within(span, max(PARTS * arrayLength(&gradients_SLOT), arrayLength(&TARGET_SLOT) - shift)).end;",
    reason: "Every span ends within its bindings.",
  },
  {
    file: "rules/groups",
    before: "return SoftFloat(bound.mantissa, select(bound.exponent, 0x10000, bound.exponent > 96));",
    after: "return SoftFloat(bound.mantissa, select(bound.exponent, 0x10001, bound.exponent > 96));",
    reason: "No norm comes near either.",
  },
];
