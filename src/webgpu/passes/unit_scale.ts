import scales from "../../../shaders/scales/unit.wgsl?raw";
import entry from "../../../shaders/shared/entry.wgsl?raw";
import units from "../../../shaders/shared/units.wgsl?raw";
import { struct } from "../../struct.ts";
import type { Batch } from "../dispatches.ts";
import { READ } from "../layouts.ts";
import { MOST_UNIT_SEGMENTS } from "../segments.ts";
import type { Binding, Pass } from "./pass.ts";
import { scaleBy } from "./scale.ts";
import { numberingOf, numberingStruct } from "./units.ts";

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
const unitsWords = () => elementUnitsStruct.words + numberingStruct.words + outerStruct.words;
/** What the kernel binds, as TABLE_BYTES. */
export const elementUnitsBytes = () => 4 * unitsWords() * MOST_UNIT_SEGMENTS;

/** gradient = scale * gradient, with a scale for each unit along axes. */
export const unitScale: Pass = scaleBy({
  name: "scale units",
  texts: { scales, "shared/units": units, "shared/entry": entry },
  bindings: (batch) => [{ type: READ, buffer: "entries" }, unitsBinding(batch)],
  mostSegments: MOST_UNIT_SEGMENTS,
});

/** From elements to units, for the segments of a dispatch in the order of its table. */
function unitsBinding({ placed }: Batch): Binding {
  const words = new Uint32Array(unitsWords() * placed.length);
  for (const [number, { segment }] of placed.entries()) {
    if (!segment.units) continue;
    const at = unitsWords() * number;
    const innerAt = at + elementUnitsStruct.words;
    const { axes } = segment.units;
    const numbering = numberingOf(axes);
    elementUnitsStruct.write(words, at, { firstElement: segment.firstElement, axisCount: axes.length });
    numberingStruct.write(words, innerAt, numbering);
    outerStruct.write(words, innerAt + numberingStruct.words, numbering);
  }
  return { type: "uniform", words, bytes: elementUnitsBytes() };
}
