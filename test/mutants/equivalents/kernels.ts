/** Of the kernels: shaders/. */
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
];
