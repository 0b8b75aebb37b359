import units from "../../../shaders/shared/units.wgsl?raw";
import kernel from "../../../shaders/unit_norm.wgsl?raw";
import { ELEMENT_BYTES } from "../../ranges.ts";
import { struct } from "../../struct.ts";
import type { Axis, Units } from "../../units.ts";
import { type Batch, batchesOf, type Walk } from "../dispatches.ts";
import { tilesWithin } from "../loopLimit.ts";
import { MOST_UNIT_SEGMENTS, type Segment, segmentsOf } from "../segments.ts";
import { TABLE_BYTES, tableOf } from "../table.ts";
import type { Binding, Dispatch, Pass, Planning } from "./pass.ts";
import { gradientText, nameOf } from "./texts.ts";
import { numberingOf, numberingStruct } from "./units.ts";

/** Adds up the terms of a norm for each unit along axes, in tensors with several units. */
export const unitNorm: Pass = (planning) => planUnits(planning, "gradients");
export const unitParameterNorm: Pass = (planning) => planUnits(planning, "parameters");

/** As in shaders/unit_norm.wgsl. */
export const unitSegmentStruct = struct(
  "firstElement",
  "elementCount",
  "tile",
  "piece",
  "inTensor",
  "slot",
  "unused0",
  "unused1",
);
/** As there too. Two numberings follow: that of the runs, and that of the units. */
export const unitsStruct = struct(
  "count",
  "size",
  "team",
  "chunks",
  "firstPartial",
  "runLength",
  "valueStride",
  "runShift",
);
const unitsWords = () => unitsStruct.words + 2 * numberingStruct.words;
/** What the kernel binds, as TABLE_BYTES. */
export const unitsBytes = () => 4 * unitsWords() * MOST_UNIT_SEGMENTS;

/** The lanes of a workgroup. Several lanes may share a unit. */
const LANES = 64;
/** The number of values that a lane reads at once. */
const AT_ONCE = 4;
/** The number of values that one lane adds up if there are enough units to keep the device busy. */
const LANE_VALUES = 256;
/** The most partials for units that are split, over all tensors: 64 KiB. Beyond that each unit has one. */
const PARTIALS = 2048;
/** The number of values that a lane adds up before it adds that to the rest, as in shaders/unit_norm.wgsl. */
const BLOCK = 256;
/** Iterations in a tile: finding its segment, folding its lanes. */
const ITERATIONS_OF_TILE = 24;
/** Iterations in a block: two loops of one iteration for each of the other bindings, and the exact loop. */
const ITERATIONS_OF_BLOCK = 70;

/** How the kernel works on the units of a segment. */
interface UnitPlan {
  readonly units: Units;
  /** The number of lanes that share a unit, a power of two. Neighbouring lanes read neighbouring elements. */
  readonly lanesPerUnit: number;
  /** The number of partials of a unit. Each covers a share of its values. */
  readonly splits: number;
  readonly firstPartial: number;
}

function planUnits(planning: Planning, of: "gradients" | "parameters"): Dispatch[] {
  const { limits, buffers } = planning;
  const { pieces, ranges } = planning[of];
  const segments = segmentsOf(
    pieces.filter(({ units }) => units),
    limits.maxBinding,
  );
  const plans = plansFor(segments, planning.partialCount);
  const batches = batchesOf(walkFor(plans), segments, "in-place", limits, buffers);
  for (const [{ group }, { units, splits, firstPartial }] of plans) {
    ranges.push({ group, first: firstPartial, each: splits });
    planning.partialCount = firstPartial + splits * units.count;
  }
  return batches.map((batch) => dispatchOf(planning, batch, plans));
}

/** Splits units so that lanes stay busy, within the number of partials. */
function plansFor(segments: readonly Segment[], firstPartial: number): Map<Segment, UnitPlan> {
  const plans = new Map<Segment, UnitPlan>();
  const elements = segments.reduce((sum, { units }) => sum + (units ? units.count * units.size : 0), 0);
  let next = firstPartial;
  for (const segment of segments) {
    const { units } = segment;
    if (!units) continue;
    const lanesPerUnit = lanesFor(units);
    const share = Math.floor((PARTIALS * units.size) / elements); // of the partials, for each of its units
    const splits = Math.max(1, Math.min(Math.ceil(units.size / (lanesPerUnit * LANE_VALUES)), share));
    plans.set(segment, { units, lanesPerUnit, splits, firstPartial: next });
    next += units.count * splits;
  }
  return plans;
}

