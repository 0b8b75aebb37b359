/** The kernel that clips each value, as a function of memory, of segments and of limits: every element afterwards, and every word of the partials. */
import { dependentOn, range } from "../build.ts";
import { bits16From, bitsIn, bitsOf, FLT_MAX, floatOf, MIN_NORMAL, round24, widened16 } from "../numbers.ts";
import { readInto } from "../oneLane.ts";
import { type Call, checkEach, once } from "../shaderFunctions.ts";
import type { Case } from "../types.ts";
import {
  elementsOf,
  type Found,
  foundIn,
  type Layout,
  NOTHING,
  PARTIAL_WORDS,
  putArray,
  putPartials,
  type Random,
  randomBelow,
  readArray,
  readPartials,
  type Segment,
  segmentsAmong,
  segmentWords,
  shaders,
  textOf,
  together,
  wordsOfFound,
  workgroupsFor,
  wrongPartials,
} from "../walks.ts";

const LANES = 2;
const WORDS = 40;
const SEGMENTS = 4;
const PARTIALS = 12;
const [ONE, NAN, INFINITY, SIGN, NONE] = [0x3f800000, 0x7fc00000, 0x7f800000, 2 ** 31, 2 ** 32 - 1];
const CLIPPED = 1;

interface Kind {
  readonly dtype: "f32" | "f16";
  readonly layout: Layout;
  readonly isInto: boolean;
}

const KINDS: readonly Kind[] = [
  { dtype: "f32", layout: { tile: 4 * LANES, elements: 4 }, isInto: false },
  { dtype: "f16", layout: { tile: 4 * LANES, elements: 2 }, isInto: true },
  { dtype: "f16", layout: { tile: 4 * LANES, elements: 2 }, isInto: false },
];

const HEAD = ["segmentCount", "tilesPerWorkgroup", "accumulates", "firstPartial", "low", "high", "gradScaleIndex"]
  .map((name) => `table.${name}`)
  .concat(["gradScaleSource[2]", "byte4.x", "byte5.x", "byte6.x", "byte7.x"]);
const SEGMENTS_AT = HEAD.length + 1;
const PARTIALS_AT = SEGMENTS_AT + 8 * SEGMENTS;
const MEMORY_AT = PARTIALS_AT + PARTIAL_WORDS * PARTIALS;

function callFor({ dtype, isInto }: Kind): Call {
  const isPacked = dtype === "f16";
  const width = isPacked ? 1 : 4;
  const flushing = (shaders["shared/multiplied"] as string)
    .replace("bits & Word(0x7fffffffu)", "flushed(bits & Word(0x7fffffffu))")
    .replace("Word(0u), product, product >=", "Word(0u), flushed(product), product >=");
  return {
    text: `${textOf({
      kernel: "clamp",
      texts: { format: `formats/${dtype}`, word: isPacked ? "words/u32" : "words/vec4" },
      conditions: isPacked ? ["EDGES", "PACKED"] : ["UNPACKED"],
      lanes: LANES,
      length: WORDS,
      lengths: { partials: PARTIALS },
      rows: 2 * SEGMENTS,
      isInto,
      own: { "shared/multiplied": flushing },
    })}
// As a device may that flushes subnormal numbers.
fn flushed(bits: Word) -> Word { return select(bits, Word(), bits < Word(HIDDEN)); }
`,
    body: `
  ${readInto(HEAD)}
  ${readArray("table.segments", 2 * SEGMENTS, SEGMENTS_AT, 4)}
  ${readPartials(PARTIALS, PARTIALS_AT)}
  ${readArray("gradients_0", WORDS, MEMORY_AT, width)}
  ${isInto ? readArray("into_0", WORDS, MEMORY_AT + WORDS * width, width) : ""}
  runAll(at(${HEAD.length}u));
  ${putPartials(PARTIALS, 0)}
  ${putArray(isInto ? "into_0" : "gradients_0", WORDS, PARTIAL_WORDS * PARTIALS, width)}
`,
    inputWords: MEMORY_AT + (isInto ? 2 : 1) * WORDS * width,
    resultWords: PARTIAL_WORDS * PARTIALS + WORDS * width,
  };
}

interface Input {
  readonly segments: readonly Segment[];
  readonly tilesPerWorkgroup: number;
  readonly accumulates: boolean;
  readonly firstPartial: number;
  readonly before: readonly Found[];
  readonly low: number;
  readonly high: number;
  /** Bits, and whether they are in a buffer. */
  readonly gradScale: number;
  readonly isHeld: boolean;
  readonly bits: readonly number[];
}

