/** Which words a workgroup works on, and the elements at the ends that share a word with others, by plain arithmetic. */
import format from "../../../shaders/formats/f16.wgsl?raw&named";
import packed from "../../../shaders/formats/packed.wgsl?raw&named";
import segmentText from "../../../shaders/shared/segment.wgsl?raw&named";
import slots from "../../../shaders/shared/slots.wgsl?raw&named";
import spans from "../../../shaders/shared/spans.wgsl?raw&named";
import stored from "../../../shaders/shared/stored.wgsl?raw&named";
import table from "../../../shaders/shared/table.wgsl?raw&named";
import targets from "../../../shaders/shared/targets.wgsl?raw&named";
import unaligned from "../../../shaders/shared/unaligned.wgsl?raw&named";
import unalignedTargets from "../../../shaders/shared/unaligned_targets.wgsl?raw&named";
import workgroup from "../../../shaders/shared/workgroup.wgsl?raw&named";
import word from "../../../shaders/words/u32.wgsl?raw&named";
import { resolved } from "../../../src/webgpu/template.ts";
import { dependentOn, range } from "../build.ts";
import { bitsOf, number16, randomSource } from "../numbers.ts";
import { alone, putAll, readInto } from "../oneLane.ts";
import { type Call, checkEach } from "../shaderFunctions.ts";
import type { Case } from "../types.ts";

const LANES = 2;
const TILE = 4 * LANES;
const SEGMENTS = 5;
const WORDS = 8;
const SEGMENT = ["first", "count", "tile", "piece", "into", "slot", "group", "edges"].map((name) => `mine.${name}`);
const HEAD = ["table.segmentCount", "tile", "firstTile", "endTile", "lane", "s", "i", "length", "bits"]
  .concat(range(SEGMENTS).flatMap((k) => [`table.segments[${2 * k}].z`, `table.segments[${2 * k + 1}].y`]))
  .concat(range(WORDS).map((k) => `gradients_0[${k}]`));
const RESULTS = ["first_segment(tile)", "is_met(s, endTile)", "slot_met(s, endTile)", "span.begin", "span.end"]
  .concat(["within(span, length).begin", "within(span, length).end", "whole_end(span.begin, span.end)"])
  .concat(["element_number(mine, i)", "has_edge(mine, firstTile, lane)", "edge_half(mine, lane)"])
  .concat([
    "edge_element(mine, lane)",
    "edge_word(mine, lane)",
    "edge_bits(mine, lane)",
    "joined_halves(word_of(0u, i % 8u), word_of(0u, i % 8u + 1u))",
  ])
  .concat(["segment_at(s).tile", "segment_at(s).slot"]);

const TILES: Call = {
  text: alone(
    resolved(
      "//#import format\n//#import shared/segment\n//#import shared/spans\n//#import shared/unaligned_targets\n",
      {
        texts: {
          "formats/packed": packed,
          "shared/segment": segmentText,
          "shared/slots": slots,
          "shared/spans": spans,
          "shared/table": table,
          "shared/targets": targets,
          "shared/unaligned": unaligned,
          "shared/unaligned_targets": unalignedTargets,
          "shared/workgroup": workgroup,
          format,
          stored,
          word,
        },
        conditions: { EDGES: true },
        slots: 1,
        tokens: { ACCESS: "read_write", TARGET: "gradients", WORKGROUP_SIZE: `${LANES}` },
      },
    ).replace(/array<vec4u, \d+>/, `array<vec4u, ${2 * SEGMENTS}>`),
    WORDS,
  ),
  body: `
  var mine: Segment;
  var tile: u32;
  var firstTile: u32;
  var endTile: u32;
  var lane: u32;
  var s: u32;
  var i: u32;
  var length: u32;
  var bits: u32;
  ${readInto([...HEAD, ...SEGMENT])}
  let span = span_of(mine, firstTile, endTile);
  ${putAll(RESULTS)}
  set_edge(mine, lane, bits);
  ${putAll(
    range(WORDS).map((k) => `gradients_0[${k}]`),
    RESULTS.length,
  )}
`,
  inputWords: HEAD.length + SEGMENT.length,
  resultWords: RESULTS.length + WORDS,
};

interface Input {
  readonly tiles: readonly number[];
  readonly tile: number;
  readonly firstTile: number;
  readonly endTile: number;
  readonly lane: number;
  readonly s: number;
  readonly i: number;
  readonly length: number;
  /** An element to write, and 16-bit numbers in memory. */
  readonly element: number;
  readonly halves: readonly number[];
  readonly segment: { readonly first: number; readonly count: number; readonly tile: number; readonly into: number };
  readonly edges: { readonly before: 0 | 1; readonly behind: 0 | 1; readonly isHalfOff: 0 | 1 };
}

