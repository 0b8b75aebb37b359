import type { Found } from "../cpu/norm.ts";
import type { NormKind } from "./normKinds.ts";

/**
 * What bound follows from a norm: once as WGSL and once in TypeScript, so that both backends decide alike. A method
 * carries a reference to its own rule only, so that a page ships just the shaders of the methods that it names.
 */
export interface Rule {
  readonly name: string;
  /** Defines `fn bound_for(norm: Wide, maxNorm: Wide) -> Wide`. */
  readonly wgsl: string;
  readonly boundFor: (norm: number, maxNorm: number) => number;
}

/** Decides for each value by itself, in one pass that takes the place of norm and scale. */
export interface Clamp {
  readonly min: number;
  readonly max: number;
  /** shaders/clamp.wgsl */
  readonly wgsl: string;
  /** The same on arrays. */
  readonly run: (writes: readonly Write[], min: number, max: number, gradScale: number) => Found;
}

/** An array that is written, in place or from another. */
export interface Write {
  readonly source: Float32Array;
  readonly into: Float32Array;
  /** The gradient's place in the list. */
  readonly rank: number;
}

/** How to clip: plain data, made by `clipByGlobalNorm(...)` and its like. */
export interface ClipMethod {
  readonly name: string;
  /** The bound to begin with; `Clip.set({ maxNorm })` changes it. Undefined for a method without one. */
  readonly maxNorm?: number;
  /** Added to the norm before the bound is divided by it; default 0. */
  readonly eps?: number;
  readonly norm: NormKind;
  readonly rule: Rule;
  readonly clamp?: Clamp;
}

export function isMethod(value: unknown): value is ClipMethod {
  return typeof value === "object" && value !== null && typeof (value as ClipMethod).rule?.wgsl === "string";
}
