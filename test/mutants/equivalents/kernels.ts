/** Of the other kernels: shaders/. */
import type { Equivalent } from "../equivalents.ts";

export const kernels: readonly Equivalent[] = [
  {
    file: "scale",
    before:
      "let isFast = (scaling.flags & 14u) == 0u && scaling.scale.y == ONE_BITS && scaling.scale.x < ONE_BITS && isKept;",
    after:
      "let isFast = (scaling.flags & 15u) == 0u && scaling.scale.y == ONE_BITS && scaling.scale.x < ONE_BITS && isKept;",
    reason: "What is clipped takes the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "finish",
    before: "var found = partials[min(i, end - 1u)];",
    after: "var found = partials[min(i, end + 1u)];",
    reason: "What lies behind the end is not counted.",
  },
  {
    file: "norm",
    before: "for (var k = 0u; k < ELEMENTS; k = (k + 1u) % 16u) {",
    after: "for (var k = 0u; k < ELEMENTS; k = (k + 1u) % 17u) {",
    reason: "A word has at most 8 elements.",
  },
  {
    file: "scale",
    before: "for (var k = 0u; k < ELEMENTS; k = (k + 1u) % 16u) {",
    after: "for (var k = 0u; k < ELEMENTS; k = (k + 1u) % 17u) {",
    reason: "A word has at most 8 elements.",
  },
  {
    file: "scale",
    before:
      "let isFast = (scaling.flags & 14u) == 0u && scaling.scale.y == ONE_BITS && scaling.scale.x < ONE_BITS && isKept;",
    after:
      "let isFast = (scaling.flags & 14u) == 1u && scaling.scale.y == ONE_BITS && scaling.scale.x < ONE_BITS && isKept;",
    reason: "What is multiplied takes the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "scale",
    before:
      "let isFast = (scaling.flags & 14u) == 0u && scaling.scale.y == ONE_BITS && scaling.scale.x < ONE_BITS && isKept;",
    after:
      "let isFast = (scaling.flags | 14u) == 0u && scaling.scale.y == ONE_BITS && scaling.scale.x < ONE_BITS && isKept;",
    reason: "What is multiplied takes the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "scale",
    before:
      "let isFast = (scaling.flags & 14u) == 0u && scaling.scale.y == ONE_BITS && scaling.scale.x < ONE_BITS && isKept;",
    after:
      "let isFast = (scaling.flags & 14u) == 0u && scaling.scale.y == ONE_BITS && scaling.scale.x <= ONE_BITS && isKept;",
    reason: "Two factors of 1 do not come here.",
  },
  {
    file: "scale",
    before: "isKept = keeps_values();",
    after: ";",
    reason: "What is multiplied takes the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "scale",
    before: "const ONE_BITS = 0x3f800000u;",
    after: "const ONE_BITS = 0x3f800001u;",
    reason: "What is multiplied takes the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "scale",
    before: "if (scaling.scale.x == ONE_BITS && scaling.scale.y == ONE_BITS) {",
    after: "if (false) {",
    reason: "What is multiplied takes the careful path, which gives the same bits and takes longer.",
  },
  {
    file: "scale",
    before: "const EXACT = 3u;",
    after: "const EXACT = 4u;",
    reason: "Any number does that no other has.",
  },
  {
    file: "scale",
    before: "if (is_untouched()) {",
    after: "if (false) {",
    reason: "In place a scale of 1 changes nothing; it takes longer.",
  },
  {
    file: "scale",
    before: "if (i < wholeEnd) {",
    after: "if (false) {",
    reason: "Words are read one at a time then.",
  },
  {
    file: "scale",
    before: "stop = i + TILE;",
    after: ";",
    reason: "Words are read four at a time, and one of them is used.",
  },
  {
    file: "scale",
    before:
      "var span = within(span_of(segment, firstTile, endTile), min(PARTS * arrayLength(&gradients_SLOT), arrayLength(&TARGET_SLOT) - shift));",
    after:
      "var span = within(span_of(segment, firstTile, endTile), max(PARTS * arrayLength(&gradients_SLOT), arrayLength(&TARGET_SLOT) - shift));",
    reason: "Every span ends within its bindings.",
  },
  {
    file: "scale",
    before: "let endTile = firstTile + table.tilesPerWorkgroup;",
    after: "let endTile = firstTile - table.tilesPerWorkgroup;",
    reason: "The first workgroup does the work of all then.",
  },
];
