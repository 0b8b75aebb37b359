/** The kernel that decides each norm by its own memory, as a function over some steps of four norms: every entry, every flag and what is remembered. */
import finish from "../../../shaders/finish.wgsl?raw&named";
import ada from "../../../shaders/rules/ada.wgsl?raw&named";
import difference from "../../../shaders/shared/difference.wgsl?raw&named";
import entry from "../../../shaders/shared/entry.wgsl?raw&named";
import judge from "../../../shaders/shared/judge.wgsl?raw&named";
import memories from "../../../shaders/shared/memories.wgsl?raw&named";
import moved from "../../../shaders/shared/moved.wgsl?raw&named";
import record from "../../../shaders/shared/record.wgsl?raw&named";
import skip from "../../../shaders/skips/above.wgsl?raw&named";
import { dependentOn, range } from "../build.ts";
import { cut, moved32, product24, quotient24, softIn, softWords, sum32 } from "../digits.ts";
import { bitsOf, FLT_MAX, floatOf, randomSource, round24, ulp24 } from "../numbers.ts";
import { asFunctions, putAll, readInto } from "../oneLane.ts";
import {
  CLIPPED,
  decisionOf,
  type Found,
  factorsOf,
  INFINITY_SEEN,
  KEEP,
  NAN,
  NAN_SEEN,
  NONE,
  ONE,
  PROPAGATE,
  SKIP,
  SPIKE,
  ZERO,
} from "../referenceDecision.ts";
import { type Call, checkEach, once } from "../shaderFunctions.ts";
import type { Case } from "../types.ts";

const NORMS = 4;
const STEPS = 12;
const HEAD = [
  "partialCount",
  "nonFinite",
  "gradScaleIndex",
  "totalNormIndex",
  "groupCount",
  "epsMantissa",
  "epsExponent(i)",
]
  .map((name) => `settings.${name}`)
  .concat(
    ["relative.mantissa", "relative.exponent(i)", "weight.mantissa", "weight.exponent(i)", "warmup", "count"].map(
      (name) => `state.rule.${name}`,
    ),
  )
  .concat(["state.skip.norm", "gradScaleSource[1]"])
  .concat(range(2 * NORMS).map((k) => `state.words[${k}]`));
const AT = HEAD.length;
const ENTRY_WORDS = 6;
const STEP_WORDS = 3 + ENTRY_WORDS * NORMS;
const OF_ENTRY = 4;
const STEP_RESULTS = 3 + OF_ENTRY * (NORMS + 1);
const AFTER = ["state.rule.count", ...range(2 * NORMS + 2).map((k) => `state.words[${k}]`)];

const EACH: Call = {
  text: asFunctions(
    finish,
    {
      texts: {
        "shared/difference": difference,
        "shared/entry": entry,
        "shared/judge": judge,
        "shared/memories": memories,
        "shared/moved": moved,
        "shared/record": record,
        rule: ada,
        skip,
      },
      conditions: { SKIPS: true, MEMORIES: true, REMEMBERS: true },
    },
    2 * NORMS + 2,
  ),
  body: `
  ${readInto(HEAD)}
  ${range(4)
    .map((k) => `byte${k}.x = (at(${AT}u) >> ${8 * k}u) & 255u;`)
    .join("\n")}
  for (var k = 0u; k < at(${AT + 1}u); k += 1u) {
    let start = ${AT + 2}u + ${STEP_WORDS}u * k;
    partials[0] = Partial(wide(SoftFloat(at(start), i32(at(start + 1u)))), 0u, 0u, NONE, NONE, at(start + 2u));
    for (var i = 0u; i < ${NORMS}u; i += 1u) {
      let one = start + 3u + ${ENTRY_WORDS}u * i;
      entries[i] = Entry(vec2u(at(one), at(one + 1u)), at(one + 2u), at(one + 3u), at(one + 4u), i32(at(one + 5u)), 0u, 0u);
    }
    entries[${NORMS}] = Entry(vec2u(7u, 8u), 9u, 0x3f800000u, 0x3f000000u, 1, 0u, 0u);
    normNumber = NONE;
    kernel(0u);
    let to = ${STEP_RESULTS}u * k;
    put(to, whole.record.scale.x);
    put(to + 1u, whole.record.flags);
    put(to + 2u, whole.record.maxNorm);
    for (var i = 0u; i <= ${NORMS}u; i += 1u) {
      put(to + 3u + ${OF_ENTRY}u * i, entries[i].scale.x);
      put(to + 4u + ${OF_ENTRY}u * i, entries[i].scale.y);
      put(to + 5u + ${OF_ENTRY}u * i, entries[i].flags);
      put(to + 6u + ${OF_ENTRY}u * i, entries[i].norm);
    }
  }
  ${putAll(AFTER, STEP_RESULTS * STEPS)}
`,
  inputWords: AT + 2 + STEP_WORDS * STEPS,
  resultWords: STEP_RESULTS * STEPS + AFTER.length,
};

