/**
 * Kernels over gradients as functions for shaderFunctions.ts: an invocation is all lanes of some workgroups, one after the other, with
 * memory of its own. The last lane comes first, so that each finds what it folds. What follows from other orders is left to the other cases.
 */
import { resolved } from "../../src/webgpu/template.ts";
import { range } from "./build.ts";
import { randomSource } from "./numbers.ts";
import { alone, type Lengths } from "./oneLane.ts";

const files = import.meta.glob<string>("../../shaders/**/*.wgsl", {
  query: "?raw&named",
  import: "default",
  eager: true,
});
const nameOf = (path: string) => path.replace(/^.*\/shaders\/|\.wgsl$/g, "");
/** By their names in shaders/. */
export const shaders: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(files).map(([path, text]) => [nameOf(path), text]),
);

export interface Walk {
  readonly kernel: string;
  /** The files that it has for names without a slash. */
  readonly texts: Readonly<Record<string, string>>;
  readonly conditions?: readonly string[];
  readonly lanes: number;
  /** How long arrays are, but for those that `lengths` names. */
  readonly length: number;
  readonly lengths?: Lengths;
  /** How many vectors a table has for segments. */
  readonly rows?: number;
  readonly isInto?: boolean;
  /** Texts of the caller's own. */
  readonly own?: Readonly<Record<string, string>>;
}

/** How often a lane may fold. */
const FOLDS = 8;

