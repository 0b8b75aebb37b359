/** The kernel that decides each group, as a function of partials and of bundles of groups: every word of the entries and of the partials afterwards. */
import { resolved } from "../../../src/webgpu/template.ts";
import { dependentOn, range } from "../build.ts";
import { product24, root28, softWords } from "../digits.ts";
import { bitsOf, FLT_MAX, floatOf, round24 } from "../numbers.ts";
import { alone, putAll, readInto } from "../oneLane.ts";
import {
  CLIPPED,
  decisionOf,
  KEEP,
  NAN,
  NAN_SEEN,
  ONE,
  PROPAGATE,
  SKIP,
  SPIKE,
  type Step,
  TAKEN,
  ZERO,
} from "../referenceDecision.ts";
import { type Call, checkEach, once } from "../shaderFunctions.ts";
import type { Case } from "../types.ts";
import {
  type Found,
  NONE,
  NOTHING,
  PARTIAL_WORDS,
  putPartials,
  randomBelow,
  readArray,
  readPartials,
  shaders,
  textOf,
  together,
  wordsOfFound,
  wrongPartials,
} from "../walks.ts";

/** Two groups of eight lanes each. */
const LANES = 16;
const IN_WORKGROUP = 2;
const GROUPS = 9;
const PARTIALS = 48;
const BUNDLES = 144;
const [ABSENT, INDEPENDENT, UNJUDGED] = [1, 2, 4];

const HEAD = ["nonFinite", "gradScaleIndex", "totalNormIndex", "epsMantissa", "epsExponent(i)", "groupCount"]
  .concat(["bundleCount", "firstPartial", "partialCount", "rounds"])
  .map((name) => `settings.${name}`)
  .concat(["gradScaleSource[1]"]);
const BUNDLES_AT = HEAD.length + 2;
const PARTIALS_AT = BUNDLES_AT + BUNDLES;
const ENTRY = ["scale.x", "scale.y", "flags", "norm", "fraction", "power", "nonFinite", "reserved"];

const CALL: Call = {
  text: textOf({
    kernel: "finish_groups",
    texts: { root: "norms/l2_root", rule: "rules/agc" },
    conditions: ["IN_PART"],
    lanes: LANES,
    length: BUNDLES,
    lengths: { partials: PARTIALS, entries: GROUPS, gradScaleSource: 2, totalNormSource: 2 },
  }),
  body: `
  ${readInto(HEAD)}
  ${range(4)
    .map((k) => `byte${k}.x = (at(${HEAD.length}u) >> ${8 * k}u) & 255u;`)
    .join("\n")}
  ${readArray("bundles", BUNDLES, BUNDLES_AT, 1)}
  ${readPartials(PARTIALS, PARTIALS_AT)}
  for (var k = 0u; k < ${GROUPS}u; k += 1u) { entries[k].reserved = 5u; entries[k].norm = 6u; }
  runAll(at(${HEAD.length + 1}u));
  ${putPartials(PARTIALS, 0)}
  for (var k = 0u; k < ${GROUPS}u; k += 1u) {
    ${ENTRY.map((name, i) => `put(${PARTIAL_WORDS * PARTIALS + i}u + ${ENTRY.length}u * k, u32(entries[k].${name}));`).join(" ")}
  }
`,
  inputWords: PARTIALS_AT + PARTIAL_WORDS * PARTIALS,
  resultWords: PARTIAL_WORDS * PARTIALS + ENTRY.length * GROUPS,
};

/** The first partial of the first group, and how many each group has. */
type Range = readonly [first: number, each: number];

interface Bundle {
  readonly groups: number;
  readonly own: readonly Range[];
  readonly parameter: readonly Range[];
  readonly weight: number;
  readonly traits: number;
}

interface Input {
  readonly bundles: readonly Bundle[];
  readonly found: readonly Found[];
  readonly firstPartial: number;
  readonly rounds: number;
  readonly nonFinite: number;
  readonly gradScale: number;
  readonly eps: number;
  readonly maxNorm: number;
}

