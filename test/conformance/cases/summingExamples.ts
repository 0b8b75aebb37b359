/** The kernel that sums the clipped gradients of examples, as a function of memory, of segments and of scales: every element afterwards. */
import { dependentOn, range } from "../build.ts";
import { bits16From, bitsOf, floatOf, widened16 } from "../numbers.ts";
import { readInto } from "../oneLane.ts";
import { type Call, checkEach, once } from "../shaderFunctions.ts";
import type { Case } from "../types.ts";
import {
  elementsOf,
  type Layout,
  putArray,
  type Random,
  randomBelow,
  readArray,
  type Segment,
  shaders,
  textOf,
  tilesOf,
  workgroupsFor,
  wrongWords,
} from "../walks.ts";

const LANES = 2;
const WORDS = 96;
const SEGMENTS = 3;
const ENTRIES = 48;
const [ONE, NAN, INFINITY, SIGN] = [0x3f800000, 0x7fc00000, 0x7f800000, 2 ** 31];
const [SKIP, NAN_SEEN, INFINITY_SEEN] = [2, 4, 8];
/** A factor for subnormal numbers, and a flag that the kernel does not know: values that its scale makes as small as may be. */
const [LARGE, TINY] = [bitsOf(2 ** 100), 64];

/** Bits of two factors, and flags. */
type Scale = readonly [x: number, y: number, flags: number];

interface Kind {
  readonly dtype: "f32" | "bf16";
  readonly layout: Layout;
  readonly isInto: boolean;
}

const KINDS: readonly Kind[] = [
  { dtype: "f32", layout: { tile: 4 * LANES, elements: 4 }, isInto: false },
  { dtype: "bf16", layout: { tile: 4 * LANES, elements: 2 }, isInto: true },
];

const HEAD = ["segmentCount", "tilesPerWorkgroup", "accumulates"].map((name) => `table.${name}`);
const SEGMENTS_AT = HEAD.length + 1;
const ENTRIES_AT = SEGMENTS_AT + 8 * SEGMENTS;
const MEMORY_AT = ENTRIES_AT + 3 * ENTRIES;

function callFor({ dtype, isInto }: Kind): Call {
  const isPacked = dtype === "bf16";
  const width = isPacked ? 1 : 4;
  const flushing = (shaders["shared/multiplied"] as string).replace(
    "bits & Word(0x7fffffffu)",
    "flushed(bits & Word(0x7fffffffu))",
  );
  return {
    text: `${textOf({
      kernel: "sum_examples",
      texts: { format: `formats/${dtype}`, word: isPacked ? "words/u32" : "words/vec4" },
      conditions: isPacked ? ["EDGES", "PACKED"] : ["UNPACKED"],
      lanes: LANES,
      length: WORDS,
      lengths: { entries: ENTRIES },
      rows: 2 * SEGMENTS,
      isInto,
      own: { "shared/multiplied": flushing },
    })}
// As a device may that flushes subnormal numbers.
fn flushed(bits: Word) -> Word { return select(bits, Word(), bits < Word(0x00800000u)); }
`,
    body: `
  ${readInto(HEAD)}
  ${readArray("table.segments", 2 * SEGMENTS, SEGMENTS_AT, 4)}
  for (var k = 0u; k < ${ENTRIES}u; k += 1u) {
    let entry = ${ENTRIES_AT}u + 3u * k;
    entries[k] = Entry(vec2u(at(entry), at(entry + 1u)), at(entry + 2u), 0u, 0u, 0, 0u, 0u);
  }
  ${readArray("gradients_0", WORDS, MEMORY_AT, width)}
  ${isInto ? readArray("into_0", WORDS, MEMORY_AT + WORDS * width, width) : ""}
  runAll(at(${HEAD.length}u));
  ${putArray(isInto ? "into_0" : "gradients_0", WORDS, 0, width)}
`,
    inputWords: MEMORY_AT + (isInto ? 2 : 1) * WORDS * width,
    resultWords: WORDS * width,
  };
}

/** Words and edges are those of the sum. */
interface Rows extends Segment {
  readonly examples: number;
}

interface Input {
  readonly segments: readonly Rows[];
  readonly scales: readonly Scale[];
  readonly tilesPerWorkgroup: number;
  readonly accumulates: boolean;
  readonly seed: number;
}

