import finish from "../../shaders/finish.wgsl?raw";
import finishGroups from "../../shaders/finish_groups.wgsl?raw";
import bf16 from "../../shaders/formats/bf16.wgsl?raw";
import f16 from "../../shaders/formats/f16.wgsl?raw";
import f32 from "../../shaders/formats/f32.wgsl?raw";
import packed from "../../shaders/formats/packed.wgsl?raw";
import u32 from "../../shaders/formats/u32.wgsl?raw";
import vec4 from "../../shaders/formats/vec4.wgsl?raw";
import norm from "../../shaders/norm.wgsl?raw";
import forgetful from "../../shaders/rules/forgetful.wgsl?raw";
import scale from "../../shaders/scale.wgsl?raw";
import careful from "../../shaders/shared/careful.wgsl?raw";
import clipped from "../../shaders/shared/clipped.wgsl?raw";
import decide from "../../shaders/shared/decide.wgsl?raw";
import entry from "../../shaders/shared/entry.wgsl?raw";
import groupScales from "../../shaders/shared/group_scales.wgsl?raw";
import oneScale from "../../shaders/shared/one_scale.wgsl?raw";
import partial from "../../shaders/shared/partial.wgsl?raw";
import record from "../../shaders/shared/record.wgsl?raw";
import segments from "../../shaders/shared/segments.wgsl?raw";
import slots from "../../shaders/shared/slots.wgsl?raw";
import special from "../../shaders/shared/special.wgsl?raw";
import targets from "../../shaders/shared/targets.wgsl?raw";
import wide from "../../shaders/shared/wide.wgsl?raw";
import type { ClipMethod, Rule } from "../methods/method.ts";
import type { NormKind } from "../methods/normKinds.ts";
import type { UnitKernels } from "../methods/unitKernels.ts";
import type { Dtype } from "../ranges.ts";

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
const elements: Record<Dtype, string> = { f32, f16: `${packed}\n${f16}`, bf16: `${packed}\n${bf16}` };

/** Whether a range may begin or end in the middle of a word. */
function hasEdges({ dtype, word }: Format): boolean {
  return dtype !== "f32" && word === "u32";
}

function formatSource({ dtype, word }: Format): string {
  return `${words[word]}\n${elements[dtype]}`;
}

export function normSource(format: Format, { terms }: NormKind, count: number): string {
  const text = reading([slots, careful, norm], format, count);
  return [formatSource(format), wide, partial, terms, segments, text].join("\n");
}

export function unitNormSource(format: Format, { terms }: NormKind, { wgsl }: UnitKernels, count: number): string {
  const text = reading([slots, careful, wgsl.norm], format, count);
  return [formatSource(format), wide, partial, terms, segments, wgsl.units, text].join("\n");
}

export function finishSource({ norm, rule }: ClipMethod): string {
  return [wide, partial, record, decide, norm.root, ruleSource(rule), finish].join("\n");
}

export function finishGroupsSource({ norm, rule }: ClipMethod): string {
  return [wide, partial, entry, decide, norm.root, ruleSource(rule), finishGroups].join("\n");
}

function ruleSource(rule: Rule): string {
  return "begin" in rule ? rule.wgsl : `${rule.wgsl}\n${forgetful}`;
}

/** Where the scale is found: in the record, or in the entries of the groups or units. */
export function scaleSource(format: Format, target: Target, { grouping }: ClipMethod, count: number): string {
  const scaling = { all: oneScale, tensor: groupScales, members: groupScales };
  const units = grouping.kind === "units" ? grouping.kernels.wgsl : undefined;
  const source = grouping.kind === "units" ? grouping.kernels.wgsl.scales : scaling[grouping.kind];
  const held = grouping.kind === "all" ? record : entry;
  const text = writing([slots, targets, source, special, scale], format, target, count);
  return [formatSource(format), held, clipped, segments, units?.units ?? "", text].join("\n");
}

export function clampSource(format: Format, target: Target, wgsl: string, count: number): string {
  const text = writing([slots, targets, wgsl], format, target, count);
  return [formatSource(format), wide, partial, segments, text].join("\n");
}

export function sumSource(format: Format, target: Target, wgsl: string, count: number): string {
  const text = writing([slots, targets, wgsl], format, target, count);
  return [formatSource(format), entry, clipped, segments, text].join("\n");
}

/** A literal number wherever a workgroup's size counts: drivers got sizes wrong that were anything else. */
export function withLanes(source: string, lanes: number): string {
  return source.replaceAll("WORKGROUP_SIZE", String(lanes));
}

function reading(texts: readonly string[], format: Format, count: number): string {
  return expanded(texts.join("\n"), format, count).replaceAll("ACCESS", "read");
}

function writing(texts: readonly string[], format: Format, target: Target, count: number): string {
  const inPlace = target === "in-place";
  return expanded(texts.join("\n"), format, count, !inPlace)
    .replaceAll("IN_PLACE", String(inPlace))
    .replaceAll("TARGET", inPlace ? "gradients" : "into")
    .replaceAll("ACCESS", target === "into" ? "read" : "read_write");
}

/** Repeats the lines between `#slots` and `#end` for every binding: WGSL has no array of bindings to index. */
function expanded(text: string, format: Format, count: number, into = false): string {
  return text.replace(/ *#(slots|into-slots|edges)\n([\s\S]*?) *#end\n/g, (_, what: string, lines: string) => {
    if (what === "edges") return hasEdges(format) ? lines : "";
    if (what === "into-slots" && !into) return "";
    return Array.from({ length: count }, (_, slot) => numbered(lines, slot, count)).join("");
  });
}

function numbered(lines: string, slot: number, count: number): string {
  return lines.replaceAll("SLOT", String(slot)).replaceAll("INTO", String(count + slot));
}
