/** The kernel that multiplies, as a function of memory, two segments and the scales of units along axes: every word afterwards. */
import format from "../../../shaders/formats/f32.wgsl?raw&named";
import scale from "../../../shaders/scale.wgsl?raw&named";
import scales from "../../../shaders/scales/unit.wgsl?raw&named";
import clipped from "../../../shaders/shared/clipped.wgsl?raw&named";
import entry from "../../../shaders/shared/entry.wgsl?raw&named";
import segmentText from "../../../shaders/shared/segment.wgsl?raw&named";
import slots from "../../../shaders/shared/slots.wgsl?raw&named";
import spans from "../../../shaders/shared/spans.wgsl?raw&named";
import stored from "../../../shaders/shared/stored.wgsl?raw&named";
import table from "../../../shaders/shared/table.wgsl?raw&named";
import targets from "../../../shaders/shared/targets.wgsl?raw&named";
import unitsText from "../../../shaders/shared/units.wgsl?raw&named";
import workgroup from "../../../shaders/shared/workgroup.wgsl?raw&named";
import word from "../../../shaders/words/vec4.wgsl?raw&named";
import { unitsAlong } from "../../../src/units.ts";
import { numberingOf } from "../../../src/webgpu/passes/units.ts";
import { resolved } from "../../../src/webgpu/template.ts";
import { dependentOn, range } from "../build.ts";
import { bitsOf, floatOf, randomSource } from "../numbers.ts";
import { alone, readInto } from "../oneLane.ts";
import { unitAlong } from "../referenceGroups.ts";
import { type Call, checkEach } from "../shaderFunctions.ts";
import type { Case } from "../types.ts";
import { putArray, readArray } from "../walks.ts";

/** Lanes run one after the other. */
const LANES = 2;
const TILE = 4 * LANES;
const WORDS = 24;
const ENTRIES = 24;
const SEGMENTS = 2;
const ONE = bitsOf(1);
const SKIP = 2;
const HEAD = ["table.segmentCount", "table.tilesPerWorkgroup"];
const SEGMENTS_AT = HEAD.length;
const UNITS_AT = SEGMENTS_AT + 8 * SEGMENTS;
const ENTRIES_AT = UNITS_AT + 20 * SEGMENTS;
const MEMORY_AT = ENTRIES_AT + 3 * ENTRIES;
const WORKGROUPS_AT = MEMORY_AT + 4 * WORDS;

const SCALING: Call = {
  text: alone(
    resolved(scale, {
      texts: {
        "shared/clipped": clipped,
        "shared/entry": entry,
        "shared/segment": segmentText,
        "shared/slots": slots,
        "shared/spans": spans,
        "shared/table": table,
        "shared/targets": targets,
        "shared/units": unitsText,
        "shared/workgroup": workgroup,
        format,
        scales,
        stored,
        word,
      },
      conditions: { UNITS: true, UNPACKED: true },
      slots: 1,
      tokens: { ACCESS: "read_write", IN_PLACE: "true", TARGET: "gradients", WORKGROUP_SIZE: `${LANES}` },
    }).replace(/array<vec4u, \d+>/g, `array<vec4u, ${5 * SEGMENTS + 5}>`),
    WORDS,
  ),
  body: `
  ${readInto(HEAD)}
  ${readArray("table.segments", 2 * SEGMENTS, SEGMENTS_AT, 4)}
  ${readArray("unitTable", 5 * SEGMENTS, UNITS_AT, 4)}
  for (var k = 0u; k < ${ENTRIES}u; k += 1u) {
    let entry = ${ENTRIES_AT}u + 3u * k;
    entries[k] = Entry(vec2u(at(entry), at(entry + 1u)), at(entry + 2u), 0u, 0u, 0, 0u, 0u);
  }
  ${readArray("gradients_0", WORDS, MEMORY_AT, 4)}
  for (var number = 0u; number < at(${WORKGROUPS_AT}u); number += 1u) {
    for (var lane = 0u; lane < ${LANES}u; lane += 1u) {
      kernel(vec3u(number, 0u, 0u), lane);
    }
  }
  ${putArray("gradients_0", WORDS, 0, 4)}
`,
  inputWords: WORKGROUPS_AT + 1,
  resultWords: 4 * WORDS,
};

