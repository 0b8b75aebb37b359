/** At the bound nothing changes; one ULP above it, everything does. */
import { clipTo, range, tensor, unit } from "../build.ts";
import { FLT_MAX, MIN_NORMAL, neighbour } from "../numbers.ts";
import type { Case, Unit } from "../types.ts";

/** Around the norm of gradients whose squares add up without rounding. */
function around(values: readonly number[], norm: number): Unit[] {
  const label = `[${values}]`;
  const variants: Unit[] = [
    unit(`${label}, bound = norm`, [tensor(values)], clipTo(norm), { exact: true, want: { clipped: false } }),
  ];
  if (norm > MIN_NORMAL) {
    const below = neighbour(norm, -1);
    variants.push(
      unit(`${label}, bound below`, [tensor(values)], clipTo(below), { exact: true, want: { clipped: true } }),
    );
  }
  if (norm < FLT_MAX) {
    const above = neighbour(norm, 1);
    variants.push(
      unit(`${label}, bound above`, [tensor(values)], clipTo(above), { exact: true, want: { clipped: false } }),
    );
  }
  return variants;
}

const EXPONENTS = [-124, -110, -100, -64, -63, -62, -61, -42, -20, -1, 0, 1, 20, 45, 46, 47, 52, 90, 110, 124];
const SINGLES = [1, 1.5, Math.fround(1.1), Math.fround(1.9999999), Math.fround(Math.PI / 2)];

export const cases: Case[] = [
  {
    name: "one element around the bound, over all magnitudes",
    units: () => EXPONENTS.flatMap((e) => SINGLES.flatMap((x) => around([x * 2 ** e], x * 2 ** e))),
  },
  {
    name: "3-4-5 around the bound, over all magnitudes",
    units: () => EXPONENTS.flatMap((e) => around([3 * 2 ** e, -4 * 2 ** e], 5 * 2 ** e)),
  },
  {
    name: "the smallest and the largest bound",
    units: () => [
      ...around([MIN_NORMAL], MIN_NORMAL),
      ...around([FLT_MAX], FLT_MAX),
      unit("norm above every float, bound FLT_MAX", [tensor(range(4).map(() => FLT_MAX))], clipTo(FLT_MAX)),
    ],
  },
  {
    name: "powers of two: the bound below is half as far as the one above",
    units: () =>
      range(16).flatMap((k) =>
        around(
          range(4 ** (k % 5)).map(() => 2 ** (k - 8)),
          2 ** (k - 8 + (k % 5)),
        ),
      ),
  },
  {
    name: "a total norm from elsewhere around the bound",
    units: () => {
      return [1, 5, Math.fround(0.1), 1e20, Math.fround(3e38)].flatMap((value) => {
        const norm = Math.fround(value);
        return [neighbour(norm, -1), norm, neighbour(norm, 1)].map((bound) => {
          return unit(`norm ${norm}, bound ${bound}`, [tensor([1, 2])], clipTo(bound), {
            exact: true,
            options: { totalNorm: norm },
            want: { clipped: norm > bound },
          });
        });
      });
    },
  },
  {
    name: "gradScale moves the norm across the bound",
    units: () => {
      return [0.5, 1, 2].map((gradScale) => {
        const options = { gradScale };
        return unit(`gradScale ${gradScale}`, [tensor([3, 4])], clipTo(5), {
          exact: true,
          options,
          want: { clipped: gradScale > 1 },
        });
      });
    },
  },
];
