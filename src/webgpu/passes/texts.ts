import bits from "../../../shaders/shared/bits.wgsl?raw";
import exact from "../../../shaders/shared/exact.wgsl?raw";
import fold from "../../../shaders/shared/fold.wgsl?raw";
import multiplied from "../../../shaders/shared/multiplied.wgsl?raw";
import partial from "../../../shaders/shared/partial.wgsl?raw";
import segment from "../../../shaders/shared/segment.wgsl?raw";
import slots from "../../../shaders/shared/slots.wgsl?raw";
import softFloat from "../../../shaders/shared/soft_float.wgsl?raw";
import spans from "../../../shaders/shared/spans.wgsl?raw";
import store from "../../../shaders/shared/store.wgsl?raw";
import table from "../../../shaders/shared/table.wgsl?raw";
import targets from "../../../shaders/shared/targets.wgsl?raw";
import unaligned from "../../../shaders/shared/unaligned.wgsl?raw";
import unalignedTargets from "../../../shaders/shared/unaligned_targets.wgsl?raw";
import workgroup from "../../../shaders/shared/workgroup.wgsl?raw";
import type { Batch } from "../dispatches.ts";
import { formatTexts, hasEdges, resultsOf } from "../format.ts";
import { resolved, type Texts } from "../template.ts";

/** Texts for kernels that make or fold partials. */
export const partialTexts: Texts = {
  "shared/fold": fold,
  "shared/partial": partial,
  "shared/soft_float": softFloat,
  "shared/workgroup": workgroup,
};
export const storeTexts: Texts = { "shared/store": store };
/** For kernels that compute with the elements of a word at once. */
export const wordTexts: Texts = { "shared/multiplied": multiplied, "shared/bits": bits };
export const segmentTexts: Texts = { "shared/segment": segment };
export const spanTexts: Texts = { "shared/spans": spans, "shared/unaligned": unaligned };

const walkTexts: Texts = { "shared/slots": slots, "shared/table": table, "shared/workgroup": workgroup };
const targetTexts: Texts = { "shared/targets": targets, "shared/unaligned_targets": unalignedTargets };

/** The text of a kernel over gradients: one that writes them, or one that reads them and makes partials of the terms of a norm. */
export function gradientText(kernel: string, texts: Texts, batch: Batch, lanes: number): string {
  const { format, target, writes, bindings } = batch;
  const inPlace = target === "in-place";
  const isPacked = resultsOf(format) !== "f32";
  const more = writes ? { ...spanTexts, ...targetTexts } : { ...partialTexts, "shared/exact": exact };
  return resolved(kernel, {
    texts: { ...formatTexts(format), ...walkTexts, ...more, ...texts },
    conditions: {
      EDGES: hasEdges(format),
      INTO: !inPlace,
      PACKED: isPacked,
      UNPACKED: !isPacked,
      WIDENS: format.widening > 1,
      UNITS: "shared/units" in texts,
    },
    slots: bindings,
    tokens: {
      ...lanesToken(lanes),
      IN_PLACE: String(inPlace),
      TARGET: inPlace ? "gradients" : "into",
      ACCESS: writes && target !== "into" ? "read_write" : "read",
    },
  });
}

/**
 * The workgroup's size as a literal number. In Safari an `override` as the length of a workgroup array was 0, without an error
 * (2025-12, github.com/kishimisu/WebGPU-Radix-Sort/issues/10). Use an `override` when the oldest supported Safari has that right.
 */
export function lanesToken(lanes: number): Readonly<Record<string, string>> {
  return { WORKGROUP_SIZE: String(lanes) };
}

/** Names everything that the text of a kernel over gradients depends on. */
export function nameOf(kernel: string, { format, target, writes }: Batch, lanes: number): string {
  const { dtype, word, widening } = format;
  return `${kernel}${writes ? ` ${target}` : ""} ${dtype}${widening > 1 ? " to f32" : ""} ${word} by ${lanes}`;
}
