/** Where one lane goes round loops very often: lavapipe leaves all of them, in silence, after 65,535 trips. */
import { clampTo, guarded, range, tensor, unit } from "../build.ts";
import { randomBits } from "../numbers.ts";
import { alongAxes } from "../rules.ts";
import type { Case, Tensor } from "../types.ts";

/** Whole numbers, so that no norm is near a bound that lies between two squares. */
function rows(count: number, length: number): Tensor {
  return tensor(
    range(count * length).map((i) => 1 + (i % 7)),
    { shape: [count, length] },
  );
}

export const cases: Case[] = [
  {
    name: "four million values clamped, each with care",
    heavy: true,
    dependsOn: "driver",
    units: () => [
      unit("off 16 bytes", [guarded(randomBits(4_000_000, 1), 260)], clampTo(-0.1, 0.1), {
        options: { gradScale: 0.3 },
      }),
    ],
  },
  {
    name: "three hundred thousand rows, each by its own norm",
    heavy: true,
    dependsOn: "driver",
    units: () => [unit("rows of 8", [rows(300_000, 8)], alongAxes(12.25, [1]))],
  },
];
