/** Many elements: the sum must neither overflow, nor stagnate, nor lose what is small. */
import { clipTo, filled, guarded, measured, range, unit } from "../build.ts";
import { bitsOf, randomBits } from "../numbers.ts";
import type { Case, Tensor } from "../types.ts";

const TEN_MILLION = 10_000_000;

/** One large value before very many small ones: a single accumulator would lose them all. */
function oneAbove(first: number, others: number, count: number): Tensor {
  const { bits } = filled(count + 1, others);
  bits[0] = bitsOf(first);
  return { bits };
}

export const cases: Case[] = [
  {
    name: "2^25 ones",
    heavy: true,
    dependsOn: "compiler",
    units: () => [unit("ones", [filled(2 ** 25, 1)], measured(), { reportOnly: true, want: { norm: 5792.618751 } })],
  },
  {
    name: "2^25 of 2^52",
    heavy: true,
    dependsOn: "compiler",
    units: () => [
      unit("2^52", [filled(2 ** 25, 2 ** 52)], measured(), { reportOnly: true, want: { norm: 2.6087635650665566e19 } }),
    ],
  },
  {
    name: "1e7 of 0.1",
    heavy: true,
    dependsOn: "compiler",
    units: () => [
      unit("on 16 bytes", [filled(TEN_MILLION, 0.1)], clipTo(1)),
      unit("off 16 bytes", [guarded(filled(TEN_MILLION, 0.1).bits, 260)], measured(), { reportOnly: true }),
    ],
  },
  {
    name: "1e7 of 1e20, and of 1e-25 off 16 bytes",
    heavy: true,
    dependsOn: "compiler",
    units: () => [
      unit("1e20", [filled(TEN_MILLION, 1e20)], measured(), { reportOnly: true }),
      unit("1e-25", [guarded(filled(TEN_MILLION, 1e-25).bits, 260)], measured(), { reportOnly: true }),
    ],
  },
  {
    name: "1e6 and 1e7 of 1e-3",
    heavy: true,
    dependsOn: "compiler",
    units: () => [
      unit("small ones beside a large one", [oneAbove(1e6, 1e-3, TEN_MILLION)], clipTo(10), { reportOnly: true }),
    ],
  },
  {
    name: "1e7 of 1e-3 and a small bound above: nothing changes",
    heavy: true,
    dependsOn: "compiler",
    units: () => [unit("unclipped", [filled(TEN_MILLION, 1e-3)], clipTo(4))],
  },
  {
    name: "a million random values, clipped and in several tensors",
    units: () => [
      unit("one", [{ bits: randomBits(1_000_003, 1) }], clipTo(1)),
      unit(
        "four",
        range(4).map((seed) => ({ bits: randomBits(250_001 + seed, seed) })),
        clipTo(1),
      ),
    ],
  },
  {
    name: "2^20 and one more, of 1e20 and of 1e-25",
    units: () => [
      unit("1e20", [filled(2 ** 20 + 1, 1e20)], clipTo(1)),
      unit("1e-25", [filled(2 ** 20 + 1, 1e-25)], clipTo(1e-23)),
    ],
  },
];