function lanesFor({ size, axes: [innermost] }: Units): number {
  const abreast = innermost && innermost.stride > 0 ? Math.min(LANES, powerOfTwo(innermost.length)) : 1;
  return Math.min(LANES / abreast, lanesWorth(size));
}

/** The number of lanes that so many values keep busy. */
function lanesWorth(values: number): number {
  return powerOfTwo(Math.ceil(values / AT_ONCE));
}

/** The smallest power of two that is not below the value. */
function powerOfTwo(value: number): number {
  return 2 ** Math.ceil(Math.log2(value));
}

function walkFor(plans: ReadonlyMap<Segment, UnitPlan>): Walk {
  const planOf = (segment: Segment) => plans.get(segment) as UnitPlan;
  return {
    writes: false,
    mostWorkgroups: ({ normWorkgroups }) => normWorkgroups,
    mostSegments: MOST_UNIT_SEGMENTS,
    // Along axes the elements are read one by one.
    wordOf: () => "u32",
    tilesOf: (segment) => tilesOf(planOf(segment)),
    mostTiles: (segments) => tilesWithin(Math.max(...segments.map((segment) => iterationsOf(planOf(segment))))),
  };
}

/** The number of tiles. A tile is one split of all units that a workgroup takes at once. */
function tilesOf({ units, lanesPerUnit, splits }: UnitPlan): number {
  return Math.ceil((units.count * lanesPerUnit) / LANES) * splits;
}

/** Each value is read twice, the second time exactly. */
function iterationsOf({ units, lanesPerUnit, splits }: UnitPlan): number {
  const { length } = runsOf(units);
  const lanesPerRun = Math.min(lanesPerUnit, lanesWorth(length));
  const runs = Math.ceil(((units.size / splits / length + 1) * lanesPerRun) / lanesPerUnit);
  const values = Math.ceil(Math.min(length, units.size / splits) / lanesPerRun);
  return ITERATIONS_OF_TILE + runs * (Math.ceil(values / BLOCK) * ITERATIONS_OF_BLOCK + 2 * values);
}

/** Where the runs and the units of a tensor lie, with strides in elements. A run is a row of values along the innermost reduced axis. */
function runsOf({ axes }: Units) {
  let stride = 1;
  const kept: Axis[] = [];
  const reduced: Axis[] = [];
  for (const axis of axes) {
    (axis.stride > 0 ? kept : reduced).push({ length: axis.length, stride });
    stride *= axis.length;
  }
  const [run = { length: 1, stride: 0 }, ...runs] = reduced;
  return { ...run, runs, units: kept };
}

function dispatchOf({ method }: Planning, batch: Batch, plans: ReadonlyMap<Segment, UnitPlan>): Dispatch {
  const { terms, name, fixedPower } = method.norm;
  const words = tableOf(batch, { power: fixedPower }, unitSegmentStruct, ({ segment, tile, slot }, { source }) => {
    const bytes = ELEMENT_BYTES[segment.dtype];
    const firstElement = (segment.source.byteOffset - source.offset) / bytes;
    const elementCount = segment.source.byteLength / bytes;
    return { firstElement, elementCount, tile, piece: segment.piece, inTensor: segment.firstElement, slot };
  });
  return {
    name: nameOf(`unit norm ${name}`, batch, LANES),
    source: () => gradientText(kernel, { terms, "shared/units": units }, batch, LANES),
    batch,
    bindings: [
      { type: "uniform", words, bytes: TABLE_BYTES },
      { type: "storage", buffer: "partials" },
      unitsBinding(batch, plans),
    ],
    workgroups: batch.workgroups,
  };
}

/** How the segments of a dispatch fall into units, in the order of its table. */
function unitsBinding({ placed }: Batch, plans: ReadonlyMap<Segment, UnitPlan>): Binding {
  const words = new Uint32Array(unitsWords() * placed.length);
  for (const [number, { segment }] of placed.entries()) {
    const { units, lanesPerUnit: team, splits: chunks, firstPartial } = plans.get(segment) as UnitPlan;
    const { length: runLength, stride: valueStride, runs, units: kept } = runsOf(units);
    const runShift = Math.log2(Math.min(team, lanesWorth(runLength)));
    const { count, size } = units;
    const at = unitsWords() * number;
    const runsAt = at + unitsStruct.words;
    unitsStruct.write(words, at, { count, size, team, chunks, firstPartial, runLength, valueStride, runShift });
    numberingStruct.write(words, runsAt, numberingOf(runs));
    numberingStruct.write(words, runsAt + numberingStruct.words, numberingOf(kept));
  }
  return { type: "uniform", words, bytes: unitsBytes() };
}
