/** Expectations of both engines' tests, and their float64 references. */
import { expect } from "vitest";
import { largest } from "../support/largest.ts";
import { type Layer, trainByAgc64 } from "./agc.ts";
import type { Counts } from "./counter.ts";
import type { Trained, Training } from "./task.ts";

/** Each within 1e-6 of the largest. */
export function expectNear(actual: ArrayLike<number>, wanted: readonly number[], tolerance = 1e-6): void {
  const most = largest(wanted);
  expect(actual.length).toBe(wanted.length);
  wanted.forEach((value, i) => {
    expect(Math.abs((actual[i] as number) - value), `${actual[i]} at ${i}, wanted ${value}`).toBeLessThanOrEqual(
      tolerance * most,
    );
  });
}

/** As many arrays, each as `expectNear` takes it. */
export function expectAllNear(actual: readonly ArrayLike<number>[], wanted: readonly (readonly number[])[]): void {
  expect(actual.length).toBe(wanted.length);
  for (const [i, array] of actual.entries()) expectNear(array, wanted[i] as number[]);
}

/** After the first step, which makes what stays, nothing is left behind. At least three steps have to show it. */
export function expectSteadyMemory(held: readonly object[] | undefined): void {
  const [first, ...others] = (held ?? []).slice(1);
  expect(others.length).toBeGreaterThanOrEqual(2);
  for (const other of others) expect(other).toEqual(first);
}

export function norm64(arrays: readonly ArrayLike<number>[]): number {
  return Math.sqrt(arrays.reduce((sum, array) => Array.from(array).reduce((s, v) => s + v * v, sum), 0));
}

export function clipped64(arrays: readonly ArrayLike<number>[], bound: number): number[][] {
  const scale = Math.min(1, bound / norm64(arrays));
  return arrays.map((array) => Array.from(array, (v) => v * scale));
}

/** The loss fell, some steps were clipped and some were not, it mattered, and the weights are the engine's own. */
export function expectTraining({ gradclip, operations, none, report }: Training, steps: number): void {
  expect(gradclip.losses.length).toBe(steps);
  expect(gradclip.losses.at(-1)).toBeLessThan(0.2 * (gradclip.losses[0] as number));
  expect(report).toMatchObject({ steps, nonFinite: 0 });
  expect(report.clippedSteps).toBeGreaterThan(steps / 5);
  expect(report.clippedSteps).toBeLessThan(steps);
  expect(furthest(gradclip, operations)).toBeLessThanOrEqual(1e-5);
  expect(furthest(gradclip, none)).toBeGreaterThan(1e-3);
}

/** The weights are those of the formula, in training where some units were clipped, some were not, and it mattered. */
export function expectTrainingByAgc({ kernel, bias }: Layer): void {
  const wanted = trainByAgc64();
  expect(wanted.clipped).toBeGreaterThan(wanted.units / 5);
  expect(wanted.clipped).toBeLessThan(wanted.units);
  expectNear(kernel, wanted.kernel, 1e-5);
  expectNear(bias, wanted.bias, 1e-5);
  const without = trainByAgc64(Infinity);
  expect(largest(bias.map((value, i) => value - (without.bias[i] as number)))).toBeGreaterThan(1e-3);
}

function furthest(a: Trained, b: Trained): number {
  expect(a.weights.length).toBe(b.weights.length);
  const differences = a.weights.map((weight, i) => weight - (b.weights[i] as number));
  expect(differences.every(Number.isFinite)).toBe(true);
  return largest(differences);
}

/** Once everything is made, each step has the same counts and leaves the same objects. */
export function expectSteady(counts: readonly Counts[], kept: readonly object[]): void {
  const after = 100;
  expect(counts.length).toBeGreaterThan(after);
  for (const list of [counts, kept]) expect(new Set(list.slice(after).map((one) => JSON.stringify(one))).size).toBe(1);
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}
