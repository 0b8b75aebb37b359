/** Of shaders/sum_examples.wgsl. */
import type { Equivalent } from "../equivalents.ts";

export const sumExamples: readonly Equivalent[] = [
  {
    file: "sum_examples",
    before:
      "let span = within(span_of(segment, firstTile, endTile), min(PARTS * arrayLength(&gradients_SLOT), arrayLength(&TARGET_SLOT) - shift));",
    after:
      "let span = within(span_of(segment, firstTile, endTile), max(PARTS * arrayLength(&gradients_SLOT), arrayLength(&TARGET_SLOT) - shift));",
    reason: "Every span ends within its bindings.",
  },
  {
    file: "sum_examples",
    before: "let endTile = firstTile + table.tilesPerWorkgroup;",
    after: "let endTile = firstTile - table.tilesPerWorkgroup;",
    reason: "The first workgroup does the work of all then.",
  },
  {
    file: "sum_examples",
    before: "let atFourth = atThird + select(0u, stride, m + 3u < end);",
    after: "let atFourth = atThird + select(0u, stride, m + 3u <= end);",
    reason: "What is read then is not used.",
  },
  {
    file: "sum_examples",
    before: "return (entry.flags & 12u) == 0u && entry.scale.y == ONE_BITS && entry.scale.x <= ONE_BITS;",
    after: "return (entry.flags & 12u) == 0u && entry.scale.y == ONE_BITS && entry.scale.x < ONE_BITS;",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "sum_examples",
    before: "let atFourth = atThird + select(0u, stride, m + 3u < end);",
    after: "let atFourth = atThird + select(1u, stride, m + 3u < end);",
    reason: "What is read then is not used.",
  },
  {
    file: "sum_examples",
    before: "return (entry.flags & 12u) == 0u && entry.scale.y == ONE_BITS && entry.scale.x <= ONE_BITS;",
    after: "return (entry.flags & 12u) == 1u && entry.scale.y == ONE_BITS && entry.scale.x <= ONE_BITS;",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "sum_examples",
    before: "isPlain = largest_of(magnitude(before)) < INFINITY_BITS;",
    after: "isPlain = largest_of(magnitude(before)) <= INFINITY_BITS;",
    reason: "Only a device that assumes away infinities would show it: elsewhere the sum with an infinity is one too.",
  },
  {
    file: "sum_examples",
    before: "word = word_at(at, word, read_SLOT((at + 1u) / ELEMENTS));",
    after: "word = word_at(at, word, read_SLOT((at + 2u) / ELEMENTS));",
    reason: "Where an element begins in the middle of a word, both are in the next one.",
  },
  {
    file: "sum_examples",
    before: "third = word_at(atThird, third, read_SLOT((atThird + 1u) / ELEMENTS));",
    after: "third = word_at(atThird, third, read_SLOT((atThird + 2u) / ELEMENTS));",
    reason: "Where an element begins in the middle of a word, both are in the next one.",
  },
  {
    file: "sum_examples",
    before: "let atThird = atSecond + select(0u, stride, m + 2u < end);",
    after: "let atThird = atSecond + select(0u, stride, m + 2u <= end);",
    reason: "What is read then is not used.",
  },
  {
    file: "sum_examples",
    before: "const ONE_BITS = 0x3f800000u;",
    after: "const ONE_BITS = 0x3f800001u;",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "sum_examples",
    before: "return (entry.flags & 12u) == 0u && entry.scale.y == ONE_BITS && entry.scale.x <= ONE_BITS;",
    after: "return (entry.flags & 13u) == 0u && entry.scale.y == ONE_BITS && entry.scale.x <= ONE_BITS;",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "sum_examples",
    before: "word = word_at(at, word, word_of(segment.slot, (at + 1u) / ELEMENTS));",
    after: "word = word_at(at, word, word_of(segment.slot, (at + 2u) / ELEMENTS));",
    reason: "Where an element begins in the middle of a word, both are in the next one.",
  },
  {
    file: "sum_examples",
    before: "second = word_at(atSecond, second, read_SLOT((atSecond + 1u) / ELEMENTS));",
    after: "second = word_at(atSecond, second, read_SLOT((atSecond + 2u) / ELEMENTS));",
    reason: "Where an element begins in the middle of a word, both are in the next one.",
  },
  {
    file: "sum_examples",
    before: "for (var begin = 0u; begin < segment.examples; begin += TOGETHER) {",
    after: "for (var begin = 0u; begin <= segment.examples; begin += TOGETHER) {",
    reason: "A part without examples is 0.",
  },
  {
    file: "sum_examples",
    before: "const INFINITY_BITS = 0x7f800000u;",
    after: "const INFINITY_BITS = 0x7f800001u;",
    reason: "Only a device that assumes away infinities would show it: elsewhere the sum with an infinity is one too.",
  },
  {
    file: "sum_examples",
    before: "let atSecond = at + select(0u, stride, m + 1u < end);",
    after: "let atSecond = at + select(0u, stride, m + 1u <= end);",
    reason: "What is read then is not used.",
  },
  {
    file: "sum_examples",
    before: "let atThird = atSecond + select(0u, stride, m + 2u < end);",
    after: "let atThird = atSecond + select(1u, stride, m + 2u < end);",
    reason: "What is read then is not used.",
  },
  {
    file: "sum_examples",
    before: "var restWord = 0u;",
    after: "var restWord = 1u;",
    reason: "It counts where a word has set it.",
  },
  {
    file: "sum_examples",
    before: "let atSecond = at + select(0u, stride, m + 1u < end);",
    after: "let atSecond = at + select(1u, stride, m + 1u < end);",
    reason: "What is read then is not used.",
  },
  {
    file: "sum_examples",
    before: "if (isPlain) {",
    after: "if (false) {",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "sum_examples",
    before: "fourth = word_at(atFourth, fourth, read_SLOT((atFourth + 1u) / ELEMENTS));",
    after: "fourth = word_at(atFourth, fourth, read_SLOT((atFourth + 2u) / ELEMENTS));",
    reason: "Where an element begins in the middle of a word, both are in the next one.",
  },
  {
    file: "sum_examples",
    before: "return (entry.flags & 12u) == 0u && entry.scale.y == ONE_BITS && entry.scale.x <= ONE_BITS;",
    after: "return (entry.flags | 12u) == 0u && entry.scale.y == ONE_BITS && entry.scale.x <= ONE_BITS;",
    reason: "More values take the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "sum_examples",
    before: "return Total(total.value, total.faults | select(1u + (bits >> 31u), 4u, magnitude > 0x7f800000u));",
    after: "return Total(total.value, total.faults | select(1u + (bits >> 31u), 5u, magnitude > 0x7f800000u));",
    reason: "Any number but 0, 1 and 2 tells a NaN.",
  },
  {
    file: "sum_examples",
    before: "total = added(total, element_of(target_word(segment.slot, edge_word(segment, lane)), 1u - lane));",
    after: "total = added(total, element_of(target_word(segment.slot, edge_word(segment, lane)), 1u + lane));",
    reason: "Lane 1 has element 2 then, which in a word of two is element 0.",
  },
];
