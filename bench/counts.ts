import { WORD_BYTES } from "../src/webgpu/kernels.ts";
import type { Plan } from "../src/webgpu/plan.ts";

/** What a step does, counted from the tables that its dispatches are given. */
export interface Counts {
  readonly dispatches: number;
  /** Bytes of gradients. */
  readonly normReads: number;
  /** Read by the scale pass, and written, when it has to multiply. */
  readonly scaleReads: number;
  readonly scaleWrites: number;
}

/** As in shaders/shared/segments.wgsl: a header of 8 words, then 8 words a segment, the second of them its words. */
const HEADER = 8;
const SEGMENT = 8;

export function countsOf({ norm, scale }: Plan): Counts {
  const bytes = (dispatches: Plan["norm"]) =>
    dispatches.reduce((sum, { table, format }) => sum + wordsIn(table) * WORD_BYTES[format.word], 0);
  const scaled = bytes(scale);
  return {
    dispatches: norm.length + 1 + scale.length,
    normReads: bytes(norm),
    scaleReads: scaled,
    scaleWrites: scaled,
  };
}

function wordsIn(table: Uint32Array): number {
  let words = 0;
  for (let segment = 0; segment < (table[0] as number); segment++) {
    words += table[HEADER + SEGMENT * segment + 1] as number;
  }
  return words;
}
