import kernel from "../../../shaders/scale.wgsl?raw";
import group from "../../../shaders/scales/group.wgsl?raw";
import one from "../../../shaders/scales/one.wgsl?raw";
import clipped from "../../../shaders/shared/clipped.wgsl?raw";
import entry from "../../../shaders/shared/entry.wgsl?raw";
import record from "../../../shaders/shared/record.wgsl?raw";
import { writesOf } from "../../overlaps.ts";
import { type Batch, batchesOf, type Walk } from "../dispatches.ts";
import { READ } from "../layouts.ts";
import { iterationsOfElements, wordTilesWithin } from "../loopLimit.ts";
import { segmentsOf } from "../segments.ts";
import { segmentTableOf, TABLE_BYTES } from "../table.ts";
import type { Texts } from "../template.ts";
import type { Binding, Dispatch, Pass, Planning } from "./pass.ts";
import { gradientText, nameOf, segmentTexts } from "./texts.ts";

/** Where a kernel finds its scales. */
export interface Scales {
  /** The beginning of the kernel's name. */
  readonly name: string;
  readonly texts: Texts;
  readonly bindings: (batch: Batch) => readonly Binding[];
  /** The most segments in a dispatch, where they are fewer than a table has room for. */
  readonly mostSegments?: number;
}

const walk: Walk = {
  writes: true,
  mostWorkgroups: ({ scaleWorkgroups }) => scaleWorkgroups,
  mostTiles: (segments, elements) => wordTilesWithin(segments, () => iterationsOfElements(elements)),
};

/** gradient = scale * gradient, with one scale for all. */
export const scale: Pass = scaleBy({
  name: "scale",
  texts: { scales: one, "shared/record": record },
  bindings: () => [{ type: "uniform", buffer: "record" }],
});

/** The same with a scale for each group. */
export const groupScale: Pass = scaleBy({
  name: "scale groups",
  texts: { scales: group, "shared/entry": entry },
  bindings: () => [{ type: READ, buffer: "entries" }],
});

/*@__NO_SIDE_EFFECTS__*/
export function scaleBy(scales: Scales): Pass {
  return (planning) => planScale(planning, scales);
}

function planScale({ options, tensors, gradients, limits, buffers }: Planning, scales: Scales): Dispatch[] {
  if (options.apply === "record") return [];
  const { lanes } = limits.grid;
  return writesOf(tensors, gradients.pieces).flatMap(({ target, pieces }) => {
    const segments = segmentsOf(pieces, limits.maxBinding, true);
    return batchesOf({ ...walk, mostSegments: scales.mostSegments }, segments, target, limits, buffers).map(
      (batch) => ({
        name: nameOf(scales.name, batch, lanes),
        source: () =>
          gradientText(kernel, { ...scales.texts, ...segmentTexts, "shared/clipped": clipped }, batch, lanes),
        batch,
        bindings: [{ type: "uniform", words: segmentTableOf(batch), bytes: TABLE_BYTES }, ...scales.bindings(batch)],
        workgroups: batch.workgroups,
      }),
    );
  });
}
