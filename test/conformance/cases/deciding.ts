/** The kernel that decides on a step, as a function of what was found and set: every word of the record, and a history of three steps. */
import finish from "../../../shaders/finish.wgsl?raw&named";
import rule from "../../../shaders/rules/global.wgsl?raw&named";
import judge from "../../../shaders/shared/judge.wgsl?raw&named";
import record from "../../../shaders/shared/record.wgsl?raw&named";
import skip from "../../../shaders/skips/above.wgsl?raw&named";
import { dependentOn, range } from "../build.ts";
import { softWords } from "../digits.ts";
import { bitsOf, FLT_MAX, randomSource } from "../numbers.ts";
import { asFunctions, putAll, readInto } from "../oneLane.ts";
import {
  CLIPPED,
  EACH,
  type Found,
  HISTORY_STEPS,
  INFINITY,
  INFINITY_SEEN,
  KEEP,
  NAN,
  NAN_SEEN,
  NONE,
  ONE,
  PROPAGATE,
  recordAfter,
  SKIP,
  SPIKE,
  type Step,
  TAKEN,
  ZERO,
} from "../referenceDecision.ts";
import { type Call, checkEach, once } from "../shaderFunctions.ts";
import type { Case } from "../types.ts";

const SIGN = 0x80000000;
const GIVEN = 0xfffffffe;
const ARRAYS = 8 * HISTORY_STEPS;
const FIRST_PARTIAL = 9;
const MOST_PARTIALS = 6;

const SETTINGS = ["partialCount", "nonFinite", "gradScaleIndex", "totalNormIndex", "totalNormMantissa"]
  .concat(["totalNormExponent(i)", "totalNormFlags", "power", "epsMantissa", "epsExponent(i)", "groupCount"])
  .map((name) => `settings.${name}`);
const COUNTERS = ["record.steps", "record.clippedSteps", "record.skippedSteps", "record.nonFiniteSteps"]
  .concat(["record.badStepsInARow", "spikeSteps", "lastStep", "lastPiece", "lastElement"])
  .map((name) => `whole.${name}`);
const READ = [...SETTINGS, "gradScaleSource[2]", "totalNormSource[3]", "state.skip.norm", ...COUNTERS];
const BYTES_AT = READ.length;
const PARTIALS_AT = READ.length + 2;
const PARTIAL_WORDS = 7;
const WORDS = ["scale.x", "scale.y", "flags", "norm", "fraction", "power", "nonFinite"]
  .concat(["firstPiece", "firstElement", "maxAbs", "steps", "clippedSteps", "skippedSteps", "maxNorm"])
  .concat(["nonFiniteSteps", "badStepsInARow"])
  .map((name) => `whole.record.${name}`)
  .concat(["lastStep", "lastPiece", "lastElement", "spikeSteps"].map((name) => `whole.${name}`));
const HISTORY = range(8 * HISTORY_STEPS).map((k) => `state.words[${k}]`);

const CALL: Call = {
  text: asFunctions(
    finish,
    {
      texts: { "shared/record": record, "shared/judge": judge, rule, skip },
      conditions: { SKIPS: true, HISTORY: true },
    },
    ARRAYS,
  ),
  body: `
  settings.firstPartial = ${FIRST_PARTIAL}u;
  settings.history = ${HISTORY_STEPS}u;
  gradScaleSource[${ARRAYS - 1}] = ${NAN}u;
  totalNormSource[${ARRAYS - 1}] = ${NAN}u;
  ${readInto(READ)}
  ${range(8)
    .map((k) => `byte${k}.x = (at(${BYTES_AT + Math.floor(k / 4)}u) >> ${8 * (k % 4)}u) & 255u;`)
    .join("\n")}
  for (var k = 0u; k < ${MOST_PARTIALS}u; k += 1u) {
    let start = ${PARTIALS_AT}u + ${PARTIAL_WORDS}u * k;
    let total = wide(SoftFloat(at(start), i32(at(start + 1u))));
    partials[${FIRST_PARTIAL}u + k] = Partial(total, at(start + 2u), at(start + 3u), at(start + 4u), at(start + 5u), at(start + 6u));
  }
  kernel(0u);
  ${putAll([...WORDS, ...HISTORY])}
`,
  inputWords: PARTIALS_AT + PARTIAL_WORDS * MOST_PARTIALS,
  resultWords: WORDS.length + HISTORY.length,
};

function wordsFor(step: Step): number[] {
  const { gradScale, isHeld, total, found } = step;
  const given = typeof total === "object" ? total : undefined;
  const index = given ? GIVEN : total === undefined ? NONE : 3;
  const held = typeof total === "number" ? total : NAN;
  return [
    ...[step.count, step.nonFinite, isHeld ? 2 : NONE, index, ...softWords(given?.norm ?? 0), given?.flags ?? 0, 0],
    ...[...softWords(step.eps), step.groups, isHeld ? gradScale : NAN, held, step.most, ...step.before],
    ...[step.maxNorm, isHeld ? NAN : gradScale],
    ...found.flatMap(({ sum, ...one }) => [
      ...softWords(sum),
      one.largest,
      one.nonFinite,
      one.piece,
      one.element,
      one.flags,
    ]),
  ];
}

const FACTORS = [
  ONE,
  ONE,
  ONE,
  ONE,
  bitsOf(0.5),
  bitsOf(3e10),
  0x800000,
  0x7fffff,
  INFINITY,
  NAN,
  0,
  bitsOf(-1),
  0x7f7fffff,
];
const TOTALS = [SIGN, 0, INFINITY, INFINITY + 1, bitsOf(-1), 1, 0x7f7fffff, ONE, NAN];
const BOUNDS = [INFINITY, 0, 1, ONE, 0x7f7fffff, 0x800000, bitsOf(3)];
const FLAGS = [
  NAN_SEEN,
  INFINITY_SEEN,
  NAN_SEEN | INFINITY_SEEN,
  CLIPPED,
  SKIP,
  TAKEN,
  TAKEN | SKIP,
  CLIPPED | TAKEN | SKIP,
  SPIKE,
];