const float = (half: number) => bitsOf(number16("f16", half));
const word32 = (low = 0, high = 0) => low + high * 2 ** 16;
const wordsIn = (halves: readonly number[]) => range(WORDS).map((k) => word32(halves[2 * k], halves[2 * k + 1]));
const NO_SLOT = 2 ** 32 - 1;
const slotOf = (s: number) => (3 * s + 1) % 4;

function wordsFor({ tiles, segment, edges, halves, ...one }: Input): number[] {
  return [
    ...[tiles.length, one.tile, one.firstTile, one.endTile, one.lane, one.s, one.i, one.length, float(one.element)],
    ...range(SEGMENTS).flatMap((k) => [tiles[k] ?? 0, slotOf(k)]),
    ...wordsIn(halves),
    ...[segment.first, segment.count, segment.tile, 0, segment.into, 0, 0],
    edges.before + 2 * edges.behind + 4 * edges.isHalfOff,
  ];
}

function wantedOf({ tiles, segment, edges, halves, ...one }: Input): number[] {
  const { firstTile, endTile, lane, s, i, length } = one;
  const isMet = s < tiles.length && (tiles[s] as number) < endTile;
  const { first, count, into } = segment;
  const begin = first + Math.min(Math.max(firstTile - segment.tile, 0) * TILE, count);
  const end = first + Math.min((endTile - segment.tile) * TILE, count);
  // In half words, of the source.
  const start = 2 * first + edges.isHalfOff;
  const half = lane === 0 ? start - 1 : start + 2 * count;
  const target = lane === 0 ? into - 1 : into + count;
  const after = [...halves];
  after[2 * target + 1 - lane] = one.element;
  const from = 2 * (i % WORDS) + 1;
  return [
    tiles.filter((tile) => tile <= one.tile).length - 1,
    Number(isMet),
    isMet ? slotOf(s) : NO_SLOT,
    ...[begin, end, begin, Math.min(end, length), begin + Math.floor((end - begin) / TILE) * TILE],
    2 * (i - first) + edges.before,
    Number(segment.tile >= firstTile && (lane === 0 ? edges.before : lane === 1 && edges.behind) === 1),
    half,
    lane === 0 ? 0 : edges.before + 2 * count,
    target,
    float(halves[half] as number),
    word32(halves[from], halves[from + 1]),
    ...[tiles[s] ?? 0, slotOf(s)],
    ...wordsIn(after),
  ];
}

function inputs(): Input[] {
  const random = randomSource(1);
  const below = (end: number) => Math.floor(Math.abs(random()) * end);
  const bit = () => below(2) as 0 | 1;
  return range(3000).map((k): Input => {
    const tiles = range(1 + below(SEGMENTS)).reduce<number[]>((all) => [...all, (all.at(-1) ?? -1) + 1 + below(4)], []);
    const [tile, firstTile] = [below(8), below(12)];
    const count = 1 + below(k % 2 ? 4 : 40);
    const first = 1 + below(2);
    return {
      tiles: [0, ...tiles.slice(1)],
      tile: below(20),
      firstTile,
      endTile: Math.max(tile, firstTile) + 1 + below(4),
      lane: below(3),
      s: below(SEGMENTS),
      i: first + below(20),
      length: below(50),
      element: below(0x7c00),
      halves: range(2 * WORDS).map(() => below(0x7c00)),
      segment: { first, count, tile, into: 1 + below(3) },
      edges: { before: bit(), behind: bit(), isHalfOff: bit() },
    };
  });
}

function wrongIn(input: Input, words: Uint32Array): readonly string[] {
  const { first, into, count } = input.segment;
  const isInside = Math.max(first, into) + count + 1 < WORDS;
  return wantedOf(input).flatMap((want, k) => {
    const name = RESULTS[k] ?? `word ${k - RESULTS.length} afterwards`;
    // What lies behind the memory here is no question.
    if ((!isInside || input.lane > 1) && /edge_bits|afterwards/.test(name)) return [];
    if (name.startsWith("joined") && (input.i % WORDS) + 1 === WORDS) return [];
    return words[k] === want >>> 0 ? [] : [`${name} is ${words[k]}, wanted ${want}`];
  });
}

export const cases: Case[] = dependentOn("text", [
  {
    name: "tiles of segments, and elements at their ends",
    gpuScript: (harness) => checkEach(harness, TILES, inputs(), wordsFor, wrongIn),
  },
]);