/** Its functions; `runAll` runs as many workgroups as it is told. */
export function textOf({
  kernel,
  texts,
  conditions = [],
  lanes,
  length,
  lengths,
  rows = length,
  isInto = false,
  own = {},
}: Walk): string {
  const chosen = Object.entries(texts).map(([name, file]) => [name, shaders[file] as string]);
  const text = resolved(shaders[kernel] as string, {
    texts: { ...shaders, stored: shaders["shared/stored"] as string, ...Object.fromEntries(chosen), ...own },
    conditions: { INTO: isInto, ...Object.fromEntries(conditions.map((name) => [name, true])) },
    slots: 1,
    tokens: {
      ACCESS: "read_write",
      IN_PLACE: `${!isInto}`,
      TARGET: isInto ? "into" : "gradients",
      WORKGROUP_SIZE: `${lanes}`,
    },
  });
  const functions = alone(text, length, lengths)
    .replace(/segments: array<vec4u, \d+>/, `segments: array<vec4u, ${rows}>`)
    // Each time that a lane folds it has another memory.
    .replace(/var<private> found: (array<Partial, \d+>);/, `var<private> found: array<$1, ${FOLDS}>;`)
    .replaceAll("found[lane", "found[folds][lane")
    .replace(/(fn folded\(.*\{\n)/, "$1folds = (folds + 1u) % FOLDS;\n".replace("FOLDS", `${FOLDS}u`));
  return `${functions}
var<private> folds: u32;

fn runAll(workgroups: u32) {
  for (var workgroup = 0u; workgroup < workgroups; workgroup += 1u) {
    for (var lane = ${lanes}u; lane > 0u; lane -= 1u) {
      folds = 0u;
      kernel(vec3u(workgroup, 0u, 0u), lane - 1u);
    }
  }
}
`;
}

/** Statements that read an array of words, or of vectors of four. */
export function readArray(name: string, length: number, first: number, width: 1 | 4): string {
  const words = range(width).map((lane) => `at(${first + lane}u + ${width}u * k)`);
  return `for (var k = 0u; k < ${length}u; k += 1u) { ${name}[k] = ${width === 4 ? `vec4u(${words})` : words}; }\n`;
}

/** Statements that write one as words of a result. */
export function putArray(name: string, length: number, first: number, width: 1 | 4): string {
  const puts = range(width).map(
    (lane) => `put(${first + lane}u + ${width}u * k, ${name}[k]${width === 4 ? `[${lane}]` : ""});`,
  );
  return `for (var k = 0u; k < ${length}u; k += 1u) { ${puts.join(" ")} }\n`;
}

const PARTIAL = ["sum.x", "sum.y", "sum.z", "largest", "nonFinite", "firstPiece", "firstElement", "flags"];
export const PARTIAL_WORDS = PARTIAL.length;

export function putPartials(length: number, first: number): string {
  const puts = PARTIAL.map((name, i) => `put(${first + i}u + ${PARTIAL_WORDS}u * k, partials[k].${name});`);
  return `for (var k = 0u; k < ${length}u; k += 1u) { ${puts.join(" ")} }\n`;
}

export function readPartials(length: number, first: number): string {
  const reads = PARTIAL.map((name, i) => `partials[k].${name} = at(${first + i}u + ${PARTIAL_WORDS}u * k);`);
  return `for (var k = 0u; k < ${length}u; k += 1u) { ${reads.join(" ")} }\n`;
}

/** What a workgroup finds. Of a sum all digits count. */
export interface Found {
  readonly sum: number;
  readonly largest: number;
  readonly nonFinite: number;
  readonly first: readonly [piece: number, element: number];
  readonly flags: number;
}

export const NONE = 2 ** 32 - 1;
export const NOTHING: Found = { sum: 0, largest: 0, nonFinite: 0, first: [NONE, NONE], flags: 0 };
const INFINITY = 0x7f800000;
const [NAN_SEEN, INFINITY_SEEN] = [4, 8];
const BIAS = 2 ** 30;

export function together(found: readonly Found[]): Found {
  const firsts = found.map(({ first }) => first).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  return {
    sum: found.reduce((total, { sum }) => total + sum, 0),
    largest: Math.max(0, ...found.map(({ largest }) => largest)),
    nonFinite: found.reduce((total, { nonFinite }) => total + nonFinite, 0),
    first: firsts[0] ?? NOTHING.first,
    flags: found.reduce((all, { flags }) => all | flags, 0),
  };
}

/** What there is in one value: the bits of its float32, the term of a sum, and where it is. */
export function foundIn(bits: number, term: number, piece: number, element: number): Found {
  const largest = bits % 2 ** 31;
  if (largest < INFINITY) return { ...NOTHING, sum: term, largest };
  return {
    sum: 0,
    largest,
    nonFinite: 1,
    first: [piece, element],
    flags: largest > INFINITY ? NAN_SEEN : INFINITY_SEEN,
  };
}

/** Its words. Sums have at most 31 digits. */
export function wordsOfFound({ sum, largest, nonFinite, first, flags }: Found): number[] {
  const exponent = sum === 0 ? 0 : Math.floor(Math.log2(sum)) + 1;
  return [
    Math.round(sum * 2 ** (31 - exponent)),
    0,
    sum === 0 ? 0 : exponent - 31 + BIAS,
    largest,
    nonFinite,
    ...first,
    flags,
  ];
}

/** What is wrong in the words of partials. */
export function wrongPartials(wanted: readonly Found[], words: Uint32Array): readonly string[] {
  return wanted.flatMap(({ sum, largest, nonFinite, first, flags }, k) => {
    const [high = 0, low = 0, exponent = 0, ...rest] = words.subarray(PARTIAL_WORDS * k, PARTIAL_WORDS * (k + 1));
    const got = [high === 0 && low === 0 ? 0 : (high + low * 2 ** -32) * 2 ** (exponent - BIAS), ...rest];
    const want = [sum, largest, nonFinite, ...first, flags];
    return `${got}` === `${want}` ? [] : [`partial ${k} is ${got}, wanted ${want}`];
  });
}

/** What is wrong in words of which each has one answer. */
export function wrongWords(wanted: readonly number[], words: Uint32Array): readonly string[] {
  return wanted.flatMap((want, k) => (words[k] === want ? [] : [`word ${k} is ${words[k]}, wanted ${want}`]));
}

/** A run of words, as in shaders/shared/segment.wgsl. */
export interface Segment {
  readonly first: number;
  readonly count: number;
  readonly tile: number;
  readonly piece: number;
  readonly into: number;
  readonly group: number;
  readonly edges: number;
}

export const segmentWords = ({ first, count, tile, piece, into, group, edges }: Segment) => [
  ...[first, count, tile, piece],
  ...[into, 0, group, edges],
];

export interface Layout {
  /** Words of a tile, and elements of a word. */
  readonly tile: number;
  readonly elements: number;
}

export const tilesOf = ({ count }: Segment, { tile }: Layout) => Math.max(1, Math.ceil(count / tile));

/** An element: where it is read and written, in elements; its number in the segment; and the tile that it is in. */
export interface Element {
  readonly from: number;
  readonly to: number;
  readonly number: number;
  readonly tile: number;
}

export function elementsOf({ first, count, tile, into, edges }: Segment, layout: Layout): Element[] {
  const { elements } = layout;
  const [before, behind, off] = [edges & 1, (edges >> 1) & 1, edges >> 2];
  const start = elements * first + off;
  return range(elements * count + before + behind, -before).map((k) => {
    const isEdge = k < 0 || k >= elements * count;
    const own = isEdge ? 0 : Math.floor(k / (elements * layout.tile));
    return { from: start + k, to: elements * into + k, number: k + before, tile: tile + own };
  });
}

export type Random = (end: number) => number;

/** Whole numbers from 0 to below an end. */
export function randomBelow(seed: number): Random {
  const random = randomSource(seed);
  return (end) => Math.floor(Math.abs(random()) * end);
}

/** Some segments one behind the other, with gaps. Two of them may share a word in which both have an edge. */
export function segmentsAmong(
  below: Random,
  layout: Layout,
  {
    most,
    words,
    isInto = false,
    hasEdges = false,
  }: { most: number; words: number; isInto?: boolean; hasEdges?: boolean },
): Segment[] {
  const segments: Segment[] = [];
  // Both ways: the results begin behind what they are of, or before it.
  let [from, to, tile] = isInto ? [8 * below(4), 8 * below(4), 0] : [0, 0, 0];
  const pieces = range(most).sort(() => below(2) - 0.5);
  const gap = () => (hasEdges ? 1 + below(2) : below(2));
  for (const piece of pieces) {
    const [first, into] = [from + gap(), to + gap()];
    const edges = hasEdges ? below(4) + (isInto ? 4 * below(2) : 0) : 0;
    const count = edges & 3 ? below(3 * layout.tile) : 1 + below(3 * layout.tile);
    const segment = { first, count, tile, piece, into: isInto ? into : first, group: below(4), edges };
    // A segment half a word off reads one word more.
    if (Math.max(first, segment.into) + count + 2 > words) break;
    segments.push(segment);
    tile += tilesOf(segment, layout);
    [from, to] = [first + count + (edges >> 2), into + count];
  }
  return segments;
}

/** How many workgroups there are for these segments. */
export function workgroupsFor(segments: readonly Segment[], layout: Layout, tilesPerWorkgroup: number): number {
  const last = segments.at(-1);
  return last ? Math.ceil((last.tile + tilesOf(last, layout)) / tilesPerWorkgroup) : 0;
}
