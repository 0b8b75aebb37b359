import { MOST_AXES, type Units } from "../units.ts";
import type { Segment } from "./segments.ts";
import { struct } from "./struct.ts";
import type { Placed } from "./table.ts";

/** As in shaders/shared/units.wgsl, before the axes. */
export const unitsStruct = struct(
  "count",
  "size",
  "team",
  "chunks",
  "firstElement",
  "firstPartial",
  "runCount",
  "unused",
);
const axisStruct = struct("size", "step");
const SHAPE_WORDS = unitsStruct.words + axisStruct.words * MOST_AXES;

/** Segments of a dispatch along axes, as in shaders/shared/units.wgsl: a uniform of a compatibility-mode device has 16 KiB. */
export const MOST_SHAPES = 170;

/** What a kernel binds, as TABLE_BYTES. */
export const SHAPES_BYTES = 4 * SHAPE_WORDS * MOST_SHAPES;

/** Lanes of a workgroup of unit_norm.wgsl, which share them out among units. */
export const UNIT_LANES = 64;
/** What one lane adds up, if there are enough units to keep the device busy. */
const LANE_VALUES = 256;
/** Partials that the units of all tensors may take together before there is one for each: 64 KiB. */
const PARTIALS = 2048;

/** How unit_norm.wgsl works on a segment. */
export interface Shape {
  readonly units: Units;
  /** Lanes that share a unit, a power of two: neighbouring lanes read neighbouring elements. */
  readonly team: number;
  /** Partials of a unit, each of a share of its values. */
  readonly chunks: number;
  readonly firstPartial: number;
  /** What a workgroup does at once: a chunk of as many units as it has teams. */
  readonly jobs: number;
}

/** For the segments that have units. */
export function shapesFor(segments: readonly Segment[], firstPartial: number): Map<Segment, Shape> {
  const shapes = new Map<Segment, Shape>();
  const elements = segments.reduce((sum, { units }) => sum + (units ? units.count * units.size : 0), 0);
  let next = firstPartial;
  for (const segment of segments) {
    const { units } = segment;
    if (!units) continue;
    const team = teamFor(units);
    const share = Math.floor((PARTIALS * units.size) / elements); // of the partials, for each of its units
    const chunks = Math.max(1, Math.min(Math.ceil(units.size / (team * LANE_VALUES)), share));
    const jobs = Math.ceil((units.count * team) / UNIT_LANES) * chunks;
    shapes.set(segment, { units, team, chunks, firstPartial: next, jobs });
    next += units.count * chunks;
  }
  return shapes;
}

function teamFor({ size, axes: runs }: Units): number {
  const [innermost] = runs;
  if (!innermost || innermost.step === 0) return Math.min(UNIT_LANES, powerOfTwo(size));
  return Math.max(1, Math.min(UNIT_LANES / powerOfTwo(innermost.size), powerOfTwo(size)));
}

/** The smallest that is not below. */
function powerOfTwo(value: number): number {
  return 2 ** Math.ceil(Math.log2(value));
}

/** The shapes of a dispatch's segments, in the order of its table; scale needs no more of them than the runs. */
export function shapeTableOf(
  placed: readonly Placed[],
  shapes: ReadonlyMap<Segment, Shape> | undefined,
): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(SHAPE_WORDS * placed.length);
  for (const [number, { segment }] of placed.entries()) {
    const { units, firstElement } = segment;
    if (!units) continue;
    const { team = 0, chunks = 0, firstPartial = 0 } = shapes?.get(segment) ?? {};
    const at = SHAPE_WORDS * number;
    const { count, size, axes } = units;
    unitsStruct.write(words, at, { count, size, team, chunks, firstElement, firstPartial, runCount: axes.length });
    for (const [i, axis] of axes.entries())
      axisStruct.write(words, at + unitsStruct.words + axisStruct.words * i, axis);
  }
  return words;
}
