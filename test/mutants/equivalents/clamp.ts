/** Of shaders/clamp.wgsl. */
import type { Equivalent } from "../equivalents.ts";

export const clamp: readonly Equivalent[] = [
  {
    file: "clamp",
    before:
      "var span = within(span_of(segment, firstTile, endTile), min(PARTS * arrayLength(&gradients_SLOT), arrayLength(&TARGET_SLOT) - shift));",
    after:
      "var span = within(span_of(segment, firstTile, endTile), max(PARTS * arrayLength(&gradients_SLOT), arrayLength(&TARGET_SLOT) - shift));",
    reason: "Every span ends within its bindings.",
  },
  {
    file: "clamp",
    before: "if (magnitude >= HIDDEN && exponent > 0 && exponent < 254) {",
    after: "if (magnitude >= HIDDEN && exponent > 1 && exponent < 254) {",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "clamp",
    before: "} else if (table.low > SIGN && table.high < SIGN) {",
    after: "} else if (false) {",
    reason: "Words are compared that need not be.",
  },
  {
    file: "clamp",
    before: "if (isUnchanged && IN_PLACE) {",
    after: "if (false) {",
    reason: "Words are compared that need not be.",
  },
  {
    file: "clamp",
    before: "return any(((bits & Word(~SIGN)) - Word(1u)) < Word(tiny));",
    after: "return any(((bits & Word(~SIGN)) - Word(1u)) <= Word(tiny));",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "clamp",
    before: "found.tiny = (u32(max(1 - exponent, 1)) << 23u) - 1u;",
    after: "found.tiny = (u32(max(1 - exponent, 1)) >> 23u) - 1u;",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "clamp",
    before: "found.tiny = (u32(max(1 - exponent, 1)) << 23u) - 1u;",
    after: "found.tiny = (u32(max(2 - exponent, 1)) << 23u) - 1u;",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "clamp",
    before: "} else if (table.low > SIGN && table.high < SIGN) {",
    after: "} else if (table.low >= SIGN && table.high < SIGN) {",
    reason: "Words of zeros alone do not change either way.",
  },
  {
    file: "clamp",
    before: "var restWord = 0u;",
    after: "var restWord = 1u;",
    reason: "It counts where a word has set it.",
  },
  {
    file: "clamp",
    before: "found.unchangedBelow = min(min(table.low & ~SIGN, table.high) + 1u, INFINITY_BITS);",
    after: ";",
    reason: "Words are compared that need not be.",
  },
  {
    file: "clamp",
    before: "if (magnitude >= HIDDEN && exponent > 0 && exponent < 254) {",
    after: "if (magnitude > HIDDEN && exponent > 0 && exponent < 254) {",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "clamp",
    before: "return select(bits | Word(SIGN), Word(0u) - bits, bits >= Word(SIGN));",
    after: "return select(bits | Word(SIGN), Word(0u) - bits, bits > Word(SIGN));",
    reason: "Both ways lead from -0 to the same.",
  },
  {
    file: "clamp",
    before: "found.tiny = (u32(max(1 - exponent, 1)) << 23u) - 1u;",
    after: "found.tiny = (u32(max(1 - exponent, 2)) << 23u) - 1u;",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "clamp",
    before: "if (i < wholeEnd) {",
    after: "if (false) {",
    reason: "Words are read one at a time then.",
  },
  {
    file: "clamp",
    before: "if (magnitude >= HIDDEN && exponent > 0 && exponent < 254) {",
    after: "if (false) {",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "clamp",
    before: "found.tiny = (u32(max(1 - exponent, 1)) << 23u) - 1u;",
    after: "found.tiny = (u32(max(1 - exponent, 1)) << 23u) + 1u;",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "clamp",
    before: "var found = Clamping(factor, order(Word(table.low)), order(Word(table.high)), 0u, INFINITY_BITS, 0u);",
    after: "var found = Clamping(factor, order(Word(table.low)), order(Word(table.high)), 0u, INFINITY_BITS, 1u);",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "clamp",
    before: "i = stop;",
    after: ";",
    reason: "Words that do not change are not written.",
  },
  {
    file: "clamp",
    before: "let scaled = multiplied(bits, bitcast<f32>(all.factor), 0u);",
    after: "let scaled = multiplied(bits, bitcast<f32>(all.factor), 1u);",
    reason: "A product of 0 is 0 either way.",
  },
  {
    file: "clamp",
    before: "found.tiny = (u32(max(1 - exponent, 1)) << 23u) - 1u;",
    after: "found.tiny = (u32(max(1 - exponent, 1)) << 24u) - 1u;",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "clamp",
    before: "let exponent = i32(magnitude >> 23u) + i32(factor >> 23u) - 127;",
    after: "let exponent = i32(magnitude >> 23u) - i32(factor >> 23u) - 127;",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "clamp",
    before: "found.plainBelow = u32(min(254 - exponent, 255)) << 23u;",
    after: "found.plainBelow = u32(min(254 - exponent, 255)) >> 23u;",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "clamp",
    before: "return any(((bits & Word(~SIGN)) - Word(1u)) < Word(tiny));",
    after: "return any(((bits & Word(~SIGN)) + Word(1u)) < Word(tiny));",
    reason: "Every word of float32 takes the careful path then, and no number of 16 bits is so near.",
  },
];
