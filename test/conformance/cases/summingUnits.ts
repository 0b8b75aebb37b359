/** The kernel that sums each unit along axes, as a function of memory and of parts of tensors: every word of the partials. */
import { type Axis, type Units, unitsAlong } from "../../../src/units.ts";
import { numberingOf } from "../../../src/webgpu/passes/units.ts";
import { dependentOn, range } from "../build.ts";
import { bits16From, floatOf, widened16 } from "../numbers.ts";
import { readInto } from "../oneLane.ts";
import { unitAlong } from "../referenceGroups.ts";
import { type Call, checkEach, once } from "../shaderFunctions.ts";
import type { Case } from "../types.ts";
import {
  type Found,
  foundIn,
  NOTHING,
  PARTIAL_WORDS,
  putPartials,
  randomBelow,
  readArray,
  readPartials,
  textOf,
  together,
  wordsOfFound,
  wrongPartials,
} from "../walks.ts";

const LANES = 4;
const WORDS = 320;
const SEGMENTS = 3;
const PARTIALS = 40;
const HEAD = ["table.segmentCount", "table.tilesPerWorkgroup"];
const SEGMENTS_AT = HEAD.length + 1;
const UNITS_AT = SEGMENTS_AT + 8 * SEGMENTS;
const PARTIALS_AT = UNITS_AT + 24 * SEGMENTS;
const MEMORY_AT = PARTIALS_AT + PARTIAL_WORDS * PARTIALS;

const CALL: Call = {
  text: textOf({
    kernel: "unit_norm",
    texts: { format: "formats/f16", word: "words/u32", terms: "norms/l2_terms" },
    conditions: ["EDGES", "PACKED"],
    lanes: LANES,
    length: WORDS,
    lengths: { partials: PARTIALS, unitTable: 6 * SEGMENTS },
    rows: 2 * SEGMENTS,
  }),
  body: `
  ${readInto(HEAD)}
  ${readArray("table.segments", 2 * SEGMENTS, SEGMENTS_AT, 4)}
  ${readArray("unitTable", 6 * SEGMENTS, UNITS_AT, 4)}
  ${readPartials(PARTIALS, PARTIALS_AT)}
  ${readArray("gradients_0", WORDS, MEMORY_AT, 1)}
  runAll(at(${HEAD.length}u));
  ${putPartials(PARTIALS, 0)}
`,
  inputWords: MEMORY_AT + WORDS,
  resultWords: PARTIAL_WORDS * PARTIALS,
};

/** A part of a tensor, and how lanes share it. */
interface Part {
  readonly shape: readonly number[];
  readonly axes: readonly number[];
  /** Where it begins in memory and in the tensor. */
  readonly at: number;
  readonly from: number;
  readonly length: number;
  readonly piece: number;
  /** The lanes of a unit, and how many times two of them share a run. */
  readonly team: number;
  readonly runShift: number;
  readonly chunks: number;
  readonly firstPartial: number;
}

interface Input {
  readonly parts: readonly Part[];
  readonly tilesPerWorkgroup: number;
  readonly before: readonly Found[];
  readonly halves: readonly number[];
}

interface Row {
  readonly words: readonly number[];
  readonly wanted: readonly Found[];
}

const unitsOf = ({ shape, axes }: Pick<Part, "shape" | "axes">) => unitsAlong(shape, axes, "a tensor");

const tilesOf = (part: Part) => Math.ceil((unitsOf(part).count * part.team) / LANES) * part.chunks;

/** The innermost axis that is reduced is that of the runs. Strides are those of elements. */
function runsOf({ axes }: Units): { run: Axis; runs: Axis[]; kept: Axis[] } {
  const strided = axes.map(({ length, stride }, i) => ({
    isKept: stride > 0,
    length,
    stride: axes.slice(0, i).reduce((product, inner) => product * inner.length, 1),
  }));
  const [run = { length: 1, stride: 0 }, ...runs] = strided.filter(({ isKept }) => !isKept);
  return { run, runs, kept: strided.filter(({ isKept }) => isKept) };
}

const NUMBERING = ["period0", "period1", "period2", "stride", "change0", "change1", "change2", "none"];