interface Row {
  readonly words: readonly number[];
  readonly wanted: readonly number[];
  readonly partials: readonly Found[];
}

/** Of float32 bits. */
function clamped(bits: number, { low, high, gradScale }: Input): { bits: number; isClipped: boolean } {
  const [before, factor] = [floatOf(bits), floatOf(gradScale)];
  if (Number.isNaN(before)) return { bits, isClipped: false };
  if (!(factor >= MIN_NORMAL && factor <= FLT_MAX)) return { bits: NAN, isClipped: false };
  // Of a subnormal product, 24 digits are rounded once more.
  const scaled = Math.sign(before) * Math.fround(Math.min(round24(Math.abs(before * factor)), FLT_MAX));
  const product = Math.abs(before) === Infinity ? before : scaled;
  if (product < low) return { bits: bitsOf(low), isClipped: true };
  if (product > high) return { bits: bitsOf(high), isClipped: true };
  return { bits: bitsOf(product), isClipped: false };
}

/** A NaN has come from the format. */
function patternOf({ dtype }: Kind, bits: number): number {
  if (dtype === "f32") return bits;
  const [magnitude, sign] = [bits % SIGN, bits >= SIGN ? 0x8000 : 0];
  if (magnitude > INFINITY) return sign + 0x7c00 + ((magnitude >> 13) & 0x3ff);
  return sign + (bits16From("f16", [floatOf(magnitude)])[0] as number);
}

function rowOf(kind: Kind, input: Input): Row {
  const { dtype, layout, isInto } = kind;
  const { segments, tilesPerWorkgroup, accumulates, firstPartial, before, bits, gradScale, isHeld } = input;
  const floats = dtype === "f16" ? [...widened16("f16", bits)] : bits;
  const workgroups = workgroupsFor(segments, layout, tilesPerWorkgroup);
  const target = isInto ? range(bits.length).map((k) => patternOf(kind, bitsOf(k % 99))) : bits;
  const wanted = [...target];
  const found = range(workgroups).map((): Found[] => []);
  for (const segment of segments) {
    for (const { from, to, number, tile } of elementsOf(segment, layout)) {
      const one = clamped(floats[from] as number, input);
      wanted[to] = patternOf(kind, one.bits);
      const value = foundIn(floats[from] as number, 0, segment.piece, number);
      const flags = value.flags | (one.isClipped ? CLIPPED : 0);
      found[Math.floor(tile / tilesPerWorkgroup)]?.push({ ...value, flags });
    }
  }
  const partials = before.map((one, k) => {
    const own = found[k - firstPartial];
    return own ? together(accumulates ? [one, ...own] : own) : one;
  });
  const wordsOf = (patterns: readonly number[]) =>
    dtype === "f32"
      ? patterns
      : range(WORDS).map((k) => (patterns[2 * k] as number) + (patterns[2 * k + 1] as number) * 2 ** 16);
  const given = isHeld ? NAN : gradScale;
  return {
    words: [
      ...[segments.length, tilesPerWorkgroup, Number(accumulates), firstPartial, bitsOf(input.low), bitsOf(input.high)],
      ...[isHeld ? 2 : NONE, isHeld ? gradScale : NAN, ...range(4).map((k) => (given >>> (8 * k)) & 255), workgroups],
      ...range(SEGMENTS).flatMap((k) => (segments[k] ? segmentWords(segments[k]) : range(8).map(() => 0))),
      ...before.flatMap(wordsOfFound),
      ...wordsOf(bits),
      ...(isInto ? wordsOf(target) : []),
    ],
    wanted: wordsOf(wanted),
    partials,
  };
}

/** A value, often around the limits. */
function bitsFor({ dtype }: Kind, below: Random, gradScale: number, isFaulty: boolean): number {
  const isPacked = dtype === "f16";
  const sign = below(2) * (isPacked ? 0x8000 : SIGN);
  const faults = isPacked ? [0x7c00, 0x7e00, 0x7c01] : [INFINITY, NAN, INFINITY + 1];
  if (isFaulty && below(12) === 0) return sign + (faults[below(3)] as number);
  const event = below(40);
  if (event === 0) return sign;
  if (isPacked)
    return sign + ([0, 1, 0x3ff, 0x400, 0x7bff][event] ?? (bits16From("f16", [1 + below(20)])[0] as number));
  const inverse = 1 / floatOf(gradScale);
  const usual = (1 + below(20)) * (inverse > 0 && inverse < 2 ** 120 ? Math.max(inverse, 2 ** -120) : 1);
  // What becomes the smallest normal number, and what is below.
  const least = bitsOf(Math.min(2 ** -126 * inverse, FLT_MAX));
  const ends = [0, 2 ** -149, 2 ** -140, 2 ** -126, FLT_MAX, 2 ** 127, 3 * 2 ** -128, 2 ** 127 * inverse]
    .concat([least, Math.max(least - 1, 0), Math.max(least - 2, 0)].map(floatOf))
    .concat([3 * 2 ** -140 * inverse]);
  const end = ends[event] ?? usual;
  return sign + bitsOf(end > 0 && end <= FLT_MAX ? end : usual);
}

