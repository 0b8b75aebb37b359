/** The rules with a memory as functions of what they remember and of a row of norms or losses, by their definitions in float64. */
import auto from "../../../shaders/rules/auto.wgsl?raw&named";
import global from "../../../shaders/rules/global.wgsl?raw&named";
import z from "../../../shaders/rules/z.wgsl?raw&named";
import difference from "../../../shaders/shared/difference.wgsl?raw&named";
import entry from "../../../shaders/shared/entry.wgsl?raw&named";
import memories from "../../../shaders/shared/memories.wgsl?raw&named";
import moved from "../../../shaders/shared/moved.wgsl?raw&named";
import { percentiles, Z_TOLERANCE } from "../adaptiveSteps.ts";
import { dependentOn, range } from "../build.ts";
import { difference32, moved32, softIn, softWords } from "../digits.ts";
import { bitsOf, FLT_MAX, floatOf, randomSource, ulp24 } from "../numbers.ts";
import { asFunctions, putAll, readInto } from "../oneLane.ts";
import { type Call, checkEach } from "../shaderFunctions.ts";
import type { Case } from "../types.ts";

const NONE = 0xffffffff;
const RULE = "//#import shared/decide\n//#import shared/fold\n";

/** What a row has wrong, and what for. */
type Wrong = readonly string[];

function isNear(actual: number, wanted: number, tolerance: number): boolean {
  return Math.abs(actual - wanted) <= tolerance * wanted;
}

/** As in training: they waver, and now and then one jumps. */
function rowOf(random: () => number, count: number, scale: number): number[] {
  return range(count).map(() => {
    const event = Math.abs(random());
    if (event < 0.05) return 0;
    return Math.fround(scale * Math.exp(random()) * (event > 0.9 ? 10 ** (2 * Math.abs(random())) : 1));
  });
}

// What all of them move by

const MOVED: Call = {
  text: asFunctions(
    `${RULE}//#import shared/moved\n`,
    { texts: { rule: global, "shared/difference": difference, "shared/moved": moved } },
    1,
  ),
  body: `
  let a = SoftFloat(at(0u), i32(at(1u)));
  let b = SoftFloat(at(2u), i32(at(3u)));
  let apart = difference(a, b);
  let near = moved(a, b, SoftFloat(at(4u), i32(at(5u))));
  ${putAll(["apart.mantissa", "apart.exponent", "near.mantissa", "near.exponent"])}
`,
  inputWords: 6,
  resultWords: 4,
};

interface Move {
  readonly a: number;
  readonly b: number;
  readonly weight: number;
}

function moves(): Move[] {
  const random = randomSource(1);
  const number = () =>
    (2 ** 31 + Math.floor(Math.abs(random()) * 2 ** 24) * 127 + Math.floor(Math.abs(random()) * 2 ** 7)) / 2 ** 31;
  return range(2000).map((k) => {
    const distance = [0, 1, 2, 7, 24, 30, 31, 32, 33, 40, 63, 64, 65][k % 13] as number;
    const a = [number(), 1, 2 - 2 ** -31, 0][k % 11] ?? number();
    const other = [a, number(), 1][k % 5] ?? number();
    const weight = [1, 0.5, 0.25, 1 - 2 ** -24, 2 ** -20][k % 7] ?? Math.fround(Math.abs(random()));
    const b = other * 2 ** (random() < 0 ? -distance : distance);
    return { a, b: k % 17 ? b : 0, weight };
  });
}

function wrongMove({ a, b, weight }: Move, words: Uint32Array): Wrong {
  const [apart, near] = [softIn(words, 0), softIn(words, 2)];
  return [
    ...(apart === difference32(a, b) ? [] : [`the difference is ${apart}, wanted ${difference32(a, b)}`]),
    ...(near === moved32(a, b, weight) ? [] : [`the first moved is ${near}, wanted ${moved32(a, b, weight)}`]),
  ];
}

// Means and variances

const Z_NORMS = 30;
const Z_HEAD = ["state.rule.threshold.mantissa", "state.rule.threshold.exponent(i)", "state.rule.weight.mantissa"]
  .concat(["state.rule.weight.exponent(i)", "state.rule.warmup", "normNumber"])
  .concat(range(10).map((k) => `state.words[${k}]`));

const zCall = (hasMemories: boolean): Call => ({
  text: asFunctions(
    hasMemories ? `${RULE}//#import shared/memories\n` : RULE,
    {
      texts: {
        rule: z,
        "shared/difference": difference,
        "shared/entry": entry,
        "shared/memories": memories,
        "shared/moved": moved,
      },
      conditions: { REMEMBERS: true, MEMORIES: hasMemories },
    },
    10,
  ),
  body: `
  ${hasMemories ? "" : "var normNumber: u32;"}
  ${readInto(Z_HEAD)}
  let maxNorm = soft_float(at(${Z_HEAD.length}u));
  for (var k = 0u; k < at(${Z_HEAD.length + 1}u); k += 1u) {
    let norm = soft_float(at(${Z_HEAD.length + 2}u + k));
    put(k, float_bits(bound_for(Facts(norm, maxNorm, SoftFloat(), SoftFloat()))));
  }
  ${putAll(
    range(10).map((k) => `state.words[${k}]`),
    Z_NORMS,
  )}
`,
  inputWords: Z_HEAD.length + 2 + Z_NORMS,
  resultWords: Z_NORMS + 10,
});