function rowOf({ parts, tilesPerWorkgroup, before, halves }: Input): Row {
  const floats = widened16("f16", halves);
  const wanted = [...before];
  let tile = 0;
  const [segments, units]: [number[][], number[][]] = [[], []];
  for (const part of parts) {
    const { shape, axes, at, from, length, piece, team, runShift, chunks, firstPartial } = part;
    const all = unitsOf(part);
    const { run, runs, kept } = runsOf(all);
    const wordsOf = (list: readonly Axis[]) => NUMBERING.map((name) => numberingOf(list)[name] ?? 0);
    segments.push([at, length, tile, piece, from, 0, 0, 0]);
    const own = [all.count, all.size, team, chunks, firstPartial, run.length, run.stride, runShift];
    units.push([...own, ...wordsOf(runs), ...wordsOf(kept)]);
    tile += tilesOf(part);
    const unitOf = unitAlong(shape, axes);
    const elements = range(all.count * all.size);
    const share = Math.ceil(all.size / chunks);
    for (const unit of range(all.count)) {
      const mine = elements.filter((element) => unitOf(element) === unit);
      for (const chunk of range(chunks)) {
        const found = mine.slice(chunk * share, (chunk + 1) * share).flatMap((element) => {
          if (element < from || element >= from + length) return [];
          const bits = floats[at + element - from] as number;
          return [foundIn(bits, floatOf(bits) ** 2, piece, element - from)];
        });
        wanted[firstPartial + unit * chunks + chunk] = together(found);
      }
    }
  }
  const padded = (list: number[][], width: number) =>
    range(SEGMENTS).flatMap((k) => list[k] ?? range(width).map(() => 0));
  return {
    words: [
      ...[parts.length, tilesPerWorkgroup, Math.ceil(tile / tilesPerWorkgroup)],
      ...padded(segments, 8),
      ...padded(units, 24),
      ...before.flatMap(wordsOfFound),
      ...range(WORDS).map((k) => (halves[2 * k] as number) + (halves[2 * k + 1] as number) * 2 ** 16),
    ],
    wanted,
  };
}

const SHAPES: readonly Pick<Part, "shape" | "axes">[] = [
  { shape: [300], axes: [0] },
  { shape: [2, 300], axes: [1] },
  { shape: [5, 24], axes: [1] },
  { shape: [24, 5], axes: [0] },
  { shape: [3, 70], axes: [1] },
  { shape: [4, 3, 10], axes: [0, 2] },
  { shape: [3, 4, 2, 5], axes: [1, 3] },
  { shape: [4, 3, 5, 2], axes: [0, 2] },
  { shape: [2, 2, 3, 2, 2, 2, 3], axes: [0, 2, 4, 6] },
  { shape: [2, 3, 2, 2, 2, 2, 2], axes: [1, 3, 5] },
  { shape: [2, 2, 2, 2, 2, 2, 2, 2], axes: [0, 2, 4, 6] },
];

function inputs(): Input[] {
  const below = randomBelow(41);
  const faults = [0x7c00, 0xfc00, 0x7e00, 0xfc01];
  return range(300).map((k): Input => {
    const parts: Part[] = [];
    let [at, firstPartial] = [0, 0];
    for (let i = 0; i <= below(SEGMENTS); i++) {
      const shape = SHAPES[below(SHAPES.length)] as (typeof SHAPES)[number];
      const { count, size } = unitsOf(shape);
      const chunks = 1 + below(3);
      const from = below(2) ? below(count * size - 4) : 0;
      const length = below(2) ? count * size - from : 1 + below(count * size - from);
      const shift = below(3);
      at += below(4);
      firstPartial += below(2);
      if (at + length > 2 * WORDS || firstPartial + count * chunks > PARTIALS) break;
      const team = 2 ** shift;
      parts.push({ ...shape, at, from, length, piece: 5 - i, team, runShift: below(shift + 1), chunks, firstPartial });
      at += length;
      firstPartial += count * chunks;
    }
    return {
      parts,
      tilesPerWorkgroup: 1 + below(3),
      before: range(PARTIALS).map((sum) => ({ ...NOTHING, sum: 1 + sum, flags: 32 })),
      halves: range(2 * WORDS).map(() => {
        if (k % 3 === 0 && below(30) === 0) return faults[below(4)] as number;
        // Of some, float32 sums 16 squares exactly, and no more.
        const magnitude = k % 4 === 1 ? 1000 + below(24) : 1 + below(100);
        return (bits16From("f16", [magnitude])[0] as number) + below(2) * 0x8000;
      }),
    };
  });
}

const rows = once(() => inputs().map(rowOf));

export const cases: Case[] = dependentOn("text", [
  {
    name: "partials of units, by teams of lanes",
    gpuScript: (harness) =>
      checkEach(
        harness,
        CALL,
        rows(),
        ({ words }) => words,
        ({ wanted }: Row, words) => wrongPartials(wanted, words),
      ),
  },
]);
