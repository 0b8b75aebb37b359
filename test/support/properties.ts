/** What the files of properties share: random lists, how many of them, and how near a number has to be. */
import fc from "fast-check";
import { expect } from "vitest";
import type { Side } from "./bench.ts";

/** Under `npm run test:properties`. */
export const isMany = import.meta.env.MODE === "many";
export const runs: Record<Side, number> = isMany ? { CPU: 1000, GPU: 200 } : { CPU: 60, GPU: 15 };

/** Numbers of one list are within 2^24 of each other, so that no result is subnormal; lists are of every magnitude. */
export const list = fc
  .tuple(
    fc.array(fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 70 }), {
      minLength: 1,
      maxLength: 9,
    }),
    fc.integer({ min: -60, max: 60 }),
  )
  .map(([tensors, power]) =>
    tensors.map((values) =>
      Float32Array.from(values, (value) => (Math.abs(value) < 2 ** -24 ? 0 : value * 2 ** power)),
    ),
  );
/** The bound as a part of the norm: below it, about at it, above it. */
export const part = fc.constantFrom(0.001, 0.37, 0.9999999, 1.0000001, 7);

export function norm64(tensors: readonly Float32Array[]): number {
  return Math.sqrt(tensors.reduce((sum, values) => values.reduce((more, value) => more + value * value, sum), 0));
}

/** Of a norm of 0 any bound is above it. */
export function boundOf(tensors: readonly Float32Array[], part: number): number {
  return Math.fround(norm64(tensors) * part) || 1;
}

/** Within so many units in the last of 24 bits. */
export function expectNear(actual: number, wanted: number, ulps: number): void {
  expect(Math.abs(actual - wanted)).toBeLessThanOrEqual(ulps * 2 ** -23 * Math.abs(wanted));
}

export function expectAllNear(
  actual: readonly Float32Array[],
  wanted: readonly (readonly number[])[],
  ulps: number,
): void {
  expect(actual.map(({ length }) => length)).toEqual(wanted.map(({ length }) => length));
  actual.forEach((values, k) => {
    values.forEach((value, i) => {
      expectNear(value, wanted[k]?.[i] as number, ulps);
    });
  });
}

export const numbers = (tensors: readonly Float32Array[], by = 1) =>
  tensors.map((values) => Array.from(values, (value) => value * by));
