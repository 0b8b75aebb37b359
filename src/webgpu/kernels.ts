import finish from "../../shaders/finish.wgsl?raw";
import finishGroups from "../../shaders/finish_groups.wgsl?raw";
import bf16 from "../../shaders/formats/bf16.wgsl?raw";
import f16 from "../../shaders/formats/f16.wgsl?raw";
import f32 from "../../shaders/formats/f32.wgsl?raw";
import packed from "../../shaders/formats/packed.wgsl?raw";
import normKernel from "../../shaders/norm.wgsl?raw";
import scale from "../../shaders/scale.wgsl?raw";
import groupScales from "../../shaders/scales/group.wgsl?raw";
import oneScale from "../../shaders/scales/one.wgsl?raw";
import clipped from "../../shaders/shared/clipped.wgsl?raw";
import decide from "../../shaders/shared/decide.wgsl?raw";
import entry from "../../shaders/shared/entry.wgsl?raw";
import exact from "../../shaders/shared/exact.wgsl?raw";
import fold from "../../shaders/shared/fold.wgsl?raw";
import partial from "../../shaders/shared/partial.wgsl?raw";
import record from "../../shaders/shared/record.wgsl?raw";
import segment from "../../shaders/shared/segment.wgsl?raw";
import slots from "../../shaders/shared/slots.wgsl?raw";
import softFloat from "../../shaders/shared/soft_float.wgsl?raw";
import spans from "../../shaders/shared/spans.wgsl?raw";
import store from "../../shaders/shared/store.wgsl?raw";
import table from "../../shaders/shared/table.wgsl?raw";
import targets from "../../shaders/shared/targets.wgsl?raw";
import unaligned from "../../shaders/shared/unaligned.wgsl?raw";
import unalignedTargets from "../../shaders/shared/unaligned_targets.wgsl?raw";
import workgroup from "../../shaders/shared/workgroup.wgsl?raw";
import u32 from "../../shaders/words/u32.wgsl?raw";
import vec4 from "../../shaders/words/vec4.wgsl?raw";
import type { ClipMethod } from "../methods/method.ts";
import type { NormKind } from "../methods/normKinds.ts";
import type { UnitKernels } from "../methods/unitKernels.ts";
import type { Grouping } from "../pieces.ts";
import type { Dtype } from "../ranges.ts";
import { resolved, type Texts } from "./template.ts";

/** How a binding is read: ranges that begin and end on 16 bytes as vec4u, others as u32. */
export type Word = "vec4" | "u32";

export const WORD_BYTES: Record<Word, number> = { vec4: 16, u32: 4 };

/** Whether scale writes to the gradients, or elsewhere; "shared" where a buffer is read and written in one dispatch. */
export type Target = "in-place" | "into" | "shared";

/** What a kernel's text depends on: how elements are stored, and how many are read at once. */
export interface Format {
  readonly dtype: Dtype;
  readonly word: Word;
}

const words: Record<Word, string> = { vec4, u32 };
const elements: Record<Dtype, Texts> = {
  f32: { format: f32 },
  f16: { format: f16, "formats/packed": packed },
  bf16: { format: bf16, "formats/packed": packed },
};
const partials: Texts = {
  "shared/fold": fold,
  "shared/partial": partial,
  "shared/soft_float": softFloat,
  "shared/workgroup": workgroup,
};

const segments: Texts = { "shared/segment": segment };
const spanning: Texts = { "shared/spans": spans, "shared/unaligned": unaligned };

function formatTexts({ dtype, word }: Format): Texts {
  return {
    word: words[word],
    ...elements[dtype],
    "shared/slots": slots,
    "shared/table": table,
    "shared/workgroup": workgroup,
  };
}

/** As in src/webgpu/groups.ts. */
const FINISH_GROUPS_LANES = 64;

/** Whether a range may begin or end in the middle of a word. */
function hasEdges({ dtype, word }: Format): boolean {
  return dtype !== "f32" && word === "u32";
}

export function normSource(format: Format, norm: NormKind, count: number): string {
  return reading(normKernel, { ...segments, ...spanning, "shared/store": store }, format, norm, count);
}

export function unitNormSource(format: Format, norm: NormKind, { wgsl }: UnitKernels, count: number): string {
  return reading(wgsl.norm, { "shared/units": wgsl.units }, format, norm, count);
}

export function finishSource(method: ClipMethod): string {
  return deciding(finish, { "shared/record": record }, method);
}

export function finishGroupsSource(method: ClipMethod): string {
  return withLanes(deciding(finishGroups, { "shared/entry": entry }, method), FINISH_GROUPS_LANES);
}

/** Where the scale is found: in the record, or in the entries of the groups or units. */
export function scaleSource(format: Format, target: Target, { grouping }: ClipMethod, count: number): string {
  const texts = { ...scaleTexts(grouping), ...segments, "shared/clipped": clipped };
  return writing(scale, texts, format, target, count);
}

function scaleTexts(grouping: Grouping): Texts {
  if (grouping.kind === "all") return { scales: oneScale, "shared/record": record };
  if (grouping.kind !== "units") return { scales: groupScales, "shared/entry": entry };
  const { scales, units } = grouping.kernels.wgsl;
  return { scales, "shared/units": units, "shared/entry": entry };
}

export function clampSource(format: Format, target: Target, wgsl: string, count: number): string {
  return writing(wgsl, { ...partials, ...segments, "shared/store": store }, format, target, count);
}

export function sumSource(format: Format, target: Target, wgsl: string, count: number): string {
  return writing(wgsl, { "shared/entry": entry, "shared/clipped": clipped }, format, target, count);
}

/**
 * A literal number wherever a workgroup's size counts. An `override` as the length of an array in workgroup memory was 0 in Safari,
 * without an error (2025-12, github.com/kishimisu/WebGPU-Radix-Sort/issues/10). Make it an `override` when Safari's oldest
 * supported version has that right.
 */
export function withLanes(source: string, lanes: number): string {
  return source.replaceAll("WORKGROUP_SIZE", String(lanes));
}

function reading(kernel: string, texts: Texts, format: Format, { terms }: NormKind, count: number): string {
  return resolved(kernel, {
    texts: { ...formatTexts(format), ...partials, terms, "shared/exact": exact, ...texts },
    conditions: { EDGES: hasEdges(format) },
    slots: count,
    tokens: { ACCESS: "read" },
  });
}

function writing(kernel: string, texts: Texts, format: Format, target: Target, count: number): string {
  const inPlace = target === "in-place";
  return resolved(kernel, {
    texts: {
      ...formatTexts(format),
      ...spanning,
      "shared/targets": targets,
      "shared/unaligned_targets": unalignedTargets,
      ...texts,
    },
    conditions: { EDGES: hasEdges(format), INTO: !inPlace, UNITS: "shared/units" in texts },
    slots: count,
    tokens: {
      IN_PLACE: String(inPlace),
      TARGET: inPlace ? "gradients" : "into",
      ACCESS: target === "into" ? "read" : "read_write",
    },
  });
}

function deciding(kernel: string, texts: Texts, { norm, rule }: ClipMethod): string {
  return resolved(kernel, {
    texts: { ...partials, "shared/decide": decide, root: norm.root, rule: rule.wgsl, ...texts },
    conditions: { REMEMBERS: "begin" in rule },
  });
}
