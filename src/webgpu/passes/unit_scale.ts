import scales from "../../../shaders/scales/unit.wgsl?raw";
import { READ } from "../layouts.ts";
import { iterationsOfElements, wordTilesWithin } from "../loopLimit.ts";
import { MOST_UNIT_SEGMENTS } from "../segments.ts";
import type { Pass } from "./pass.ts";
import { entryTexts, scaleBy, scaleWalk } from "./scale.ts";
import { unitsBinding, unitTexts } from "./units.ts";

/** gradient = scale * gradient, with a scale for each unit along axes. */
export const unitScale: Pass = scaleBy({
  name: "scale units",
  texts: { scales, ...unitTexts, ...entryTexts },
  bindings: (batch) => [{ type: READ, buffer: "entries" }, unitsBinding(batch)],
  walk: {
    ...scaleWalk,
    mostSegments: MOST_UNIT_SEGMENTS,
    mostTiles: (segments, elements) =>
      wordTilesWithin(segments, ({ units }) => iterationsOfElements(elements, units ? units.axes.length + 1 : 0)),
  },
});