function steps(): Step[] {
  const random = randomSource(11);
  const below = (end: number) => Math.floor(Math.abs(random()) * end);
  const positive = () => ((1 + below(2 ** 23)) / 2 ** 20) * 2 ** (below(30) - 15);
  const foundOne = (k: number, exponent: number): Found => {
    const isBad = below(5) === 0;
    const flags = below(4) === 0 ? (FLAGS[below(FLAGS.length)] as number) : 0;
    return {
      // Whole numbers, whose sums have at most 24 digits.
      sum: (k % 7 === 6 ? 0 : below(2 ** 20)) * 2 ** exponent,
      largest: bitsOf(positive()),
      nonFinite: isBad ? 1 + below(3) : 0,
      piece: isBad ? below(3) : NONE,
      element: isBad ? below(4) : NONE,
      flags: k % 3 === 0 ? flags : 0,
    };
  };
  return range(1500).map((k): Step => {
    // Beyond float32 now and then.
    const exponent = 2 * (k % 5 === 0 ? below(300) - 150 : below(20) - 20);
    const total = k % 3 === 0 ? undefined : [...TOTALS, bitsOf(positive())][below(4 * TOTALS.length)];
    const given = {
      norm: positive() * 2 ** (below(400) - 200),
      flags: [0, 0, 0, NAN_SEEN, INFINITY_SEEN][below(5)] as number,
    };
    return {
      nonFinite: [ZERO, KEEP, PROPAGATE, EACH][below(4)] as number,
      gradScale: [...FACTORS, bitsOf(positive())][k % 2 ? 0 : below(FACTORS.length + 1)] as number,
      isHeld: below(2) === 0,
      total: k % 7 === 1 ? { ...given, norm: given.flags ? 0 : given.norm } : total,
      eps: k % 4 ? 0 : ([1e-6, 1, 2 ** -30].map(Math.fround)[below(3)] as number),
      // With groups a gradScale that is no factor is told by their flags.
      groups: k % 2 && below(3) === 0 ? 1 + below(2) : 0,
      maxNorm: [...BOUNDS, bitsOf(positive())][below(2 * BOUNDS.length)] ?? bitsOf(positive()),
      most: k % 8 ? bitsOf(FLT_MAX) : bitsOf(positive()),
      before: [below(9) === 0 ? NONE : below(9), ...range(8).map(() => below(100))],
      count: below(MOST_PARTIALS + 1),
      found: range(MOST_PARTIALS).map(() => foundOne(k, exponent)),
    };
  });
}

const PLAIN: Step = {
  ...{
    nonFinite: ZERO,
    gradScale: ONE,
    isHeld: false,
    eps: 0,
    groups: 0,
    maxNorm: ONE,
    most: bitsOf(FLT_MAX),
    count: 1,
  },
  before: range(9).map((k) => 10 + k),
  found: range(MOST_PARTIALS).map(() => ({ sum: 0, largest: 0, nonFinite: 0, piece: NONE, element: NONE, flags: 0 })),
};

function found(sum: number, more: Partial<Found> = {}): Found[] {
  return PLAIN.found.map((one, k) => (k === 0 ? { ...one, sum, ...more } : one));
}

/** Scales around the ends of one factor and of two; norms at the bound and beside it, at the number that is skipped above, and beyond float32. */
function ends(): Step[] {
  const powers = range(290).map((k) => 2 ** (k - 150));
  const scaled = powers.flatMap((norm): Step[] =>
    [1, 0, ONE, 0x800000].map((maxNorm) => ({ ...PLAIN, maxNorm, found: found(norm * norm) })),
  );
  const atBound = range(60).flatMap((k): Step[] => {
    const norm = 3 + 2 * k;
    return [-1, 0, 1].flatMap((off) => [
      { ...PLAIN, maxNorm: bitsOf(norm) + off, found: found(norm * norm) },
      { ...PLAIN, maxNorm: bitsOf(norm) + off, found: found(norm * norm), eps: 2 ** -30 },
      { ...PLAIN, most: bitsOf(norm) + off, found: found(norm * norm) },
    ]);
  });
  const beyond: Step[] = [{ ...PLAIN, maxNorm: INFINITY, found: found(2 ** 270) }];
  // A third, so that rounding shows which of the two norms divides.
  const rounded = range(60).map(
    (k): Step => ({ ...PLAIN, maxNorm: bitsOf(1 / 3), gradScale: bitsOf(0.7), found: found(2 * k + 2) }),
  );
  return [...scaled, ...atBound, ...beyond, ...rounded];
}

const inputs = once(() =>
  [...ends(), ...steps()].map((step) => ({ step, words: wordsFor(step), wanted: recordAfter(step) })),
);

function wrongIn({ wanted }: { wanted: readonly number[] }, words: Uint32Array): readonly string[] {
  return wanted.flatMap((want, k) => {
    const got = words[k] as number;
    if (got === want >>> 0) return [];
    return [`${[...WORDS, ...HISTORY][k]} is 0x${got.toString(16)}, wanted 0x${(want >>> 0).toString(16)}`];
  });
}

export const cases: Case[] = dependentOn("text", [
  {
    name: "every word of the record, of a step by one workgroup of one lane",
    gpuScript: (harness) => checkEach(harness, CALL, inputs(), ({ words }) => words, wrongIn),
  },
]);
