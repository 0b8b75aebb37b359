import kernel from "../../../shaders/norm.wgsl?raw";
import { type Batch, batchesOf, type Walk } from "../dispatches.ts";
import { iterationsOfElements, wordTilesWithin } from "../loopLimit.ts";
import { MOST_UNIT_SEGMENTS, segmentsOf } from "../segments.ts";
import { segmentTableOf, TABLE_BYTES } from "../table.ts";
import type { Dispatch, PartialRange, Pass, Planning } from "./pass.ts";
import { gradientText, nameOf, segmentTexts, spanTexts, storeTexts } from "./texts.ts";

/** Each workgroup adds up the terms of a norm. Tensors with several units are left to unit_norm. */
export const norm: Pass = (planning) => planNorm(planning, "gradients");
export const parameterNorm: Pass = (planning) => planNorm(planning, "parameters");

function planNorm(planning: Planning, of: "gradients" | "parameters"): Dispatch[] {
  const { limits, buffers } = planning;
  const { pieces, ranges } = planning[of];
  const whole = pieces.filter(({ units }) => units === undefined);
  const batches = batchesOf(
    walkFor(planning.searchedBy.kind),
    segmentsOf(whole, limits.maxBinding),
    "in-place",
    limits,
    buffers,
  );
  if (planning.searchedBy.kind === "all") return together(planning, batches);
  return batches.map((batch) => {
    const firstPartial = planning.partialCount;
    ranges.push(...rangesOf(batch, firstPartial));
    planning.partialCount += batch.workgroups;
    return dispatchOf(planning, batch, firstPartial, false);
  });
}

/** All dispatches add to the same partials. The largest grid comes first and overwrites them. */
function together(planning: Planning, batches: Batch[]): Dispatch[] {
  batches.sort((a, b) => b.workgroups - a.workgroups);
  const count = batches[0]?.workgroups ?? 0;
  planning.partialCount += count;
  planning.found = { first: 0, count };
  return batches.map((batch, i) => dispatchOf(planning, batch, 0, i > 0));
}

function walkFor(kind: string): Walk {
  return {
    writes: false,
    mostWorkgroups: ({ normWorkgroups }) => normWorkgroups,
    mostSegments: kind === "units" ? MOST_UNIT_SEGMENTS : undefined,
    grouped: kind !== "all",
    mostTiles: (segments, elements) => wordTilesWithin(segments, () => iterationsOfElements(elements)),
  };
}

function dispatchOf({ method, limits }: Planning, batch: Batch, firstPartial: number, accumulates: boolean): Dispatch {
  const { terms, name, fixedPower } = method.norm;
  const { lanes } = limits.grid;
  const words = segmentTableOf(batch, { accumulates: Number(accumulates), power: fixedPower, firstPartial });
  const texts = { terms, ...segmentTexts, ...spanTexts, ...storeTexts };
  return {
    name: nameOf(`norm ${name}`, batch, lanes),
    source: () => gradientText(kernel, texts, batch, lanes),
    batch,
    bindings: [
      { type: "uniform", words, bytes: TABLE_BYTES },
      { type: "storage", buffer: "partials" },
    ],
    workgroups: batch.workgroups,
  };
}

/** The segments of a group are neighbours, and so are its workgroups. */
function rangesOf({ placed, tilesPerWorkgroup }: Batch, firstPartial: number): PartialRange[] {
  const ranges: PartialRange[] = [];
  for (const { segment, tile, tiles } of placed) {
    const first = firstPartial + Math.floor(tile / tilesPerWorkgroup);
    const end = firstPartial + Math.ceil((tile + tiles) / tilesPerWorkgroup);
    const last = ranges.at(-1);
    if (last?.group === segment.group) last.each = end - last.first;
    else ranges.push({ group: segment.group, first, each: end - first });
  }
  return ranges;
}
