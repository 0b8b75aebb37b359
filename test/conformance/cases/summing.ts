/** The kernel that sums, as a function of memory and of segments: every word of the partials. */
import { dependentOn, range } from "../build.ts";
import { bits16From, bitsOf, floatOf, widened16 } from "../numbers.ts";
import { readInto } from "../oneLane.ts";
import { type Call, checkEach, once } from "../shaderFunctions.ts";
import type { Case } from "../types.ts";
import {
  elementsOf,
  type Found,
  foundIn,
  type Layout,
  PARTIAL_WORDS,
  putPartials,
  randomBelow,
  readArray,
  readPartials,
  type Segment,
  segmentsAmong,
  segmentWords,
  textOf,
  together,
  wordsOfFound,
  workgroupsFor,
  wrongPartials,
} from "../walks.ts";

const LANES = 4;
const WORDS = 96;
const SEGMENTS = 4;
const PARTIALS = 8;
const HEAD = ["segmentCount", "tilesPerWorkgroup", "accumulates", "firstPartial"].map((name) => `table.${name}`);
const SEGMENTS_AT = HEAD.length + 1;
const PARTIALS_AT = SEGMENTS_AT + 8 * SEGMENTS;
const MEMORY_AT = PARTIALS_AT + PARTIAL_WORDS * PARTIALS;

interface Kind {
  readonly dtype: "f32" | "f16";
  readonly layout: Layout;
  readonly width: 1 | 4;
  readonly termOf: (value: number) => number;
}

/** Words of four float32s and squares; and words of two float16s, of which a segment may begin with the second, and magnitudes. */
const KINDS: readonly Kind[] = [
  { dtype: "f32", layout: { tile: 4 * LANES, elements: 4 }, width: 4, termOf: (value) => value * value },
  { dtype: "f16", layout: { tile: 4 * LANES, elements: 2 }, width: 1, termOf: Math.abs },
];

function callFor({ dtype, width }: Kind): Call {
  const isPacked = dtype === "f16";
  return {
    text: textOf({
      kernel: "norm",
      texts: {
        format: `formats/${dtype}`,
        word: isPacked ? "words/u32" : "words/vec4",
        terms: isPacked ? "norms/l1_terms" : "norms/l2_terms",
      },
      conditions: isPacked ? ["EDGES", "PACKED"] : ["UNPACKED"],
      lanes: LANES,
      length: WORDS,
      lengths: { partials: PARTIALS },
      rows: 2 * SEGMENTS,
    }),
    body: `
  ${readInto(HEAD)}
  ${readArray("table.segments", 2 * SEGMENTS, SEGMENTS_AT, 4)}
  ${readPartials(PARTIALS, PARTIALS_AT)}
  ${readArray("gradients_0", WORDS, MEMORY_AT, width)}
  runAll(at(${HEAD.length}u));
  ${putPartials(PARTIALS, 0)}
`,
    inputWords: MEMORY_AT + WORDS * width,
    resultWords: PARTIAL_WORDS * PARTIALS,
  };
}

interface Input {
  readonly segments: readonly Segment[];
  readonly tilesPerWorkgroup: number;
  readonly accumulates: boolean;
  readonly firstPartial: number;
  readonly before: readonly Found[];
  /** All of memory: bits of the format. */
  readonly bits: readonly number[];
}

interface Row {
  readonly words: readonly number[];
  readonly wanted: readonly Found[];
}

