import kernel from "../../../shaders/clamp.wgsl?raw";
import { floatBits } from "../../floats.ts";
import { writesOf } from "../../overlaps.ts";
import { type Batch, batchesOf, type Walk } from "../dispatches.ts";
import { resultsOf } from "../format.ts";
import { READ } from "../layouts.ts";
import { iterationsOfElements, wordTilesWithin } from "../loopLimit.ts";
import { segmentsOf } from "../segments.ts";
import { segmentTableOf, TABLE_BYTES } from "../table.ts";
import { sourceIndex } from "./decide.ts";
import type { Dispatch, Planning } from "./pass.ts";
import { gradientText, nameOf, partialTexts, segmentTexts, storeTexts, wordTexts } from "./texts.ts";

/** A binding has at least one word. */
const NO_SOURCE = new Uint32Array(1);

const walk: Walk = {
  writes: true,
  // It reads gradScale from a buffer and writes partials.
  extraStorage: 1,
  mostWorkgroups: ({ normWorkgroups }) => normWorkgroups,
  mostTiles: (segments, elements) => wordTilesWithin(segments, () => iterationsOfElements(elements)),
};

/**
 * Clips each value by itself: one pass that reads, writes and reports. All dispatches add to the same partials. The first one
 * overwrites them, so it gets as many workgroups as the largest.
 */
export function clamp(planning: Planning): Dispatch[] {
  const { tensors, gradients, limits, buffers } = planning;
  const batches = writesOf(tensors, gradients.pieces).flatMap(({ target, pieces }) => {
    const segments = segmentsOf(pieces, limits.maxBinding, true);
    return batchesOf(walk, segments, target, limits, buffers);
  });
  const count = batches.reduce((most, { workgroups }) => Math.max(most, workgroups), 0);
  planning.partialCount += count;
  planning.found = { first: 0, count };
  return batches.map((batch, i) => ({
    ...dispatchOf(planning, batch, i > 0),
    workgroups: i === 0 ? count : batch.workgroups,
  }));
}

function dispatchOf(
  { method, options, limits }: Planning,
  batch: Batch,
  accumulates: boolean,
): Omit<Dispatch, "workgroups"> {
  const { lanes } = limits.grid;
  const [low, high] = method.limits?.(resultsOf(batch.format)) ?? [-Infinity, Infinity];
  const words = segmentTableOf(batch, {
    accumulates: Number(accumulates),
    low: floatBits(low),
    high: floatBits(high),
    gradScaleIndex: sourceIndex(options.gradScale),
  });
  return {
    name: nameOf("clamp", batch, lanes),
    source: () => gradientText(kernel, { ...wordTexts, ...partialTexts, ...segmentTexts, ...storeTexts }, batch, lanes),
    batch,
    bindings: [
      { type: "uniform", words, bytes: TABLE_BYTES },
      { type: "storage", buffer: "partials" },
      // Not the placeholder, which may be bound for writing.
      typeof options.gradScale === "number"
        ? { type: READ, words: NO_SOURCE }
        : { type: READ, source: options.gradScale },
    ],
    valuesFrom: 4,
  };
}