interface Row {
  readonly words: readonly number[];
  readonly partials: readonly Found[];
  readonly entries: readonly number[];
}

function bundleWords(bundles: readonly Bundle[]): number[] {
  const ranges: number[] = [];
  let group = 0;
  const head = bundles.flatMap(({ groups, own, parameter, weight, traits }) => {
    const places = [own, parameter].flatMap((list) => {
      ranges.push(...list.flat());
      return [7 * bundles.length + ranges.length - 2 * list.length, list.length];
    });
    group += groups;
    return [group - groups, ...places, bitsOf(weight), traits];
  });
  return range(BUNDLES).map((k) => [...head, ...ranges][k] ?? 0);
}

function rowOf(input: Input): Row {
  const { bundles, found, firstPartial, rounds, nonFinite, gradScale, eps, maxNorm } = input;
  const groups = bundles.flatMap((bundle) => range(bundle.groups).map((k) => ({ ...bundle, k })));
  const workgroups = Math.ceil(groups.length / (IN_WORKGROUP * rounds));
  const decided = groups.map(({ own, parameter, weight, traits, k }) => {
    const foundIn = (ranges: readonly Range[]) =>
      together(ranges.flatMap(([first, each]) => found.slice(first + k * each, first + (k + 1) * each)));
    const [mine, parameterAll] = [foundIn(own), foundIn(parameter)];
    const all = { ...mine, flags: mine.flags | (parameterAll.flags ? NAN_SEEN : 0) };
    const bound = product24(maxNorm, Math.max(round24(root28(parameterAll.sum)), weight));
    const step: Step = {
      ...{ nonFinite, gradScale: bitsOf(gradScale), isHeld: true, eps, groups: 0, most: bitsOf(FLT_MAX) },
      ...{ maxNorm: bitsOf(bound), before: [], count: 1, found: [] },
    };
    const { scale, flags, norm, fraction, power } = decisionOf(step, { ...all, piece: 0, element: 0 });
    const isAbsent = traits & ABSENT;
    const entry = isAbsent ? [ONE, ONE, 0, NAN, NAN, 0] : [...scale, flags, norm, fraction, power];
    const ownFlags = isAbsent ? 0 : flags;
    const taken = traits & INDEPENDENT && !(ownFlags & SKIP) ? TAKEN : 0;
    return {
      entry: [...entry, all.nonFinite, 0],
      share: { ...mine, flags: mine.flags | ownFlags | taken },
      judged: traits & UNJUDGED ? NOTHING : all,
    };
  });
  const partials = [...found];
  for (const workgroup of range(workgroups)) {
    const here = decided.slice(workgroup * IN_WORKGROUP * rounds, (workgroup + 1) * IN_WORKGROUP * rounds);
    partials[firstPartial + workgroup] = together(here.map(({ share }) => share));
    partials[firstPartial + workgroups + workgroup] = together(here.map(({ judged }) => judged));
  }
  return {
    words: [
      ...[nonFinite, 1, NONE, ...softWords(eps), groups.length, bundles.length, firstPartial, workgroups, rounds],
      ...[bitsOf(gradScale), bitsOf(maxNorm), workgroups],
      ...bundleWords(bundles),
      ...found.flatMap(wordsOfFound),
    ],
    partials,
    entries: range(GROUPS).flatMap((k) => decided[k]?.entry ?? [0, 0, 0, 6, 0, 0, 0, 5]),
  };
}

