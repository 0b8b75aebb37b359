/** The kernel that multiplies, as a function of memory, of segments and of their scales: every element afterwards. */
import { unitsAlong } from "../../../src/units.ts";
import { numberingOf } from "../../../src/webgpu/passes/units.ts";
import { dependentOn, range } from "../build.ts";
import { bits16From, bitsOf, floatOf, widened16 } from "../numbers.ts";
import { readInto } from "../oneLane.ts";
import { unitAlong } from "../referenceGroups.ts";
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
  segmentsAmong,
  segmentWords,
  shaders,
  textOf,
  workgroupsFor,
  wrongWords,
} from "../walks.ts";

const LANES = 2;
const WORDS = 56;
const SEGMENTS = 4;
const ENTRIES = 64;
const [ONE, NAN, INFINITY, SIGN] = [0x3f800000, 0x7fc00000, 0x7f800000, 2 ** 31];
const [SKIP, NAN_SEEN, INFINITY_SEEN] = [2, 4, 8];

/** Bits of two factors, and flags. */
type Scale = readonly [x: number, y: number, flags: number];

interface Kind {
  readonly name: string;
  readonly dtype: "f32" | "f16";
  readonly layout: Layout;
  readonly hasUnits: boolean;
}

/** Into other memory: scaling.ts works in place. */
const KINDS: readonly Kind[] = [
  { name: "by groups", dtype: "f32", layout: { tile: 4 * LANES, elements: 4 }, hasUnits: false },
  { name: "by groups", dtype: "f16", layout: { tile: 4 * LANES, elements: 2 }, hasUnits: false },
  { name: "along axes", dtype: "f16", layout: { tile: 4 * LANES, elements: 2 }, hasUnits: true },
];

const HEAD = ["table.segmentCount", "table.tilesPerWorkgroup"];
const SEGMENTS_AT = HEAD.length + 2;
const ENTRIES_AT = SEGMENTS_AT + 8 * SEGMENTS;
const UNITS_AT = ENTRIES_AT + 3 * ENTRIES;
const MEMORY_AT = UNITS_AT + 20 * SEGMENTS;

function callFor({ dtype, hasUnits }: Kind): Call {
  const isPacked = dtype === "f16";
  const width = isPacked ? 1 : 4;
  const word = shaders[isPacked ? "words/u32" : "words/vec4"] as string;
  return {
    text: `${textOf({
      kernel: "scale",
      texts: { format: `formats/${dtype}`, scales: hasUnits ? "scales/unit" : "scales/group" },
      conditions: isPacked ? ["EDGES", "PACKED", ...(hasUnits ? ["UNITS"] : [])] : ["UNPACKED"],
      lanes: LANES,
      length: ENTRIES,
      lengths: { unitTable: 5 * SEGMENTS },
      rows: 2 * SEGMENTS,
      isInto: true,
      // As of a device that may flush subnormal float16s.
      own: { word: word.replace("return unpack2x16float(word).x;", "return kept(unpack2x16float(word).x);") },
    })}
var<private> flushes: u32;
fn kept(value: f32) -> f32 { return select(value, 0.0, flushes != 0u && abs(value) < 0x1p-14f); }
`,
    body: `
  ${readInto([...HEAD, "flushes"])}
  ${readArray("table.segments", 2 * SEGMENTS, SEGMENTS_AT, 4)}
  for (var k = 0u; k < ${ENTRIES}u; k += 1u) {
    let entry = ${ENTRIES_AT}u + 3u * k;
    entries[k] = Entry(vec2u(at(entry), at(entry + 1u)), at(entry + 2u), 0u, 0u, 0, 0u, 0u);
  }
  ${hasUnits ? readArray("unitTable", 5 * SEGMENTS, UNITS_AT, 4) : ""}
  ${readArray("gradients_0", WORDS, MEMORY_AT, width)}
  ${readArray("into_0", WORDS, MEMORY_AT + WORDS * width, width)}
  runAll(at(${HEAD.length + 1}u));
  ${putArray("into_0", WORDS, 0, width)}
`,
    inputWords: MEMORY_AT + 2 * WORDS * width,
    resultWords: WORDS * width,
  };
}

/** Of float32 bits. What comes out is exact, or below the smallest normal number. */
function scaled(bits: number, [x, y, flags]: Scale): number {
  const magnitude = bits % SIGN;
  if (flags & SKIP) return 0;
  if (x === ONE && y === ONE) return bits;
  if (magnitude >= INFINITY || x > INFINITY) return NAN;
  const result = floatOf(magnitude) * floatOf(x) * floatOf(y);
  return bits - magnitude + (result < 2 ** -126 ? 0 : bitsOf(result));
}

/** The pattern in the format; a NaN has come from there. */
function patternOf({ dtype }: Kind, bits: number): number {
  if (dtype === "f32") return bits;
  const [magnitude, sign] = [bits % SIGN, bits >= SIGN ? 0x8000 : 0];
  if (magnitude > INFINITY) return sign + 0x7c00 + ((magnitude >> 13) & 0x3ff);
  return sign + (bits16From("f16", [floatOf(magnitude)])[0] as number);
}

interface Tensor {
  readonly shape: readonly number[];
  readonly axes: readonly number[];
  /** Of it, where the segment begins. */
  readonly firstElement: number;
}

interface Input {
  readonly segments: readonly Segment[];
  readonly tensors: readonly Tensor[];
  readonly scales: readonly Scale[];
  readonly tilesPerWorkgroup: number;
  readonly flushes: boolean;
  readonly seed: number;
}

interface Row {
  readonly words: readonly number[];
  readonly wanted: readonly number[];
}

