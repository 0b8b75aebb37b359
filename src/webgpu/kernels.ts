import finish from "../../shaders/finish.wgsl?raw";
import u32Words from "../../shaders/formats/f32-u32.wgsl?raw";
import vec4Words from "../../shaders/formats/f32-vec4.wgsl?raw";
import norm from "../../shaders/norm.wgsl?raw";
import scale from "../../shaders/scale.wgsl?raw";
import clipped from "../../shaders/shared/clipped.wgsl?raw";
import partial from "../../shaders/shared/partial.wgsl?raw";
import record from "../../shaders/shared/record.wgsl?raw";
import segments from "../../shaders/shared/segments.wgsl?raw";
import wide from "../../shaders/shared/wide.wgsl?raw";
import type { Clamp, ClipMethod } from "../methods/method.ts";
import type { NormKind } from "../methods/normKinds.ts";

/** How a binding is read: ranges that begin and end on 16 bytes as vec4u, others as u32. */
export type Word = "vec4" | "u32";

export const WORD_BYTES: Record<Word, number> = { vec4: 16, u32: 4 };

/** Whether scale writes to the gradients, or elsewhere; "shared" where a buffer is read and written in one dispatch. */
export type Target = "in-place" | "into" | "shared";

const words: Record<Word, string> = { vec4: vec4Words, u32: u32Words };

export function normSource(word: Word, { terms }: NormKind, slots: number): string {
  return [words[word], wide, partial, terms, segments, expanded(norm, slots)].join("\n");
}

export function finishSource({ norm, rule }: ClipMethod): string {
  return [wide, partial, record, norm.root, rule.wgsl, finish].join("\n");
}

export function scaleSource(word: Word, target: Target, slots: number): string {
  return [words[word], record, clipped, segments, writing(scale, target, slots)].join("\n");
}

/** `held` if gradScale is read from a buffer. */
export function clampSource({ wgsl }: Clamp, word: Word, target: Target, slots: number, held: boolean): string {
  const text = wgsl.replace(/ *#held\n([\s\S]*?) *#end\n/g, held ? "$1" : "");
  return [words[word], wide, partial, segments, writing(text, target, slots)].join("\n");
}

function writing(text: string, target: Target, slots: number): string {
  const inPlace = target === "in-place";
  return expanded(text, slots, !inPlace)
    .replaceAll("IN_PLACE", String(inPlace))
    .replaceAll("TARGET", inPlace ? "gradients" : "into")
    .replaceAll("ACCESS", target === "into" ? "read" : "read_write");
}

/** Repeats the lines between `#slots` and `#end` for every binding: WGSL has no array of bindings to index. */
function expanded(text: string, slots: number, into = false): string {
  return text.replace(/ *#(into-)?slots\n([\s\S]*?) *#end\n/g, (_, onlyInto: string | undefined, lines: string) =>
    onlyInto && !into ? "" : Array.from({ length: slots }, (_, slot) => numbered(lines, slot, slots)).join(""),
  );
}

function numbered(lines: string, slot: number, slots: number): string {
  return lines.replaceAll("SLOT", String(slot)).replaceAll("INTO", String(slots + slot));
}
