/** clipByGroupNorm: tensors in named groups, each group by its joint norm and its own bound. */
import { packed, range, tensor, unit } from "../build.ts";
import { randomBits } from "../numbers.ts";
import { perGroup } from "../rules.ts";
import type { Case, Tensor, Unit } from "../types.ts";

const within = (group: string, values: readonly number[], extras: Omit<Tensor, "bits"> = {}): Tensor =>
  tensor(values, { group, ...extras });

/** Neighbours in one memory, whose groups alternate. */
function alternating(count: number, groups: number): Tensor[] {
  const contents = range(count).map((i) => randomBits(1 + ((i * 29) % 700), i + 1, 0.1 * (1 + (i % 4))));
  return packed(contents, 256).map((one, i) => ({ ...one, group: `group ${(i * 7) % groups}` }));
}

const manyGroups = (groups: number) => {
  const bounds = range(groups).map((i) => [`group ${i}`, i % 3 === 2 ? Infinity : 0.3 + 0.4 * (i % 3)]);
  return perGroup(Object.fromEntries(bounds));
};

const pair = [within("encoder", [3, 4]), within("head", [0.3, 0.4]), within("encoder", [12, 0]), tensor([6, 8])];
const rule = perGroup({ encoder: 2, head: 0.25 }, 100);
const spoilt = (value: number) => [pair[0] as Tensor, within("head", [value, 1]), ...pair.slice(2)];

function units(): Unit[] {
  return [
    unit("three groups", pair, rule, {
      want: { values: [[3, 4].map((x) => (2 * x) / 13), [0.15, 0.2], [24 / 13, 0], [6, 8]], norm: Math.sqrt(269.25) },
    }),
    unit(
      "groups by any name",
      [within("__proto__", [3, 4]), within("0", [6, 8])],
      perGroup({ ["__proto__"]: 1, 0: 5 }),
    ),
    unit("at the bound", [within("a", [3, 4]), within("b", [6, 8])], perGroup({ a: 5, b: 9.99 }), { exact: true }),
    unit("a bound of 0", pair, perGroup({ encoder: 0, head: Infinity }, 0)),
    unit("Infinity measures", pair, perGroup({ encoder: Infinity, head: Infinity }, Infinity)),
    unit(
      "Infinity measures a norm beyond float32",
      [within("a", [3e38, 3e38, 3e38, 3e38]), within("b", [3, 4])],
      perGroup({ a: Infinity, b: 1 }),
    ),
    unit("a bound of 2^127", [within("a", [1.6e38, 1.6e38])], perGroup({ a: 2 ** 127 }), { want: { clipped: true } }),
    unit(
      "tiny beside huge",
      [within("a", [1e-30, 2e-30]), within("b", [3e38, 3e38])],
      perGroup({ a: 1e-31, b: 1e-20 }),
    ),
    ...[Number.NaN, Infinity].flatMap((value) =>
      (["zero", "keep", "propagate"] as const).map((nonFinite) =>
        unit(`${value} in one group, ${nonFinite}`, spoilt(value), rule, { options: { nonFinite } }),
      ),
    ),
    unit("a NaN in a group that is only measured", spoilt(Number.NaN), perGroup({ encoder: 2, head: Infinity }, 1)),
    unit("gradScale", pair, rule, { options: { gradScale: 0.25 } }),
    unit("gradScale, only measured", pair, perGroup({ encoder: Infinity, head: 0.1 }, Infinity), {
      options: { gradScale: 0.25 },
    }),
    unit("apply: record", pair, rule, { options: { apply: "record" } }),
    unit(
      "into another memory",
      [within("encoder", [3, 4], { into: { memory: "there", byteOffset: 256 } }), ...pair.slice(1)],
      rule,
    ),
    unit(
      "a range that is listed twice",
      [
        pair[0] as Tensor,
        within("head", [3, 4], { place: { memory: "shared", byteOffset: 256 } }),
        within("head", [3, 4], { place: { memory: "shared", byteOffset: 256 } }),
      ],
      perGroup({ encoder: 1, head: 2 }),
    ),
    unit("a group that is absent as a whole", pair, rule, { absent: [1] }),
    unit("groups by prepare's list, though a step names none", pair, rule, { late: [2] }),
    unit("neighbours of alternating groups", alternating(40, 3), manyGroups(3)),
    unit("as many groups as tensors", alternating(74, 74), manyGroups(74)),
    unit("no gradient at all", [null], rule),
    unit("in an open pass", pair, rule, { via: "pass" }),
  ];
}

export const cases: Case[] = [{ name: "bounds, verdicts and layouts", units }];