interface Moments {
  readonly count: number;
  readonly mean: number;
  readonly variance: number;
}

interface ZRow {
  readonly threshold: number;
  readonly decay: number;
  readonly warmup: number;
  /** Undefined: it has no memory. */
  readonly number?: 0 | 1;
  readonly before: readonly [Moments, Moments];
  readonly maxNorm: number;
  readonly norms: readonly number[];
}

const weightOf = ({ decay }: ZRow) => Math.fround(1 - decay);
const momentWords = ({ count, mean, variance }: Moments) => [count, ...softWords(mean), ...softWords(variance)];

function zWords(row: ZRow): number[] {
  return [
    ...[...softWords(row.threshold), ...softWords(weightOf(row)), row.warmup, row.number ?? NONE],
    ...[...row.before.flatMap(momentWords), bitsOf(row.maxNorm), row.norms.length, ...row.norms.map(bitsOf)],
  ];
}

/** Below this a variance is 0. */
const LEAST_VARIANCE = 2 ** -569;

/** The program of the paper, but for zeros: they are not counted. */
function zStep(row: ZRow, before: Moments, norm: number): Moments & { bound: number } {
  const { threshold, warmup, maxNorm } = row;
  if (norm === 0) return { ...before, bound: maxNorm };
  if (before.count < warmup) {
    const count = before.count + 1;
    const mean = before.mean + (norm - before.mean) / count;
    const variance = before.variance + ((norm - before.mean) * (norm - mean) - before.variance) / count;
    return { count, mean, variance: variance < LEAST_VARIANCE ? 0 : variance, bound: maxNorm };
  }
  const deviation = Math.sqrt(before.variance);
  const score = (norm - before.mean) / (deviation + Math.fround(1e-6));
  const bound = score > threshold ? before.mean + (threshold * deviation) / (score / threshold) : Infinity;
  const counted = Math.min(norm, bound);
  const mean = before.mean + weightOf(row) * (counted - before.mean);
  const variance = before.variance + weightOf(row) * ((counted - mean) ** 2 - before.variance);
  return {
    count: before.count,
    mean,
    variance: variance < LEAST_VARIANCE ? 0 : variance,
    bound: Math.min(bound, maxNorm),
  };
}

function wrongZ(row: ZRow, words: Uint32Array): Wrong {
  const { number, before, maxNorm, norms } = row;
  const wrong: string[] = [];
  let mine = before[number ?? 0];
  norms.forEach((norm, k) => {
    const { bound, ...after } = number === undefined ? { ...mine, bound: maxNorm } : zStep(row, mine, norm);
    mine = after;
    const got = floatOf(words[k] as number);
    const most = Math.min(maxNorm, FLT_MAX);
    // Where the norm is as far out as the threshold, either answer is right.
    const isEither = isNear(got, norm, Z_TOLERANCE) || (isNear(norm, bound, Z_TOLERANCE) && got === most);
    if (!isNear(got, Math.min(bound, most), Z_TOLERANCE) && !isEither)
      wrong.push(`bound ${k} is ${got}, wanted ${bound}`);
  });
  [mine, before[1 - (number ?? 0)] as Moments].forEach(({ count, mean, variance }, i) => {
    const at = Z_NORMS + 5 * (i === 0 ? (number ?? 0) : 1 - (number ?? 0));
    const [gotMean, gotVariance] = [softIn(words, at + 1), softIn(words, at + 3)];
    // What the last digits of a mean can make up.
    const least = variance < 2 ** -500 ? 0 : mean * mean * 2 ** -40;
    const isVariance = Math.abs(gotVariance - variance) <= 1e-5 * variance + least;
    if (words[at] !== count || !isNear(gotMean, mean, Z_TOLERANCE) || !isVariance)
      wrong.push(`afterwards it has ${[words[at], gotMean, gotVariance]}, wanted ${[count, mean, variance]}`);
  });
  return wrong;
}

const EMPTY: Moments = { count: 0, mean: 0, variance: 0 };
const OTHER: Moments = { count: 3, mean: 7, variance: 0.25 };

