/** normalizeByGlobalNorm: every norm but 0 becomes the given one. */
import { filled, normalizedTo, raw, tensor, unit } from "../build.ts";
import { randomBits } from "../numbers.ts";
import type { Case, Tensor, Unit } from "../types.ts";

const one = normalizedTo(1);
const list: Tensor[] = [tensor([3, 4]), { bits: randomBits(1000, 1) }, tensor([-0.5, 0])];

function units(): Unit[] {
  return [
    unit("longer", [tensor([3, 4])], one, { want: { norm: 5, scale: 0.2, clipped: true, values: [[0.6, 0.8]] } }),
    unit("shorter", [tensor([0.03, 0.04])], one, { want: { clipped: true, values: [[0.6, 0.8]] } }),
    unit("as long already", [tensor([3, 4]), tensor([0])], normalizedTo(5), {
      exact: true,
      want: { scale: 1, clipped: false },
    }),
    // The root of 13 is nearer to the float32 before, and the quotient of both rounds to 1.
    unit("a last digit from the length", [tensor([3, 2])], normalizedTo(3.6055514812469482), {
      exact: true,
      want: { scale: 1, clipped: false, values: [[3, 2]] },
    }),
    unit("zeros stay zeros", [tensor([0, -0, 0])], one, { want: { norm: 0, scale: 1, clipped: false } }),
    unit("no gradient", [null], one, { want: { norm: 0, scale: 1, clipped: false } }),
    unit("many values", list, normalizedTo(1000)),
    unit("tiny", [tensor([3e-30, 4e-30])], one, { want: { values: [[0.6, 0.8]] } }),
    unit("huge", [tensor([3e38, 3e38])], normalizedTo(1e-30)),
    unit("a scale at the end of float32", [tensor([3e-38, 4e-38])], normalizedTo(1e-37), { want: { clipped: true } }),
    unit("a scale beyond float32 saturates", [tensor([3e-20, 4e-20])], normalizedTo(3e38)),
    unit("subnormal values become normal", [raw([0x00000003, 0x80000004])], normalizedTo(1e-10)),
    unit("gradScale cancels", [tensor([0.03, 0.04])], one, {
      options: { gradScale: 0.25 },
      want: { values: [[0.6, 0.8]] },
    }),
    unit("gradScale on zeros", [tensor([0, 0])], one, {
      options: { gradScale: 0.25 },
      want: { scale: 0.25, clipped: false },
    }),
    unit("totalNorm of all shards", [tensor([0.3, 0.4])], one, { options: { totalNorm: 2.5 }, want: { scale: 0.4 } }),
    unit("totalNorm, no gradient here", [null], one, { options: { totalNorm: 2.5 } }),
    unit("apply: record", [tensor([0.3, 0.4])], one, { options: { apply: "record" }, want: { scale: 2 } }),
    unit("out of place", [tensor([0.3, 0.4], { into: { memory: "there", byteOffset: 256 } })], one),
    ...(["zero", "keep", "propagate"] as const).map((nonFinite) =>
      unit(`a NaN, ${nonFinite}`, [tensor([0.3, Number.NaN]), filled(3, 1)], one, { options: { nonFinite } }),
    ),
  ];
}

export const cases: Case[] = [{ name: "longer, shorter and neither", units }];
