import type { Answer, Work } from "./types.ts";
import type { Values } from "./workloads.ts";

/** The right answer, in float64. */
export interface Truth {
  readonly values: Values;
  readonly norm: number;
  /** Half of the norm, as float32. */
  readonly bound: number;
}

export interface Verdict {
  readonly right: boolean;
  /** The largest relative error of a number; 0 if bytes are compared. */
  readonly error: number;
}

/** The bound shrinks by this factor from step to step: every step of a batch clips what the last one left. */
export const SHRINKAGE = 0.98;

/** Naive float32 sums are within this limit; a result that omits a tensor is not. */
const FLOAT32_LIMIT = 1e-3;
/** Half a unit in the last place of a float16, plus the error of a naive norm. */
const FLOAT16_LIMIT = 2 ** -11 + FLOAT32_LIMIT;

export function truthOf(values: Values): Truth {
  let squares = 0;
  for (const array of values) {
    const number = numbersOf(array);
    for (let i = 0; i < array.length; i++) squares += number(i) ** 2;
  }
  const norm = Math.sqrt(squares);
  return { values, norm, bound: Math.fround(norm / 2) };
}

/** Judges the result of one step on fresh values. */
export function judge(work: Work, answer: Answer, truth: Truth): Verdict {
  const limit = truth.values[0] instanceof Uint16Array ? FLOAT16_LIMIT : FLOAT32_LIMIT;
  const errors = {
    clip: () => clippedError(answer, truth),
    keep: () => Math.max(normError(answer, truth), sameWords(answer, truth, 0)),
    measure: () => normError(answer, truth),
    read: () => (answer.sum === sumOfWords(truth.values) ? 0 : Infinity),
    rewrite: () => sameWords(answer, truth, 1),
    copy: () => sameWords(answer, truth, 0),
  };
  const error = errors[work]();
  return { right: error <= limit, error };
}

function normError({ norm = Number.NaN }: Answer, truth: Truth): number {
  return Math.abs(norm / truth.norm - 1);
}

function clippedError({ values, norm }: Answer, truth: Truth): number {
  if (values?.length !== truth.values.length) return Infinity;
  const factor = truth.bound / truth.norm;
  let worst = norm === undefined ? 0 : normError({ norm }, truth);
  for (const [i, before] of truth.values.entries()) {
    const after = values[i] as Values[number];
    if (after.length !== before.length) return Infinity;
    const [was, is] = [numbersOf(before), numbersOf(after)];
    for (let k = 0; k < before.length; k++) {
      const error = Math.abs(is(k) / (was(k) * factor) - 1);
      // No comparison finds a NaN.
      if (!(error <= worst)) worst = Number.isNaN(error) ? Infinity : error;
    }
  }
  return worst;
}

/** 0 if each 32-bit word has grown by `more`. Bytes beyond whole words are ignored. */
function sameWords({ values }: Answer, truth: Truth, more: number): number {
  if (values?.length !== truth.values.length) return Infinity;
  const isSame = truth.values.every((before, i) => {
    const [was, is] = [wordsOf(before), wordsOf(values[i] as Values[number])];
    return was.length === is.length && was.every((word, k) => (word + more) >>> 0 === is[k]);
  });
  return isSame ? 0 : Infinity;
}

function sumOfWords(values: Values): number {
  let sum = 0;
  for (const array of values) {
    for (const word of wordsOf(array)) sum = (sum + word) >>> 0;
    if (array.byteLength % 4 > 0) sum = (sum + (array.at(-1) as number)) >>> 0;
  }
  return sum;
}

function wordsOf(array: Values[number]): Uint32Array {
  return new Uint32Array(array.buffer, array.byteOffset, Math.floor(array.byteLength / 4));
}

let halves: Float64Array | undefined;

function numbersOf(array: Values[number]): (i: number) => number {
  if (array instanceof Float32Array) return (i) => array[i] as number;
  halves ??= Float64Array.from({ length: 2 ** 16 }, (_, bits) => half(bits));
  const table = halves;
  return (i) => table[array[i] as number] as number;
}

/** The value of a normal float16. Any other number would be a mistake here, and gives NaN. */
function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  if (exponent === 0 || exponent === 31) return Number.NaN;
  return (bits >> 15 ? -1 : 1) * 2 ** (exponent - 15) * (1 + (bits & 1023) / 1024);
}