function zRows(): ZRow[] {
  const random = randomSource(2);
  const plain: ZRow = {
    threshold: 1,
    decay: 0.5,
    warmup: 1,
    number: 0,
    before: [EMPTY, OTHER],
    maxNorm: 64,
    norms: [],
  };
  const usual = range(150).map((k): ZRow => {
    const number = k % 2 ? 1 : 0;
    return {
      threshold: [0.5, 1, 2, 3][k % 4] as number,
      decay: [0.5, 0.97, 0.9, 0.999][k % 5] ?? 0.75,
      warmup: [1, 2, 5, 12, 40][k % 6] ?? 3,
      number,
      before: number ? [OTHER, EMPTY] : [EMPTY, OTHER],
      maxNorm: [Infinity, 3, 1e30][k % 3] as number,
      norms: rowOf(random, 1 + (k % Z_NORMS), 10 ** ((k % 13) - 6)),
    };
  });
  const at = (before: Moments, more: Partial<ZRow>): ZRow => ({ ...plain, before: [before, OTHER], ...more });
  const smallest = bitsOf(Math.fround(1e-6));
  return [
    ...usual,
    { ...plain, number: undefined, norms: [1, 2, 3] },
    // A variance that halves, to what is told as 0 and to what is not.
    ...[-567, -568, -569, -570].map((power) => at({ count: 1, mean: 1, variance: 2 ** power }, { norms: [1] })),
    // Without a deviation, 1e-6 above the mean stands out and less does not.
    ...[-1, 0, 1].map((off) => at({ count: 1, mean: 0, variance: 0 }, { norms: [floatOf(smallest + off)] })),
    ...[-1, 0, 1].map((off) =>
      at({ count: 1, mean: 0, variance: 0 }, { threshold: 2, norms: [floatOf(bitsOf(2 * floatOf(smallest)) + off)] }),
    ),
    // Capped by maxNorm, which the bound is above, at or below.
    ...[4, 5.5, 6, 9].map((maxNorm) => at({ count: 1, mean: 4, variance: 4 }, { norms: [12], maxNorm })),
  ];
}

/** Of the first norm, which has the first place where all values share it. */
const sharedRows = () =>
  zRows()
    .filter(({ number }) => number === 0)
    .map((row) => ({ ...row, norms: row.norms.filter((norm) => norm > 0) }));

// Percentiles

const AUTO_NORMS = 310;

const AUTO: Call = {
  text: asFunctions(RULE, { texts: { rule: auto }, conditions: { REMEMBERS: true } }, 901, {
    gradScaleSource: 1,
    totalNormSource: 1,
  }),
  body: `
  state.rule.capacity = at(0u);
  state.rule.percentile = at(1u);
  let maxNorm = soft_float(at(2u));
  for (var k = 0u; k < at(3u); k += 1u) {
    put(k, float_bits(bound_for(Facts(soft_float(at(4u + k)), maxNorm, SoftFloat(), SoftFloat()))));
    remember(0u);
  }
  put(${AUTO_NORMS}u, state.words[3u * at(0u)]);
`,
  inputWords: 4 + AUTO_NORMS,
  resultWords: AUTO_NORMS + 1,
};

interface AutoRow {
  /** In millionths. */
  readonly percentile: number;
  readonly capacity: number;
  readonly maxNorm: number;
  readonly norms: readonly number[];
}

function wrongPercentiles({ percentile, capacity, maxNorm, norms }: AutoRow, words: Uint32Array): Wrong {
  const behind = words[AUTO_NORMS] === 0 ? [] : [`behind the lists is ${words[AUTO_NORMS]}`];
  const wrong = percentiles(norms, percentile / 1e4, capacity).flatMap((one, k) => {
    const [got, wanted] = [floatOf(words[k] as number), Math.min(one as number, maxNorm)];
    return Math.abs(got - wanted) <= 2 * ulp24(wanted) ? [] : [`bound ${k} is ${got}, wanted ${wanted}`];
  });
  return [...wrong, ...behind];
}

function autoRows(): AutoRow[] {
  const random = randomSource(3);
  const settings = [0, 1, 100_000, 250_000, 333_333, 500_000, 999_999, 1_000_000];
  const row = (k: number, capacity: number, count: number): AutoRow => ({
    percentile: settings[k % settings.length] as number,
    capacity,
    maxNorm: k % 5 ? Infinity : 1.5,
    norms: rowOf(random, count, 1).map((norm) => (k % 3 ? norm : Math.round(norm))),
  });
  return [
    ...range(56).map((k) => row(k, [1, 2, 3, 7, 20][k % 5] as number, 30)),
    ...range(8).map((k) => row(k, 300, AUTO_NORMS)),
  ];
}

export const cases: Case[] = dependentOn("text", [
  {
    name: "differences, and values that are moved by a part of them, to the bit",
    gpuScript: (harness) =>
      checkEach(harness, MOVED, moves(), ({ a, b, weight }) => [a, b, weight].flatMap(softWords), wrongMove),
  },
  {
    name: "bounds from mean and deviation, and both afterwards",
    gpuScript: (harness) => checkEach(harness, zCall(true), zRows(), zWords, wrongZ),
  },
  {
    name: "the same of a norm that all values share",
    gpuScript: (harness) => checkEach(harness, zCall(false), sharedRows(), zWords, wrongZ),
  },
  {
    name: "bounds from percentiles",
    gpuScript: (harness) =>
      checkEach(
        harness,
        AUTO,
        autoRows(),
        ({ percentile, capacity, maxNorm, norms }) => [
          capacity,
          percentile,
          bitsOf(maxNorm),
          norms.length,
          ...norms.map(bitsOf),
        ],
        wrongPercentiles,
      ),
  },
]);
