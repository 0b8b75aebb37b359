import units from "../../../shaders/shared/units.wgsl?raw";
import { MOST_AXES, type Units } from "../../units.ts";
import type { Batch } from "../dispatches.ts";
import { MOST_UNIT_SEGMENTS, type Segment } from "../segments.ts";
import { struct } from "../struct.ts";
import type { Binding } from "./pass.ts";

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
const axisStruct = struct("length", "stride");
const UNITS_WORDS = unitsStruct.words + axisStruct.words * MOST_AXES;

/** The size of the binding, as TABLE_BYTES. */
export const UNITS_BYTES = 4 * UNITS_WORDS * MOST_UNIT_SEGMENTS;

export const unitTexts = { "shared/units": units };

/** How unit_norm.wgsl works on the units of a segment. */
export interface UnitPlan {
  readonly units: Units;
  /** The number of lanes that share a unit, a power of two. Neighbouring lanes read neighbouring elements. */
  readonly lanesPerUnit: number;
  /** The number of partials of a unit. Each covers a share of its values. */
  readonly splits: number;
  readonly firstPartial: number;
}

/** The units of a dispatch's segments, in the order of its table. Without plans it has only the places of the elements. */
export function unitsBinding({ placed }: Batch, plans?: ReadonlyMap<Segment, UnitPlan>): Binding {
  const words = new Uint32Array(UNITS_WORDS * placed.length);
  for (const [number, { segment }] of placed.entries()) {
    if (!segment.units) continue;
    const at = UNITS_WORDS * number;
    const { count, size, axes } = segment.units;
    const { lanesPerUnit: team = 0, splits: chunks = 0, firstPartial = 0 } = plans?.get(segment) ?? {};
    const { firstElement } = segment;
    unitsStruct.write(words, at, { count, size, team, chunks, firstElement, firstPartial, runCount: axes.length });
    for (const [i, axis] of axes.entries())
      axisStruct.write(words, at + unitsStruct.words + axisStruct.words * i, axis);
  }
  return { type: "uniform", words, bytes: UNITS_BYTES };
}