function inputs(kind: Kind): Input[] {
  const { layout, isInto, dtype } = kind;
  const below = randomBelow(21);
  const limits = [
    [-5, 7],
    [-Infinity, 6],
    [-3, Infinity],
    [2, 9],
    [-9, -2],
    [0, 4],
    [-4, 0],
    [-Infinity, Infinity],
    [3, 3],
    [-30, 20],
    [-20, 30],
    [-4, -0],
  ] as const;
  const powers = dtype === "f16" ? [-1, 1, 2, -3] : [-1, 1, -30, 30, 100, -100, -126, 127];
  const factors = [bitsOf(1.5), 0x3f812345, ONE + 1, ...powers.map((power) => bitsOf(2 ** power))];
  const foundBefore = (): Found => ({
    ...NOTHING,
    sum: below(9),
    largest: below(5) * 2 ** 29,
    nonFinite: below(3),
    ...(below(2) ? { first: [below(3), below(200)] as const } : {}),
    flags: below(2) * 4 + below(2) * 8,
  });
  return range(400).map((k): Input => {
    const tilesPerWorkgroup = 1 + below(3);
    const segments = segmentsAmong(below, layout, {
      most: 1 + below(SEGMENTS),
      words: WORDS,
      isInto,
      hasEdges: dtype === "f16",
    });
    const workgroups = workgroupsFor(segments, layout, tilesPerWorkgroup);
    const [low, high] = limits[k % limits.length] as readonly [number, number];
    const factor = factors[below(factors.length)] as number;
    // All of them are small, or beside the limits; or now and then one becomes the largest subnormal number.
    const [isSmall, isBeside, isTiny] = [k % 17 === 0, k % 17 === 1, k % 17 === 2 && dtype === "f32"];
    const isFactor = isBeside || below(isSmall ? 2 : 8) > 0;
    const usual = isBeside || below(2) ? ONE : factor;
    const gradScale = isTiny
      ? bitsOf(0.5)
      : isFactor
        ? usual
        : ([0, NAN, INFINITY, bitsOf(-1), 0x7fffff][below(5)] as number);
    const special = () => {
      if (isTiny) return below(20) ? bitsOf(1 + below(20)) : bitsOf(2 ** -125) - 2;
      if (isSmall) return below(2) ? 0 : bitsIn(dtype, 2 ** -(3 + below(3)));
      const limit = below(2) ? Math.abs(low) : Math.abs(high);
      return bitsIn(dtype, Math.min(limit, 50)) + below(2);
    };
    const isFaulty = below(3) === 0;
    return {
      segments,
      tilesPerWorkgroup,
      accumulates: below(2) === 0,
      firstPartial: below(PARTIALS - workgroups + 1),
      before: range(PARTIALS).map(foundBefore),
      low,
      high,
      gradScale,
      isHeld: below(2) === 0,
      bits: range(WORDS * layout.elements).map(() =>
        isSmall || isBeside || isTiny ? special() : bitsFor(kind, below, gradScale, isFaulty),
      ),
    };
  });
}

export const cases: Case[] = dependentOn(
  "text",
  KINDS.map((kind): Case => {
    const rows = once(() => inputs(kind).map((input) => rowOf(kind, input)));
    const wrongIn = ({ wanted, partials }: Row, words: Uint32Array) => [
      ...wrongPartials(partials, words),
      ...wanted.flatMap((want, k) => {
        const got = words[PARTIAL_WORDS * PARTIALS + k];
        return got === want ? [] : [`word ${k} is ${got}, wanted ${want}`];
      }),
    ];
    return {
      name: `elements of ${kind.dtype}, ${kind.isInto ? "elsewhere" : "in place"}`,
      gpuScript: (harness) => checkEach(harness, callFor(kind), rows(), ({ words }) => words, wrongIn),
    };
  }),
);