interface Row {
  readonly words: readonly number[];
  readonly wanted: readonly number[];
}

/** A sum in float32, and the infinities and NaN beside it. */
class Total {
  value = 0;
  readonly faults = new Set<number>();

  add(value: number): void {
    if (Number.isFinite(value)) this.value = Math.fround(this.value + value);
    else this.faults.add(value);
  }

  /** NaN where there are two of them, or one. */
  result(): number {
    const [fault, ...others] = this.faults;
    return fault === undefined ? this.value : others.length > 0 ? Number.NaN : fault;
  }
}

/** Products are exact. */
function clippedExample(value: number, [x, y, flags]: Scale): number {
  if (flags & SKIP) return 0;
  if (x === ONE && y === ONE) return value;
  return Number.isFinite(value) ? value * floatOf(x) * floatOf(y) : Number.NaN;
}

/** In the order of the examples, 16 at a time. */
function sumOf(before: number, examples: readonly number[]): number {
  const total = new Total();
  total.add(before);
  for (let begin = 0; begin < examples.length; begin += 16) {
    const part = new Total();
    for (const value of examples.slice(begin, begin + 16)) part.add(value);
    total.add(part.value);
    for (const fault of part.faults) total.faults.add(fault);
  }
  return total.result();
}

function patternOf({ dtype }: Kind, value: number): number {
  if (Number.isNaN(value)) return dtype === "f32" ? NAN : 0x7fc0;
  return dtype === "f32" ? bitsOf(value) : (bits16From("bf16", [value])[0] as number);
}

function valueIn({ dtype }: Kind, pattern: number): number {
  return floatOf(dtype === "f32" ? pattern : (widened16("bf16", [pattern])[0] as number));
}

/** A value that its scale allows. */
function bitsFor({ dtype }: Kind, [x, y, flags]: Scale, below: Random): number {
  const sign = below(2) * SIGN;
  if (flags & (NAN_SEEN | INFINITY_SEEN) && below(4) === 0) {
    return patternIn(dtype, sign + ([INFINITY, NAN, INFINITY + (dtype === "f32" ? 1 : 2 ** 16)][below(3)] as number));
  }
  // A subnormal number, and one that becomes the smallest that is not.
  if (x === LARGE) return patternIn(dtype, sign + 2 ** 16 * (1 + below(100)));
  if (flags === TINY) return patternIn(dtype, sign + bitsOf(2 ** -125));
  // Of float32 24 digits, so that sums are rounded.
  const digits = dtype === "f32" ? 23 : 7;
  const value = (1 + below(2 ** digits) * 2 ** -digits) * 2 ** (below(3) + (y === ONE ? 0 : 120));
  return patternIn(dtype, sign + bitsOf(value));
}

/** Of float32 bits that the format has a place for. */
function patternIn(dtype: Kind["dtype"], bits: number): number {
  return dtype === "f32" ? bits : bits >>> 16;
}

function rowOf(kind: Kind, input: Input): Row {
  const { dtype, layout, isInto } = kind;
  const { segments, scales, tilesPerWorkgroup, accumulates, seed } = input;
  const below = randomBelow(seed);
  const size = WORDS * layout.elements;
  const memory = range(size).map(() => patternOf(kind, 1 + below(9)));
  for (const segment of segments) {
    const elements = elementsOf(segment, layout);
    for (let m = 0; m < segment.examples; m++) {
      for (const { from } of elements) {
        memory[from + m * elements.length] = bitsFor(kind, scales[segment.group + m] as Scale, below);
      }
    }
  }
  const faults = [Infinity, -Infinity, Number.NaN];
  const beforeIn = () => patternOf(kind, faults[below(seed % 3 ? 9e9 : 30)] ?? 1 + below(9));
  const before = isInto ? range(size).map(beforeIn) : memory;
  const wanted = [...before];
  for (const segment of segments) {
    const elements = elementsOf(segment, layout);
    for (const { from, to } of elements) {
      const examples = range(segment.examples).map((m) => {
        const value = valueIn(kind, memory[from + m * elements.length] as number);
        return clippedExample(value, scales[segment.group + m] as Scale);
      });
      wanted[to] = patternOf(kind, sumOf(accumulates ? valueIn(kind, before[to] as number) : 0, examples));
    }
  }
  const wordsOf = (patterns: readonly number[]) =>
    dtype === "f32"
      ? patterns
      : range(WORDS).map((k) => (patterns[2 * k] as number) + (patterns[2 * k + 1] as number) * 2 ** 16);
  const segmentWords = ({ first, count, tile, examples, into, group, edges }: Rows) => [
    ...[first, count, tile, examples],
    ...[into, 0, group, edges],
  ];
  return {
    words: [
      ...[segments.length, tilesPerWorkgroup, Number(accumulates), workgroupsFor(segments, layout, tilesPerWorkgroup)],
      ...range(SEGMENTS).flatMap((k) => (segments[k] ? segmentWords(segments[k]) : range(8).map(() => 0))),
      ...range(ENTRIES).flatMap((k) => scales[k] ?? [ONE, ONE, 0]),
      ...wordsOf(memory),
      ...(isInto ? wordsOf(before) : []),
    ],
    wanted: wordsOf(wanted),
  };
}

