import bf16 from "../../shaders/formats/bf16.wgsl?raw";
import f16 from "../../shaders/formats/f16.wgsl?raw";
import f32 from "../../shaders/formats/f32.wgsl?raw";
import packed from "../../shaders/formats/packed.wgsl?raw";
import u32 from "../../shaders/words/u32.wgsl?raw";
import vec4 from "../../shaders/words/vec4.wgsl?raw";
import { type Dtype, ELEMENT_BYTES } from "../ranges.ts";
import type { Texts } from "./template.ts";

/** How a binding is read: as vec4u if its ranges begin and end on 16 bytes, else as u32. */
export type Word = "vec4" | "u32";

export const WORD_BYTES: Record<Word, number> = { vec4: 16, u32: 4 };

/** The storage of elements and the word that reads them. A kernel's text depends on both. */
export interface Format {
  readonly dtype: Dtype;
  readonly word: Word;
}

export const FORMATS = (["f32", "f16", "bf16"] as const).flatMap((dtype) =>
  (["vec4", "u32"] as const).map((word): Format => ({ dtype, word })),
);

export function elementsInWord({ dtype, word }: Format): number {
  return WORD_BYTES[word] / ELEMENT_BYTES[dtype];
}

/** Whether a range may begin or end in the middle of a word. */
export function hasEdges({ dtype, word }: Format): boolean {
  return dtype !== "f32" && word === "u32";
}

const words: Record<Word, string> = { vec4, u32 };
const elements: Record<Dtype, Texts> = {
  f32: { format: f32 },
  f16: { format: f16, "formats/packed": packed },
  bf16: { format: bf16, "formats/packed": packed },
};

export function formatTexts({ dtype, word }: Format): Texts {
  return { word: words[word], ...elements[dtype] };
}
