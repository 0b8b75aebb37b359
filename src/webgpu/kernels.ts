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
import clipped from "../../shaders/shared/clipped.wgsl?raw";
import decide from "../../shaders/shared/decide.wgsl?raw";
import entry from "../../shaders/shared/entry.wgsl?raw";
import groupScales from "../../shaders/shared/group_scales.wgsl?raw";
import oneScale from "../../shaders/shared/one_scale.wgsl?raw";
import partial from "../../shaders/shared/partial.wgsl?raw";
import record from "../../shaders/shared/record.wgsl?raw";
import segments from "../../shaders/shared/segments.wgsl?raw";
import wide from "../../shaders/shared/wide.wgsl?raw";
import type { Dtype } from "../gradients.ts";
import type { ClipMethod, Rule } from "../methods/method.ts";
import type { NormKind } from "../methods/normKinds.ts";

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

export function normSource(format: Format, { terms }: NormKind, slots: number): string {
  return [formatSource(format), wide, partial, terms, segments, expanded(norm, format, slots)].join("\n");
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

export function scaleSource(format: Format, target: Target, grouped: boolean, slots: number): string {
  const inPlace = target === "in-place";
  const text = expanded(scale, format, slots, !inPlace)
    .replaceAll("IN_PLACE", String(inPlace))
    .replaceAll("TARGET", inPlace ? "gradients" : "into")
    .replaceAll("ACCESS", target === "into" ? "read" : "read_write");
  const scaling = grouped ? [entry, groupScales] : [record, oneScale];
  return [formatSource(format), ...scaling, clipped, segments, text].join("\n");
}

/** Repeats the lines between `#slots` and `#end` for every binding: WGSL has no array of bindings to index. */
function expanded(text: string, format: Format, slots: number, into = false): string {
  return text.replace(/ *#(slots|into-slots|edges)\n([\s\S]*?) *#end\n/g, (_, what: string, lines: string) => {
    if (what === "edges") return hasEdges(format) ? lines : "";
    if (what === "into-slots" && !into) return "";
    return Array.from({ length: slots }, (_, slot) => numbered(lines, slot, slots)).join("");
  });
}

function numbered(lines: string, slot: number, slots: number): string {
  return lines.replaceAll("SLOT", String(slot)).replaceAll("INTO", String(slots + slot));
}
