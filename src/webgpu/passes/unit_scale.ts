import scales from "../../../shaders/scales/unit.wgsl?raw";
import { struct } from "../../struct.ts";
import type { Batch } from "../dispatches.ts";
import { READ } from "../layouts.ts";
import { MOST_UNIT_SEGMENTS } from "../segments.ts";
import type { Binding, Pass } from "./pass.ts";
import { entryTexts, scaleBy, scaleWalk } from "./scale.ts";
import { numberingOf, numberingStruct, unitTexts } from "./units.ts";

/** As in shaders/scales/unit.wgsl, where the numbering and the periods outside of it follow. */
export const elementUnitsStruct = struct("firstElement", "axisCount", "unused0", "unused1");
export const outerStruct = struct(
  "period3",
  "period4",
  "period5",
  "period6",
  "change3",
  "change4",
  "change5",
  "change6",
);
const INNER_AT = elementUnitsStruct.words;
const OUTER_AT = INNER_AT + numberingStruct.words;
const UNITS_WORDS = OUTER_AT + outerStruct.words;
/** What the kernel binds, as TABLE_BYTES. */
export const ELEMENT_UNITS_BYTES = 4 * UNITS_WORDS * MOST_UNIT_SEGMENTS;

/** gradient = scale * gradient, with a scale for each unit along axes. */
export const unitScale: Pass = scaleBy({
  name: "scale units",
  texts: { scales, ...unitTexts, ...entryTexts },
  bindings: (batch) => [{ type: READ, buffer: "entries" }, unitsBinding(batch)],
  walk: { ...scaleWalk, mostSegments: MOST_UNIT_SEGMENTS },
});

/** From elements to units, for the segments of a dispatch in the order of its table. */
function unitsBinding({ placed }: Batch): Binding {
  const words = new Uint32Array(UNITS_WORDS * placed.length);
  for (const [number, { segment }] of placed.entries()) {
    if (!segment.units) continue;
    const at = UNITS_WORDS * number;
    const { axes } = segment.units;
    const numbering = numberingOf(axes);
    elementUnitsStruct.write(words, at, { firstElement: segment.firstElement, axisCount: axes.length });
    numberingStruct.write(words, at + INNER_AT, numbering);
    outerStruct.write(words, at + OUTER_AT, numbering);
  }
  return { type: "uniform", words, bytes: ELEMENT_UNITS_BYTES };
}
