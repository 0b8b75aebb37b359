/** Short ways to write cases. */
import { clipByGlobalNorm, clipByValue, measureNorm, normalizeByGlobalNorm } from "../../src/index.ts";
import { GUARD_BYTES } from "./memory.ts";
import { bitsFrom } from "./numbers.ts";
import { referenceGlobalNorm, referenceMeasure } from "./reference.ts";
import { referenceValue } from "./referenceValue.ts";
import type { Bits, Case, DependsOn, Dtype, Rule, Tensor, Unit } from "./types.ts";

export function clipTo(maxNorm: number): Rule {
  return { method: clipByGlobalNorm(maxNorm), expected: (unit) => referenceGlobalNorm(unit, maxNorm) };
}

export function normalizedTo(norm: number): Rule {
  return { method: normalizeByGlobalNorm(norm), expected: (unit) => referenceGlobalNorm(unit, norm, true) };
}

export function clampTo(min: number, max: number): Rule {
  const [low, high] = [Math.fround(min), Math.fround(max)];
  return { method: clipByValue(min, max), expected: (unit) => referenceValue(unit, low, high) };
}

export function measured(): Rule {
  return { method: measureNorm(), expected: referenceMeasure };
}

/** A tensor of numbers, in memory of its own unless told otherwise. */
export function tensor(values: ArrayLike<number>, extras: Omit<Tensor, "bits"> = {}): Tensor {
  return { bits: bitsFrom(values), ...extras };
}

/** A tensor of bit patterns. */
export function raw(words: ArrayLike<number>, extras: Omit<Tensor, "bits"> = {}): Tensor {
  return { bits: Uint32Array.from(words), ...extras };
}

export function filled(length: number, value: number): Tensor {
  return { bits: new Uint32Array(new Float32Array(length).fill(value).buffer) };
}

/** One tensor in the middle of a memory, with guards on both sides. */
export function guarded(bits: Bits, byteOffset = GUARD_BYTES, memory = "arena", dtype?: Dtype): Tensor {
  return { bits, dtype, place: { memory, byteOffset } };
}

/** Tensors one after the other in one memory, `gap` bytes apart. */
export function packed(
  list: readonly Bits[],
  byteOffset = GUARD_BYTES,
  gap = 0,
  memory = "arena",
  dtype?: Dtype,
): Tensor[] {
  let at = byteOffset;
  return list.map((bits) => {
    const place = { memory, byteOffset: at };
    at += bits.byteLength + gap;
    return { bits, dtype, place };
  });
}

export function unit(label: string, tensors: Unit["tensors"], rule: Rule, extras: Partial<Unit> = {}): Unit {
  return { label, tensors, rule, ...extras };
}

export function range(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

/** The cases with what their answers depend on. A forced plan among them still says so itself. */
export function dependentOn(dependsOn: DependsOn, cases: readonly Case[]): Case[] {
  return cases.map((one) => ({ dependsOn, ...one }));
}
