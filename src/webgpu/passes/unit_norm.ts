import kernel from "../../../shaders/unit_norm.wgsl?raw";
import { ELEMENT_BYTES } from "../../ranges.ts";
import type { Units } from "../../units.ts";
import { type Batch, batchesOf, type Walk } from "../dispatches.ts";
import { tilesWithin } from "../loopLimit.ts";
import { MOST_UNIT_SEGMENTS, type Segment, segmentsOf } from "../segments.ts";
import { struct } from "../struct.ts";
import { TABLE_BYTES, tableOf } from "../table.ts";
import type { Dispatch, Pass, Planning } from "./pass.ts";
import { nameOf, readingText } from "./texts.ts";
import { type UnitPlan, unitsBinding, unitTexts } from "./units.ts";

/** Adds up the terms of a norm for each unit along axes, in tensors with several units. */
export const unitNorm: Pass = { plan: (planning) => planUnits(planning, "gradients") };
export const unitParameterNorm: Pass = { plan: (planning) => planUnits(planning, "parameters") };

/** As in shaders/unit_norm.wgsl. */
export const unitSegmentStruct = struct(
  "firstElement",
  "elementCount",
  "tile",
  "piece",
  "unused0",
  "slot",
  "unused1",
  "unused2",
);

/** The lanes of a workgroup. Several lanes may share a unit. */
const LANES = 64;
/** The number of values that one lane adds up if there are enough units to keep the device busy. */
const LANE_VALUES = 256;
/** The most partials for units that are split, over all tensors: 64 KiB. Beyond that each unit has one. */
const PARTIALS = 2048;
/** Iterations in a tile: finding its segment, folding its lanes, and four loops for each of the other bindings. */
const ITERATIONS_OF_TILE = 100;

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
  if (!innermost || innermost.stride === 0) return Math.min(LANES, powerOfTwo(size));
  return Math.max(1, Math.min(LANES / powerOfTwo(innermost.length), powerOfTwo(size)));
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

/** Each value is read twice, the second time exactly, and each time through the axes. */
function iterationsOf({ units, lanesPerUnit, splits }: UnitPlan): number {
  const values = Math.ceil(Math.ceil(units.size / splits) / lanesPerUnit);
  return ITERATIONS_OF_TILE + units.axes.length + 2 * values * (units.axes.length + 3);
}

function dispatchOf({ method }: Planning, batch: Batch, plans: ReadonlyMap<Segment, UnitPlan>): Dispatch {
  const { terms, name, fixedPower } = method.norm;
  const words = tableOf(batch, { power: fixedPower }, unitSegmentStruct, ({ segment, tile, slot }, { source }) => {
    const bytes = ELEMENT_BYTES[segment.dtype];
    const firstElement = (segment.source.byteOffset - source.offset) / bytes;
    return { firstElement, elementCount: segment.source.byteLength / bytes, tile, piece: segment.piece, slot };
  });
  return {
    name: nameOf(`unit norm ${name}`, batch, LANES),
    source: () => readingText(kernel, { terms, ...unitTexts }, batch, LANES),
    batch,
    bindings: [
      { type: "uniform", words, bytes: TABLE_BYTES },
      { type: "storage", buffer: "partials" },
      unitsBinding(batch, plans),
    ],
    workgroups: batch.workgroups,
  };
}
