/** Norms other than L2, and eps: the reference sums ratios to the largest magnitude in float64. */
import { clipByGlobalNorm, measureNorm } from "../../../src/index.ts";
import { raw, tensor, unit } from "../build.ts";
import { FLT_MAX, mapped, randomSource, valuesOf } from "../numbers.ts";
import { referenceGlobalNorm, referenceMeasure } from "../reference.ts";
import type { Case, Expected, Rule, Unit } from "../types.ts";

const TYPES = [0.1, 0.25, 0.5, 0.7, 1, 1.5, 2, 3, 4, 100, 5000, 1e6, Infinity];

export function pNorm({ tensors }: Pick<Unit, "tensors">, p: number): number {
  const values = tensors.flatMap((entry) => (entry ? Array.from(valuesOf(entry), Math.abs) : []));
  const largest = values.reduce((a, b) => Math.max(a, b), 0);
  if (p === Infinity || largest === 0) return largest;
  return largest * values.reduce((sum, value) => sum + (value / largest) ** p, 0) ** (1 / p);
}

/** What the L2 reference says of everything but norm, scale and contents, and these by the p-norm and eps. */
function expectedOf(unit: Unit, p: number, eps: number, maxNorm?: number): Expected {
  const l2 = maxNorm === undefined ? referenceMeasure(unit) : referenceGlobalNorm({ ...unit, exact: true }, maxNorm);
  if (!Number.isFinite(l2.norm)) return l2;
  const gradScale = typeof unit.options?.gradScale === "number" ? Math.fround(unit.options.gradScale) : 1;
  const norm = pNorm(unit, p) * gradScale;
  if (maxNorm === undefined) return { ...l2, norm, ulps: ulpsOf(p) };
  const clipped = norm + eps > Math.fround(maxNorm);
  const scale = clipped ? (Math.fround(maxNorm) / (norm + eps)) * gradScale : gradScale;
  const contents = unit.tensors.map((entry) => {
    if (!entry) return null;
    if (scale === 1) return { bits: entry.bits };
    return { values: mapped(valuesOf(entry), (value) => value * scale) };
  });
  return { ...l2, norm, clipped, scale, contents, normAfter: undefined, ulps: ulpsOf(p) };
}

/**
 * WGSL's log2 and exp2 give no more than 3e-6, which is 25 ULP. The square root halves the error of L2's sum; L1 has no
 * root, so that its values may be one ULP further off.
 */
function ulpsOf(p: number): number {
  if (p === 1) return 3;
  if (p === 2 || p === Infinity) return 2;
  return 25 * Math.max(1, 0.5 / p);
}

export function clippedBy(maxNorm: number, p: number, eps = 0): Rule {
  return {
    method: clipByGlobalNorm(maxNorm, { normType: p, eps }),
    expected: (unit) => expectedOf(unit, p, eps, maxNorm),
  };
}

export function measuredBy(p: number): Rule {
  return { method: measureNorm({ normType: p }), expected: (unit) => expectedOf(unit, p, 0) };
}

const fixture = [
  tensor(Array.from({ length: 100 }, (_, i) => i + 1)),
  tensor(Array<number>(10).fill(Math.fround(1 / 1000))),
];

/** By the formula in float64, for PyTorch's fixture. */
const FIXTURE_NORMS: [number, number][] = [
  [0.5, 451287.2597878957],
  [1, 5050.01],
  [1.5, 1179.3574048055277],
  [2, 581.6786054257111],
  [4, 212.7924024844982],
  [Infinity, 100],
];

function random(length: number, seed: number, magnitude: number): number[] {
  const source = randomSource(seed);
  return Array.from({ length }, () => Math.fround(source() * magnitude));
}

const RANGES = [1e-42, 1e-30, 1e-20, 1e-10, 1, 1e10, 2 ** 61, 2 ** 63, 1e20, 1e30, 1e38];

export const cases: Case[] = [
  {
    name: "PyTorch's fixture, by every norm",
    units: () =>
      FIXTURE_NORMS.flatMap(([p, norm]) => [
        unit(`p ${p}`, fixture, clippedBy(2, p), { want: { norm, clipped: true } }),
        unit(`p ${p}, only measured`, fixture, measuredBy(p)),
      ]),
  },
  ...TYPES.map(
    (p): Case => ({
      name: `p ${p}: all magnitudes, lengths and places`,
      units: () => [
        ...RANGES.map((range) => unit(`about ${range}`, [tensor(random(1000, 7, range))], measuredBy(p))),
        ...RANGES.map((range) => unit(`clipped, about ${range}`, [tensor(random(333, 8, range))], clippedBy(1e-3, p))),
        ...[1, 2, 3, 4, 5, 255, 1027, 4099, 20_001].map((length) => {
          return unit(`${length} elements`, [tensor(random(length, length, 1))], clippedBy(0.1, p));
        }),
        unit("equal values", [tensor(Array<number>(10_000).fill(Math.fround(0.1)))], clippedBy(0.01, p)),
        unit("one large, many small", [tensor([1e30, ...random(5000, 3, 1e-30)])], clippedBy(1, p)),
        unit("beyond float32", [tensor(Array<number>(100).fill(FLT_MAX))], clippedBy(1, p)),
        unit("zeros", [tensor([0, -0, 0])], clippedBy(1, p), { want: { norm: 0, clipped: false } }),
        unit("no gradients", [], measuredBy(p), { want: { norm: 0 } }),
        unit("gradScale", [tensor(random(500, 5, 1))], clippedBy(0.5, p), { options: { gradScale: 0.125 } }),
        unit("NaN", [tensor([1, 2, 3]), raw([0x7fc00001, 0x3f800000])], clippedBy(1, p)),
        unit("infinity", [tensor([1, 2, 3]), raw([0x3f800000, 0xff800000])], clippedBy(1, p)),
        unit("both tiny and subnormal", [raw([1, 2, 0x007fffff, 0x00800000])], measuredBy(p)),
      ],
    }),
  ),
  {
    name: "eps as PyTorch adds it: also at the bound",
    units: () => [
      unit("[3, 4], bound 5", [tensor([3, 4])], clippedBy(5, 2, 1e-6), {
        want: { clipped: true, values: [[Math.fround(2.9999995), Math.fround(3.9999993)]] },
      }),
      unit("1e-7, bound 1e-7", [tensor([1e-7, 0])], clippedBy(Math.fround(1e-7), 2, 1e-6)),
      unit("[3, 4], bound 6", [tensor([3, 4])], clippedBy(6, 2, 1e-6), { want: { clipped: false } }),
      unit("an eps of 1", [tensor([3, 4])], clippedBy(1, 2, 1)),
      unit("gradScale", [tensor([3, 4])], clippedBy(1, 2, 1e-6), { options: { gradScale: 0.5 } }),
      unit("1-norm", [tensor([3, 4])], clippedBy(1, 1, 1e-3)),
    ],
  },
];