const SIZES = [
  [1, 18],
  [2, 17],
  [1, 33],
  [9, 2],
  [17, 3],
  [3, 5],
  [20, 1],
  [4, 4],
  [8, 6],
  [2, 0],
] as const;

function segmentsAmong({ layout, isInto, dtype }: Kind, below: Random): Rows[] {
  const segments: Rows[] = [];
  let [from, to, tile] = isInto ? [8 * below(7), 8 * below(3), 0] : [0, 0, 0];
  for (let k = 0; k <= below(SEGMENTS); k++) {
    const edges = dtype === "bf16" ? below(4) + (isInto ? 4 * below(2) : 0) : 0;
    const [words = 1, examples = 1] = SIZES[below(SIZES.length)] ?? [];
    const count = words - (edges & 3 ? 1 : 0);
    const [first, into] = [from + 1 + below(2), to + 1 + below(2)];
    const segment = { first, count, tile, piece: 0, examples, into: isInto ? into : first, group: below(9), edges };
    const end = first + Math.ceil((Math.max(examples, 1) * elementsOf(segment, layout).length) / layout.elements) + 2;
    if (Math.max(end, segment.into + count + 2) > WORDS) break;
    segments.push(segment);
    tile += tilesOf(segment, layout);
    [from, to] = [end, into + count];
  }
  return segments;
}

function inputs(kind: Kind): Input[] {
  const below = randomBelow(31);
  const plain = (): Scale => {
    const power = bitsOf(2 ** -(1 + below(5)));
    return (
      (
        [
          [ONE, ONE, 0],
          [0, ONE, SKIP],
          [0, ONE, SKIP | NAN_SEEN],
        ] as const
      )[below(9)] ?? [power, ONE, 1]
    );
  };
  const careful = (): Scale =>
    (
      [
        [ONE, ONE, NAN_SEEN],
        [ONE, ONE, INFINITY_SEEN],
        [bitsOf(4), ONE, 0],
        [0x800000, bitsOf(0.5), 1],
        [NAN, ONE, NAN_SEEN],
        [0, ONE, INFINITY_SEEN],
        [ONE, bitsOf(0.25), 1],
      ] as const
    )[below(7)] as Scale;
  const tiny: Scale = [bitsOf(0.5), ONE, TINY];
  return range(300).map((k): Input => {
    const usual = () => (k % 3 === 0 && below(6) === 0 ? careful() : plain());
    return {
      segments: segmentsAmong(kind, below),
      scales: range(ENTRIES).map(
        () => [[LARGE, ONE, 0] as const, tiny, [ONE, ONE, INFINITY_SEEN] as const][k % 10] ?? usual(),
      ),
      tilesPerWorkgroup: 1 + below(3),
      // A device may flush what subnormal numbers alone have left.
      accumulates: below(2) === 0 && k % 10 > 0,
      seed: k,
    };
  });
}

export const cases: Case[] = dependentOn(
  "text",
  KINDS.map((kind): Case => {
    const rows = once(() => inputs(kind).map((input) => rowOf(kind, input)));
    return {
      name: `elements of ${kind.dtype}, ${kind.isInto ? "elsewhere" : "in place"}`,
      gpuScript: (harness) =>
        checkEach(
          harness,
          callFor(kind),
          rows(),
          ({ words }) => words,
          ({ wanted }, words) => wrongWords(wanted, words),
        ),
    };
  }),
);