/** A norm before gradScale, with 24 digits; NaN and Infinity stand for what a gradient has, and undefined for one that is absent. */
type Norm = number | undefined;

interface Row {
  readonly nonFinite: number;
  readonly gradScale: number;
  readonly eps: number;
  readonly maxNorm: number;
  readonly relative: number;
  readonly weight: number;
  readonly warmup: number;
  readonly count: number;
  readonly most: number;
  readonly averages: readonly number[];
  readonly steps: readonly (readonly Norm[])[];
}

interface Entry {
  readonly scale: readonly [number, number];
  readonly flags: number;
  readonly norm: number;
}

/** What the pass before has left. */
function entryOf({ nonFinite, gradScale }: Row, norm: Norm): Entry & { words: number[] } {
  if (norm === undefined) {
    const scale = [ONE, ONE] as const;
    return { scale, flags: 0, norm: NAN, words: [...scale, 0, NAN, NAN, 0] };
  }
  if (!Number.isFinite(norm)) {
    const { scale, flags, norm: bits } = decisionOf(plain({ nonFinite }), found([norm]));
    return { scale, flags, norm: bits, words: [...scale, flags, bits, bits, 0] };
  }
  const after = product24(norm, gradScale);
  const power = after === 0 ? 0 : Math.round(Math.log2(ulp24(after))) + 24;
  const bits = bitsOf(Math.min(after, FLT_MAX));
  // Its decision is yet to come.
  return {
    scale: [1, 2],
    flags: CLIPPED,
    norm: bits,
    words: [1, 2, CLIPPED, bits, after === 0 ? 0 : bitsOf(after / 2 ** power), power],
  };
}

/** What all gradients have together. */
function found(norms: readonly Norm[]): Found {
  const there = norms.filter((norm) => norm !== undefined);
  const squares = there.filter(Number.isFinite).map((norm) => norm * norm);
  const sum = squares.reduce((total, square) => total + square, 0);
  const flags = (there.some(Number.isNaN) ? NAN_SEEN : 0) | (there.includes(Infinity) ? INFINITY_SEEN : 0);
  // Of 32 digits.
  return { sum: cut(sum, 32), largest: 0, nonFinite: 0, piece: NONE, element: NONE, flags };
}

function plain(more: Partial<Row>) {
  const { nonFinite = ZERO, gradScale = 1, eps = 0, maxNorm = 1, most = FLT_MAX } = more;
  const settings = { nonFinite, gradScale: bitsOf(gradScale), isHeld: true, eps, groups: 0 };
  return { ...settings, maxNorm: bitsOf(maxNorm), most: bitsOf(most), before: [], count: 1, found: [] };
}

const wordsFor = (row: Row): number[] => [
  ...[1, row.nonFinite, 1, NONE, NORMS, ...softWords(row.eps), ...softWords(row.relative), ...softWords(row.weight)],
  ...[row.warmup, row.count, bitsOf(row.most), bitsOf(row.gradScale), ...row.averages.flatMap(softWords)],
  ...[bitsOf(row.maxNorm), row.steps.length],
  ...row.steps.flatMap((norms) => {
    const { sum, flags } = found(norms);
    return [...softWords(sum), flags, ...norms.flatMap((norm) => entryOf(row, norm).words)];
  }),
];

/** Everything of a row by the method's definition. */
function wantedOf(row: Row): { steps: number[][]; count: number; averages: number[] } {
  const { gradScale, relative, weight, warmup, eps } = row;
  const averages = [...row.averages];
  let { count } = row;
  const noteLeast = (norm: number, i: number) => {
    const average = averages[i] as number;
    if (norm > 0 && (average === 0 || average > norm)) averages[i] = norm;
  };
  const decided = (norm: number, i: number): Pick<Entry, "scale" | "flags"> => {
    const average = averages[i] as number;
    let bound = Infinity;
    if (average === 0 || norm === 0) noteLeast(norm, i);
    else {
      bound = product24(relative, round24(average));
      averages[i] = moved32(average, Math.min(norm, bound), weight);
    }
    const divisor = sum32(norm, eps);
    if (!(divisor > bound)) return { scale: factorsOf(gradScale), flags: 0 };
    const scale =
      eps === 0 ? quotient24(bound, quotient24(norm, gradScale)) : product24(gradScale, quotient24(bound, divisor));
    return { scale: factorsOf(scale), flags: CLIPPED };
  };
  const steps = row.steps.map((norms) => {
    const verdict = decisionOf(plain(row), found(norms));
    const isFaulty = (verdict.flags & (NAN_SEEN | INFINITY_SEEN)) !== 0;
    const joint = floatOf(verdict.fraction) * 2 ** (verdict.power | 0);
    const isJoint = count < warmup;
    const each = norms.map((given, i): Entry => {
      const { words: _, ...before } = entryOf(row, given);
      const faults = before.flags & (NAN_SEEN | INFINITY_SEEN);
      if (verdict.isSpike) return { ...before, scale: [0, ONE], flags: faults | SKIP | SPIKE };
      if (given === undefined) return before;
      const norm = product24(given, gradScale);
      if (isJoint) {
        const clipped = verdict.flags & CLIPPED ? product24(norm, quotient24(row.maxNorm, joint)) : norm;
        if (!isFaulty) noteLeast(clipped, i);
        return { ...before, scale: verdict.scale, flags: faults | (verdict.flags & (CLIPPED | SKIP)) };
      }
      return faults ? before : { ...before, ...decided(norm, i) };
    });
    const flags = each.reduce((all, one) => all | one.flags, 0);
    if (isJoint && !isFaulty && !verdict.isSpike) count += 1;
    const isLeft = verdict.isSpike || (isJoint && (flags & SKIP) !== 0);
    const own = each.flatMap((one) => [...one.scale, one.flags, one.norm]);
    // Behind the last entry nothing changes.
    return [isLeft ? 0 : NAN, verdict.isSpike ? (flags & ~CLIPPED) | SKIP | SPIKE : flags, NAN, ...own, 7, 8, 9, ONE];
  });
  return { steps, count, averages };
}