function rowOf({ dtype, layout, termOf }: Kind, input: Input): Row {
  const { segments, tilesPerWorkgroup, accumulates, firstPartial, before, bits } = input;
  const floats = dtype === "f16" ? [...widened16("f16", bits)] : bits;
  const workgroups = workgroupsFor(segments, layout, tilesPerWorkgroup);
  const own = segments.flatMap((segment) =>
    elementsOf(segment, layout).map(({ from, number, tile }) => {
      const float = floats[from] as number;
      const found = foundIn(float, termOf(floatOf(float)), segment.piece, number);
      return { workgroup: Math.floor(tile / tilesPerWorkgroup), found };
    }),
  );
  const wanted = before.map((one, k) => {
    const workgroup = k - firstPartial;
    if (workgroup < 0 || workgroup >= workgroups) return one;
    const found = own.flatMap((each) => (each.workgroup === workgroup ? [each.found] : []));
    return together(accumulates ? [one, ...found] : found);
  });
  const memory =
    dtype === "f16"
      ? range(bits.length / 2).map((k) => (bits[2 * k] as number) + (bits[2 * k + 1] as number) * 2 ** 16)
      : bits;
  return {
    words: [
      ...[segments.length, tilesPerWorkgroup, Number(accumulates), firstPartial, workgroups],
      ...range(SEGMENTS).flatMap((k) => (segments[k] ? segmentWords(segments[k]) : range(8).map(() => 0))),
      ...before.flatMap(wordsOfFound),
      ...memory,
    ],
    wanted,
  };
}

/** Whole numbers of one power, so that sums in float32 have no rounding errors. */
function inputs({ dtype, layout, width }: Kind): Input[] {
  const below = randomBelow(3);
  const isPacked = dtype === "f16";
  const faults = isPacked ? [0x7c00, 0xfc00, 0x7e00, 0xfc01] : [0x7f800000, 0xff800000, 0x7fc00000, 0xff800001];
  const bitsFrom = (value: number) => (isPacked ? (bits16From("f16", [value])[0] as number) : bitsOf(value));
  const foundBefore = (): Found => ({
    sum: below(9),
    largest: below(5) * 2 ** 29,
    nonFinite: below(3),
    first: below(2) ? [below(3), below(200)] : [2 ** 32 - 1, 2 ** 32 - 1],
    flags: below(2) * 4 + below(2) * 8,
  });
  const usual = range(250).map((k): Input => {
    const tilesPerWorkgroup = 1 + below(3);
    const segments = segmentsAmong(below, layout, { most: 1 + below(SEGMENTS), words: WORDS, hasEdges: isPacked });
    const workgroups = workgroupsFor(segments, layout, tilesPerWorkgroup);
    // In float32 a power beyond what may be summed in float32.
    const power = isPacked ? 0 : ([-60, 55][k % 4] ?? 0);
    const isFaulty = k % 3 === 0;
    const value = () => (k % 25 === 0 ? 0 : (1 + below(500)) * 2 ** power * (below(2) ? 1 : -1));
    return {
      segments,
      tilesPerWorkgroup,
      accumulates: below(2) === 0,
      firstPartial: below(PARTIALS - workgroups + 1),
      before: range(PARTIALS)
        .map(foundBefore)
        .map((found) => ({ ...found, sum: found.sum * 2 ** (2 * power) })),
      bits: range(WORDS * layout.elements).map(() =>
        isFaulty && below(20) === 0 ? (faults[below(faults.length)] as number) : bitsFrom(value()),
      ),
    };
  });
  // As many tiles as a lane sums in float32, and one more: of numbers whose sum has 24 digits.
  const long =
    width === 1
      ? []
      : [4, 5].map(
          (tiles): Input => ({
            segments: [{ first: 1, count: tiles * layout.tile, tile: 0, piece: 0, into: 1, group: 0, edges: 0 }],
            tilesPerWorkgroup: tiles,
            accumulates: false,
            firstPartial: 0,
            before: range(PARTIALS).map(foundBefore),
            bits: range(WORDS * layout.elements).map(() => bitsOf(1000 + below(24))),
          }),
        );
  return [...usual.filter(({ firstPartial }) => firstPartial >= 0), ...long];
}

export const cases: Case[] = dependentOn(
  "text",
  KINDS.map((kind): Case => {
    const rows = once(() => inputs(kind).map((input) => rowOf(kind, input)));
    return {
      name: `partials of ${kind.dtype}, by workgroups of ${LANES} lanes`,
      gpuScript: (harness) =>
        checkEach(
          harness,
          callFor(kind),
          rows(),
          ({ words }) => words,
          ({ wanted }, words) => wrongPartials(wanted, words),
        ),
    };
  }),
);
