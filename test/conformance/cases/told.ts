/** Every gradient's norm beside a norm over all: `tensorNorms: true`. */
import { autoClip, clipByGlobalNorm, clipByGroupNorm, skipAbove, zClip } from "../../../src/index.ts";
import { clipTo, measured, normalizedTo, packed, range, raw, tensor, unit } from "../build.ts";
import { fail, near, same } from "../expect.ts";
import { randomBits } from "../numbers.ts";
import { tensorNormsOf } from "../referenceGroups.ts";
import { perGroup } from "../rules.ts";
import { recordedTracks, Series, sameSeries } from "../series.ts";
import type { Case, Rule, Tensor, Unit } from "../types.ts";
import { clippedBy, measuredBy, pNorm } from "./norms.ts";

/** What the method says without it, and the norms. */
function telling(rule: Rule, normsOf: (unit: Unit) => number[] = tensorNormsOf): Rule {
  return { ...rule, expected: (one) => ({ ...rule.expected(one), tensorNorms: normsOf(one) }) };
}

function pNormsOf(p: number) {
  return ({ tensors }: Unit) => tensors.map((one) => (one ? pNorm({ tensors: [one] }, p) : Number.NaN));
}

const told = (label: string, tensors: Unit["tensors"], rule: Rule, extras: Partial<Unit> = {}): Unit =>
  unit(label, tensors, rule, { ...extras, options: { ...extras.options, tensorNorms: true } });

/** Neighbours in one memory: the search keeps them apart, and the scale pass joins them. */
const neighbours = (count: number): Tensor[] =>
  packed(range(count).map((i) => randomBits(1 + ((i * 37) % 1300), i + 1, 0.1 * (1 + (i % 5)))));

const three = [tensor([3, 4], { name: "kernel" }), null, tensor([12], { name: "bias" })];
const groups = perGroup({ encoder: 2, head: Infinity }, 0.5);
const grouped = neighbours(40).map((one, i) => ({ ...one, group: ["encoder", "head", undefined][i % 3] }));

function units(): Unit[] {
  const plain = telling(clipTo(1));
  return [
    told("by place", three, plain, { want: { norm: 13 } }),
    told("an empty list", [], plain),
    told("no gradient at all", [null, null], plain),
    told("gradients without elements", [tensor([]), tensor([3, 4])], plain),
    told("tiny beside huge", [tensor([1e-30, 1e-30]), tensor([3e38, 3e38, 3e38])], telling(clipTo(1e-20))),
    told("not clipped", three, telling(clipTo(100))),
    told("measured", three, telling(measured())),
    told("normalised", three, telling(normalizedTo(2))),
    told("apply: record", three, plain, { options: { apply: "record" } }),
    told("gradScale", three, plain, { options: { gradScale: 0.25 } }),
    told("absent and late", neighbours(5), plain, { absent: [1, 3], late: [2] }),
    ...(["zero", "keep", "propagate"] as const).flatMap((nonFinite) =>
      [0x7fc00000, 0xff800000].map((word) => {
        return told(`0x${word.toString(16)}, ${nonFinite}`, [tensor([3, 4]), raw([0x3f800000, word])], plain, {
          options: { nonFinite },
        });
      }),
    ),
    ...[1, 9, 74, 300].map((count) => told(`${count} neighbours`, neighbours(count), plain)),
    told("a large one and a small one", [{ bits: randomBits(70_001, 3) }, { bits: randomBits(5, 4) }], plain),
    ...[1, 3, Infinity].flatMap((p) => [
      told(`p ${p}`, [tensor([1, -2, 3]), tensor([4])], telling(clippedBy(1, p), pNormsOf(p))),
      told(`p ${p}, measured`, [tensor([1e30, 2]), tensor([1e-3])], telling(measuredBy(p), pNormsOf(p))),
    ]),
    told("eps", [tensor([3, 4])], telling(clippedBy(1, 2, 1))),
    told("named groups", grouped, telling(groups)),
    told("named groups, some absent", grouped, telling(groups), { absent: [0, 1, 4], late: [7] }),
  ];
}

export const cases: Case[] = [
  { name: "norms by place, and everything else as without them", units },
  {
    name: "a totalNorm takes the place of the norm, not of the gradients' own",
    script: async ({ allocate, prepare }) => {
      const { gradients } = allocate([tensor([3, 4]), tensor([12])]);
      const clip = prepare(gradients, clipByGlobalNorm(1), { totalNorm: 20, tensorNorms: true });
      clip.run();
      const { norm, scale, tensorNorms } = await clip.report();
      same([norm, ...(tensorNorms ?? [])].join(), "20,5,12", "norms");
      near(scale, 1 / 20, 1, "scale");
      same(clip.scales, undefined, "clip.scales");
      const own = [...(await measuredAlone(prepare, gradients))];
      near(own[0] ?? fail("no norm"), 5 / 20, 2, "the first gradient afterwards");
    },
  },
  {
    name: "over recorded steps: each reports its norms, and decisions and memories are those of a clip without them",
    dependsOn: "kernels",
    script: async (harness) => {
      const tracks = recordedTracks(4, 120, 40);
      const options = { skip: skipAbove(30) };
      const named = tracks.map((track, i) => ({ ...track, group: i % 2 === 0 ? "even" : "odd" }));
      for (const [method, over] of [
        [clipByGlobalNorm(2), tracks],
        [autoClip({ percentile: 60 }), tracks],
        [zClip({ warmup: 20 }), tracks],
        [clipByGroupNorm({ even: 1, odd: Infinity }), named],
      ] as const) {
        const alone = new Series(harness, over);
        const wanted = await alone.play(await alone.clip(method, options));
        const series = new Series(harness, over);
        const clip = await series.clip(method, { ...options, tensorNorms: true });
        sameSeries(await series.play(clip), wanted, method.name);
        const again = new Series(harness, over);
        const reporting = await again.clip(method, { ...options, tensorNorms: true });
        (await again.reports(reporting, 40)).forEach(({ tensorNorms }, step) => {
          over.forEach(({ norms, isAbsent }, i) => {
            const norm = isAbsent?.(step) ? Number.NaN : norms[step];
            near(tensorNorms?.[i] as number, norm as number, 1, `${method.name}: norm ${i} of step ${step}`);
          });
        });
      }
    },
  },
];

async function measuredAlone(
  prepare: Parameters<Extract<Case, { script: unknown }>["script"]>[0]["prepare"],
  gradients: Parameters<typeof prepare>[0],
): Promise<Iterable<number>> {
  const clip = prepare(gradients, clipByGlobalNorm(Infinity), { tensorNorms: true });
  clip.run();
  return (await clip.report()).tensorNorms ?? fail("no norms");
}
