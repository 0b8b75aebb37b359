import bf16 from "../../shaders/formats/bf16.wgsl?raw";
import f16 from "../../shaders/formats/f16.wgsl?raw";
import f32 from "../../shaders/formats/f32.wgsl?raw";
import packed from "../../shaders/formats/packed.wgsl?raw";
import asStored from "../../shaders/shared/stored.wgsl?raw";
import widened from "../../shaders/shared/widened.wgsl?raw";
import u32 from "../../shaders/words/u32.wgsl?raw";
import vec4 from "../../shaders/words/vec4.wgsl?raw";
import { type Dtype, ELEMENT_BYTES } from "../ranges.ts";
import type { Texts } from "./template.ts";

/** How a binding is read: as vec4u if its ranges begin and end on 16 bytes, else as u32. */
export type Word = "vec4" | "u32";

export const WORD_BYTES: Record<Word, number> = { vec4: 16, u32: 4 };

/** The storage of elements, and the word of the results. A kernel's text depends on all of it. */
export interface Format {
  readonly dtype: Dtype;
  readonly word: Word;
  /** How many bytes of results there are for a byte that is read: 2 where those of 16 bits are float32. */
  readonly widening: number;
}

export const FORMATS = (["f32", "f16", "bf16"] as const).flatMap((dtype) =>
  [1, 2].flatMap((widening) => (["vec4", "u32"] as const).map((word): Format => ({ dtype, word, widening }))),
);

export function elementsInWord({ dtype, word, widening }: Format): number {
  return WORD_BYTES[word] / ELEMENT_BYTES[dtype] / widening;
}

/** The dtype of the results, in which a kernel works. */
export function resultsOf({ dtype, widening }: Format): Dtype {
  return widening > 1 ? "f32" : dtype;
}

/** Whether a range may begin or end in the middle of a word: where one of 4 bytes has two elements. */
export function hasEdges(format: Format): boolean {
  return elementsInWord(format) === 2;
}

const words: Record<Word, string> = { vec4, u32 };
const elements: Record<Dtype, Texts> = {
  f32: { format: f32 },
  f16: { format: f16, "formats/packed": packed },
  bf16: { format: bf16, "formats/packed": packed },
};

export function formatTexts({ dtype, word, widening }: Format): Texts {
  const texts = { word: words[word], ...elements[dtype], stored: asStored };
  // A format of 16 bits then stands on that of the results.
  return widening > 1 ? { ...texts, "formats/packed": f32, stored: widened } : texts;
}