function rows(): Row[] {
  const random = randomSource(5);
  const below = (end: number) => Math.floor(Math.abs(random()) * end);
  const norm = (scale: number): Norm => {
    const event = below(24);
    if (event < 4) return [0, undefined, Number.NaN, Infinity][event];
    return ((1 + below(4096)) / 1024) * scale * (event === 4 ? 64 : 1);
  };
  return range(300).map((k): Row => {
    const scale = 2 ** ((k % 11) - 5);
    const averages = range(NORMS).map((i) => ((k + i) % 3 ? scale * (1 + below(2 ** 20) * 2 ** -31) : 0));
    return {
      nonFinite: [ZERO, KEEP, PROPAGATE][k % 3] as number,
      gradScale: [1, 0.5, 0.7, 3].map(Math.fround)[k % 4] as number,
      eps: k % 7 === 0 ? Math.fround(1e-3) : 0,
      maxNorm: [scale, Infinity, 0, 3 * scale][k % 5] ?? Math.fround(0.3 * scale),
      relative: [1, 1.05, 2].map(Math.fround)[below(3)] as number,
      weight: [1, 0.5, 1 - 0.98].map(Math.fround)[below(3)] as number,
      warmup: below(8),
      count: below(3),
      most: [FLT_MAX, 8 * scale][k % 2] as number,
      averages: k % 2 ? averages : range(NORMS).map(() => 0),
      steps: range(1 + (k % STEPS)).map(() => range(NORMS).map(() => norm(scale))),
    };
  });
}

/** A norm at its bound and beside it, and the joint norm at its own. */
function atBounds(): Row[] {
  const one: Row = {
    ...{
      nonFinite: ZERO,
      gradScale: 1,
      eps: 0,
      maxNorm: 5,
      relative: 1,
      weight: 0.5,
      warmup: 0,
      count: 0,
      most: FLT_MAX,
    },
    averages: [3, 3, 3, 3],
    steps: [[3, floatOf(bitsOf(3) + 1), floatOf(bitsOf(3) - 1), 3]],
  };
  return [
    one,
    { ...one, maxNorm: Infinity },
    ...[0, 1, 2].flatMap((count) =>
      [1, 2].map((warmup): Row => ({ ...one, count, warmup, steps: [[3, 4, 0, undefined]] })),
    ),
    { ...one, warmup: 9, averages: [0, 2, 4, 3], steps: [[3, 4, 0, 0]] },
    { ...one, warmup: 9, averages: [0, 2, 4, 3], steps: [[1, 2, 4, 0]] },
  ];
}

const inputs = once(() => [...atBounds(), ...rows()].map((row) => ({ row, words: wordsFor(row), ...wantedOf(row) })));

type Wanted = ReturnType<typeof wantedOf>;

function wrongIn({ steps, count, averages }: Wanted, words: Uint32Array): readonly string[] {
  const wrong = steps.flatMap((wanted, k) => {
    const got = words.subarray(STEP_RESULTS * k, STEP_RESULTS * (k + 1));
    return wanted.every((word, i) => word >>> 0 === got[i]) ? [] : [`step ${k} is ${got}, wanted ${wanted}`];
  });
  const [counted, ...after] = words.subarray(STEP_RESULTS * STEPS);
  const got = [counted, ...range(NORMS + 1).map((n) => softIn(after, 2 * n))];
  // Behind the last average nothing changes.
  const wanted = [count, ...averages, 0];
  return `${got}` === `${wanted}` ? wrong : [...wrong, `afterwards it has ${got}, wanted ${wanted}`];
}

export const cases: Case[] = dependentOn("text", [
  {
    name: "every entry, flag and average over some steps, in the warm-up and after it",
    gpuScript: (harness) => checkEach(harness, EACH, inputs(), ({ words }) => words, wrongIn),
  },
]);