function inputs(): Input[] {
  const below = randomBelow(51);
  const foundOne = (): Found => {
    const isBad = below(12) === 0;
    return {
      // Whole numbers, whose sums have at most 24 digits.
      sum: below(2 ** 18),
      largest: bitsOf(1 + below(99)),
      nonFinite: isBad ? 1 + below(3) : 0,
      first: isBad ? [below(4), below(9)] : [NONE, NONE],
      flags: isBad ? ([4, 8, 12][below(3)] as number) : 0,
    };
  };
  return range(400).map((k): Input => {
    const bundles: Bundle[] = [];
    let [left, next] = [1 + below(GROUPS), 0];
    while (left > 0) {
      const groups = Math.min(left, 1 + below(4));
      const ranges = (most: number): Range[] =>
        range(below(most + 1)).flatMap((): Range[] => {
          const each = k % 20 === 0 ? 9 + below(2) : 1 + below(2);
          if (next + groups * each > PARTIALS - 2 * GROUPS) return [];
          next += groups * each;
          return [[next - groups * each, each]];
        });
      bundles.push({
        groups,
        own: ranges(2),
        parameter: ranges(2),
        weight: [0, 1, 300][below(3)] as number,
        traits: below(3) ? 0 : below(8),
      });
      left -= groups;
    }
    return {
      bundles,
      found: range(PARTIALS).map(foundOne),
      firstPartial: next + below(2),
      rounds: 1 + below(3),
      nonFinite: [ZERO, KEEP, PROPAGATE][below(3)] as number,
      gradScale: [1, 0.5, Math.fround(0.7)][below(3)] as number,
      eps: below(3) ? 0 : 0.5,
      maxNorm: [1, 0.25, Math.fround(0.3), 0][below(4)] as number,
    };
  });
}

const ENTRIES = 11;

/** Two workgroups of four lanes. */
const SKIPPING: Call = {
  text: alone(resolved(shaders.skip_groups as string, { texts: shaders, tokens: { WORKGROUP_SIZE: "4" } }), ENTRIES),
  body: `
  record.flags = at(0u);
  for (var k = 0u; k < ${ENTRIES}u; k += 1u) { entries[k] = Entry(vec2u(5u, 6u), at(k + 1u), 7u, 8u, 9, 10u, 11u); }
  for (var id = 0u; id < 8u; id += 1u) { kernel(vec3u(id, 0u, 0u), vec3u(2u, 1u, 1u)); }
  ${putAll(range(ENTRIES).flatMap((k) => ENTRY.map((name) => `entries[${k}].${name}`)))}
`,
  inputWords: ENTRIES + 1,
  resultWords: ENTRY.length * ENTRIES,
};

/** The flags of the record, and those of the entries. */
const skipInputs = range(64).map((flags) => [flags, ...range(ENTRIES).map((k) => (flags * 7 + k * 5) % 64)]);

function wrongSkips([flags = 0, ...each]: readonly number[], words: Uint32Array): readonly string[] {
  return each.flatMap((before, k) => {
    const after = flags & SPIKE ? [0, ONE, (before & ~CLIPPED) | SKIP | SPIKE] : [5, 6, before];
    const got = words.subarray(ENTRY.length * k, ENTRY.length * (k + 1));
    const wanted = [...after, 7, 8, 9, 10, 11];
    return `${got}` === `${wanted}` ? [] : [`entry ${k} is ${got}, wanted ${wanted}`];
  });
}

const rows = once(() => inputs().map(rowOf));

function wrongIn({ partials, entries }: Row, words: Uint32Array): readonly string[] {
  return [
    ...wrongPartials(partials, words),
    ...entries.flatMap((want, k) => {
      const got = words[PARTIAL_WORDS * PARTIALS + k];
      const name = `${ENTRY[k % ENTRY.length]} of entry ${Math.floor(k / ENTRY.length)}`;
      return got === want >>> 0 ? [] : [`${name} is ${got}, wanted ${want} or ${floatOf(want)}`];
    }),
  ];
}

export const cases: Case[] = dependentOn("text", [
  {
    name: "every entry, and partials of all groups and of those that are judged",
    gpuScript: (harness) => checkEach(harness, CALL, rows(), ({ words }) => words, wrongIn),
  },
  {
    name: "every entry of a step that is skipped",
    gpuScript: (harness) => checkEach(harness, SKIPPING, skipInputs, (words) => words, wrongSkips),
  },
]);