interface Input {
  /** The second segment is words of a tensor from this element on; in memory it is the first. */
  readonly shape: readonly number[];
  readonly axes: readonly number[];
  readonly firstElement: number;
  /** In words of four elements. */
  readonly first: number;
  readonly counts: readonly [number, number];
  readonly gap: number;
  readonly tilesPerWorkgroup: number;
  readonly group: number;
  /** Of units from `group` on, and of the other segment: a power of two; undefined for what is left out. */
  readonly powers: readonly (number | undefined)[];
  readonly other: number;
  readonly values: readonly number[];
}

function wordsFor(input: Input): number[] {
  const { shape, axes, firstElement, first, counts, gap, tilesPerWorkgroup, group, powers, other, values } = input;
  const { axes: merged } = unitsAlong(shape, axes, "a tensor");
  const numbering = numberingOf(merged);
  const inner = ["period0", "period1", "period2", "stride", "change0", "change1", "change2", "none"];
  const outer = ["period3", "period4", "period5", "period6", "change3", "change4", "change5", "change6"];
  const second = first + counts[0] + gap;
  const tiles = Math.ceil(counts[1] / TILE);
  const all = tiles + Math.ceil(counts[0] / TILE);
  const entries = range(ENTRIES).map((k) => (k === other ? -1 : powers[k - group]));
  return [
    ...[SEGMENTS, tilesPerWorkgroup],
    ...[second, counts[1], 0, 0, second, 0, other, 0],
    ...[first, counts[0], tiles, 0, first, 0, group, 0],
    ...range(20).map(() => 0),
    ...[firstElement, merged.length, 0, 0, ...[...inner, ...outer].map((name) => numbering[name] ?? 0)],
    ...entries.flatMap((power) => (power === undefined ? [ONE, ONE, SKIP] : [bitsOf(2 ** power), ONE, 0])),
    ...values.map(bitsOf),
    Math.ceil(all / tilesPerWorkgroup),
  ];
}

function wrongIn(input: Input, words: Uint32Array): readonly string[] {
  const { shape, axes, firstElement, first, counts, gap, powers, values } = input;
  const unitOf = unitAlong(shape, axes);
  const second = first + counts[0] + gap;
  const scaleOf = (i: number): number => {
    const at = Math.floor(i / 4);
    if (at >= first && at < first + counts[0]) {
      const power = powers[unitOf(firstElement + i - 4 * first)];
      return power === undefined ? 0 : 2 ** power;
    }
    return at >= second && at < second + counts[1] ? 0.5 : 1;
  };
  return values.flatMap((value, i) => {
    const got = floatOf(words[i] as number);
    const wanted = value * scaleOf(i);
    return got === wanted ? [] : [`element ${i} is ${got}, wanted ${wanted}`];
  });
}

function inputs(): Input[] {
  const random = randomSource(1);
  const below = (end: number) => Math.floor(Math.abs(random()) * end);
  const shapes = [
    [16],
    [4, 4],
    [2, 3, 2, 4],
    [3, 5, 4],
    [2, 2, 2, 2, 2, 2],
    [1, 2, 2, 1, 3, 2, 2],
    [2, 2, 2, 2, 2, 2, 2],
  ];
  return range(600)
    .map((k): Input => {
      const shape = shapes[k % shapes.length] as number[];
      // Axes that alternate, or any of them.
      const axes = range(shape.length).filter((axis) => (k % 3 ? axis % 2 === k % 2 : below(2)));
      const size = shape.reduce((product, length) => product * length, 1);
      const { count } = unitsAlong(shape, axes, "a tensor");
      const firstElement = below(4) ? 0 : below(Math.max(size - 12, 1));
      const most = Math.min(Math.floor((size - firstElement) / 4), WORDS - 6);
      const first = below(3);
      const counts = [Math.max(1, below(4) ? most : below(most)), 1 + below(2)] as const;
      const group = below(3);
      return {
        shape,
        axes,
        firstElement,
        first,
        counts,
        gap: below(2),
        tilesPerWorkgroup: 1 + below(3),
        group,
        powers: range(count).map(() => (below(7) ? -below(9) : undefined)),
        other: ENTRIES - 1,
        values: range(4 * WORDS).map(() => (1 + below(1000)) * (below(2) ? 1 : -1)),
      };
    })
    .filter(({ group, powers }) => group + powers.length < ENTRIES);
}

export const cases: Case[] = dependentOn("text", [
  {
    name: "a tensor with a scale for each unit, and one with one scale beside it",
    gpuScript: (harness) => checkEach(harness, SCALING, inputs(), wordsFor, wrongIn),
  },
]);
