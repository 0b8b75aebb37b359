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
  {
    file: "unit_norm",
    before: "for (var t = 0u; t < table.tilesPerWorkgroup; t += 1u) {",
    after: "for (var t = 0u; t <= table.tilesPerWorkgroup; t += 1u) {",
    reason: "A tile that two workgroups take gives the same partials.",
  },
  {
    file: "unit_norm",
    before: "if (unit < units.count) {",
    after: "if (unit <= units.count) {",
    reason: "What lanes without a unit find is not stored.",
  },
  {
    file: "unit_norm",
    before: "const BLOCK = 256u;",
    after: "const BLOCK = 257u;",
    reason: "Sums of either length are right.",
  },
  {
    file: "unit_norm",
    before: "for (; run * units.runLength < end; run += units.team >> units.runShift) {",
    after: "for (; run * units.runLength <= end; run += units.team >> units.runShift) {",
    reason: "A run of which nothing is left adds nothing.",
  },
  {
    file: "unit_norm",
    before: "for (var k = 0u; k < count; k += BLOCK) {",
    after: "for (var k = 0u; k <= count; k += BLOCK) {",
    reason: "A block without values adds nothing.",
  },
  {
    file: "unit_norm",
    before: "let at = segment.firstElement + min(elements, vec4u(end - 1u));",
    after: "let at = segment.firstElement + min(elements, vec4u(end + 1u));",
    reason: "What is read then does not count.",
  },
  {
    file: "unit_norm",
    before: "let chunk = (tile - segment.tile) % units.chunks;",
    after: "let chunk = (tile + segment.tile) % units.chunks;",
    reason: "The chunks of a row come in another order.",
  },
  {
    file: "unit_norm",
    before: "let end = min(segment.elementCount, arrayLength(&gradients_SLOT) * ELEMENTS - segment.firstElement);",
    after: "let end = min(segment.elementCount, arrayLength(&gradients_SLOT) * ELEMENTS + segment.firstElement);",
    reason: "Every segment ends within its binding.",
  },
  {
    file: "finish_groups",
    before: "decision = Decision(vec2u(ONE_BITS), 0u, NAN_BITS, NAN_BITS, 0, 0u);",
    after: "decision = Decision(vec2u(ONE_BITS), 0u, NAN_BITS, NAN_BITS, 0, 1u);",
    reason: "Nothing reads the bound of a group that is absent.",
  },
  {
    file: "skip_groups",
    before: "for (var g = id.x; g < arrayLength(&entries); g += workgroups.x * WORKGROUP_SIZEu) {",
    after: "for (var g = id.x; g <= arrayLength(&entries); g += workgroups.x * WORKGROUP_SIZEu) {",
    reason: "What is written behind the end is dropped, or is the last entry once more.",
  },
];