/** A value that its scale allows. */
function bitsFor(kind: Kind, [x, y, flags]: Scale, below: Random): number {
  const isPacked = kind.dtype === "f16";
  const sign = below(2) * (isPacked ? 0x8000 : SIGN);
  if (flags & (NAN_SEEN | INFINITY_SEEN) && below(6) === 0) {
    const faults = isPacked ? [0x7c00, 0x7e00, 0x7c01] : [INFINITY, NAN, INFINITY + 1];
    return sign + (faults[below(3)] as number);
  }
  if (isPacked)
    return sign + ([1, 2, 0x3ff, 0x400, 0x7bff][below(30)] ?? (bits16From("f16", [1 + below(500)])[0] as number));
  // A device may flush what is subnormal, except where it is enlarged.
  if (floatOf(x) > 1 && below(3) === 0) return sign + 1 + below(2 ** 20);
  return sign + bitsOf((1 + below(500)) * (y === ONE ? 1 : 2 ** 110));
}

function rowOf(kind: Kind, input: Input): Row {
  const { dtype, layout } = kind;
  const { segments, tensors, scales, tilesPerWorkgroup, flushes, seed } = input;
  const below = randomBelow(seed);
  const size = WORDS * layout.elements;
  const memory = range(size).map(() => patternOf(kind, bitsOf(1 + below(99))));
  const before = range(size).map(() => patternOf(kind, bitsOf(1 + below(99))));
  const places = segments.flatMap((segment, k) => {
    const { shape, axes, firstElement } = tensors[k] as Tensor;
    const unitOf = unitAlong(shape, axes);
    return elementsOf(segment, layout).map(({ from, to, number }) => {
      return { from, to, scale: scales[segment.group + unitOf(firstElement + number)] as Scale };
    });
  });
  for (const { from, scale } of places) memory[from] = bitsFor(kind, scale, below);
  const wanted = [...before];
  for (const { from, to, scale } of places) {
    const pattern = memory[from] as number;
    const bits = dtype === "f16" ? (widened16("f16", [pattern])[0] as number) : pattern;
    wanted[to] = patternOf(kind, scaled(bits, scale));
  }
  const wordsOf = (patterns: readonly number[]) =>
    dtype === "f32"
      ? patterns
      : range(WORDS).map((k) => (patterns[2 * k] as number) + (patterns[2 * k + 1] as number) * 2 ** 16);
  return {
    words: [
      ...[segments.length, tilesPerWorkgroup, Number(flushes), workgroupsFor(segments, layout, tilesPerWorkgroup)],
      ...range(SEGMENTS).flatMap((k) => (segments[k] ? segmentWords(segments[k]) : range(8).map(() => 0))),
      ...range(ENTRIES).flatMap((k) => scales[k] ?? [ONE, ONE, SKIP]),
      ...range(SEGMENTS).flatMap((k) => unitWords(tensors[k])),
      ...wordsOf(memory),
      ...wordsOf(before),
    ],
    wanted: wordsOf(wanted),
  };
}

/** As in shaders/scales/unit.wgsl. A tensor that is one unit has none of its own. */
function unitWords(tensor: Tensor | undefined): number[] {
  if (!tensor || tensor.axes.length === tensor.shape.length) return range(20).map(() => 0);
  const { axes } = unitsAlong(tensor.shape, tensor.axes, "a tensor");
  const numbering = numberingOf(axes);
  const inner = ["period0", "period1", "period2", "stride", "change0", "change1", "change2", "none"];
  const outer = ["period3", "period4", "period5", "period6", "change3", "change4", "change5", "change6"];
  return [tensor.firstElement, axes.length, 0, 0, ...[...inner, ...outer].map((name) => numbering[name] ?? 0)];
}

/** At least as many elements as a segment has, and fewer units than entries. */
const SHAPES: readonly Omit<Tensor, "firstElement">[] = [
  { shape: [64, 3], axes: [0] },
  { shape: [3, 90], axes: [1] },
  { shape: [24, 8], axes: [0] },
  { shape: [2, 5, 3, 8], axes: [1, 3] },
  { shape: [40, 2, 3], axes: [0, 2] },
  { shape: [3, 2, 2, 2, 2, 2, 4], axes: [0, 2, 4, 6] },
  { shape: [4, 2, 2, 2, 2, 2, 3], axes: [1, 3, 5] },
];

function inputs({ layout, hasUnits, dtype }: Kind): Input[] {
  const below = randomBelow(9);
  const scale = (): Scale => {
    const power = bitsOf(2 ** -(1 + below(5)));
    const all: Scale[] = [
      [ONE, ONE, 0],
      [ONE, ONE, NAN_SEEN],
      [0, ONE, SKIP],
      [bitsOf(4), ONE, 0],
      [0x800000, power, 1],
      [NAN, ONE, NAN_SEEN],
      [0, ONE, INFINITY_SEEN],
      [ONE, power, 1],
    ];
    return all[below(2 * all.length)] ?? [power, ONE, below(2)];
  };
  return range(300).map((k): Input => {
    const segments = segmentsAmong(below, layout, {
      most: 1 + below(SEGMENTS),
      words: WORDS,
      isInto: true,
      hasEdges: dtype === "f16",
    });
    const tensors = segments.map(() => {
      const shape = hasUnits && below(4) ? SHAPES[below(SHAPES.length)] : undefined;
      return { ...(shape ?? { shape: [200], axes: [0] }), firstElement: below(20) };
    });
    return {
      segments,
      tensors,
      scales: range(ENTRIES).map(scale),
      tilesPerWorkgroup: 1 + below(3),
      flushes: below(3) === 0,
      seed: k,
    };
  });
}

export const cases: Case[] = dependentOn(
  "text",
  KINDS.map((kind): Case => {
    const rows = once(() => inputs(kind).map((input) => rowOf(kind, input)));
    return {
      name: `elements of ${kind.dtype}, ${kind.name}`,
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
