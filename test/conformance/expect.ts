/**
 * Checks that throw. Each refuses what is not of the right type or length first: a comparison with undefined must not pass.
 */
import { ulp24 } from "./numbers.ts";
import type { Allocation, Bits } from "./types.ts";

export function fail(message: string): never {
  throw new Error(message);
}

export function show(value: unknown): string {
  return typeof value === "number" ? value.toPrecision(17) : String(value);
}

/** The same number: NaN equals NaN; +0 and -0 are told apart. */
export function same(actual: unknown, wanted: number | boolean | string | null | undefined, what: string): void {
  if (!Object.is(actual, wanted)) fail(`${what} is ${show(actual)}, wanted ${show(wanted)}`);
}

/** Within `ulps` of 24-bit spacing, or within `absolute`. NaN and infinities must agree, and a zero (of either sign). */
export function isNear(actual: number, wanted: number, ulps: number, absolute = 0): boolean {
  if (Number.isNaN(wanted)) return Number.isNaN(actual);
  if (wanted === 0 || !Number.isFinite(wanted)) return actual === wanted;
  // Half of the spacing, or less: almost every value is nearer than that, and needs no spacing computed.
  if (Math.abs(actual - wanted) <= ulps * 2 ** -24 * Math.abs(wanted)) return true;
  return Math.abs(actual - wanted) <= Math.max(ulps * ulp24(wanted), absolute);
}

export function near(actual: unknown, wanted: number, ulps: number, what: string, absolute = 0): void {
  if (typeof actual !== "number" || typeof wanted !== "number") fail(`${what} is ${show(actual)}, not a number`);
  if (isNear(actual, wanted, ulps, absolute)) return;
  const comparable = wanted !== 0 && Number.isFinite(wanted);
  const inUlps = comparable ? `, ${(Math.abs(actual - wanted) / ulp24(wanted)).toFixed(2)} ULP off` : "";
  fail(`${what} is ${show(actual)}, wanted ${show(wanted)}${inUlps}`);
}

export function sameWords(actual: unknown, wanted: unknown, what: string): void {
  if (!isBits(actual)) fail(`${what}: no words to compare`);
  if (!isBits(wanted)) fail(`${what}: no words to compare with`);
  if (actual.BYTES_PER_ELEMENT !== wanted.BYTES_PER_ELEMENT) fail(`${what}: words of another size`);
  if (actual.length !== wanted.length) fail(`${what} has ${actual.length} words, wanted ${wanted.length}`);
  for (let i = 0; i < wanted.length; i++) {
    if (actual[i] !== wanted[i]) {
      const hex = (word: number | undefined) => `0x${(word as number).toString(16).padStart(8, "0")}`;
      fail(`${what}: word ${i} of ${wanted.length} is ${hex(actual[i])}, wanted ${hex(wanted[i])}`);
    }
  }
}

function isBits(value: unknown): value is Bits {
  return value instanceof Uint32Array || value instanceof Uint16Array;
}

/** No byte of a script's memory has changed. */
export async function untouched(memory: Allocation): Promise<void> {
  const after = await memory.read();
  same(after.size, memory.before.size, "memories read");
  for (const [name, words] of memory.before) sameWords(after.get(name), words, `memory "${name}"`);
}

/** The call throws, synchronously, one of these error classes, with a message. */
export function refuses(
  call: () => unknown,
  classes: readonly (new (...values: never[]) => Error)[],
  what: string,
): void {
  if (classes.length === 0) fail(`${what}: no error class given`);
  try {
    call();
  } catch (error) {
    if (!classes.some((type) => error instanceof type)) fail(`${what} threw ${String(error)}`);
    if ((error as Error).message.length < 10) fail(`${what} threw without a message`);
    return;
  }
  fail(`${what} was accepted`);
}

/** The promise rejects with one of these error classes. */
export async function rejects(
  promise: Promise<unknown>,
  classes: readonly (new (...values: never[]) => Error)[],
  what: string,
): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (!classes.some((type) => error instanceof type)) fail(`${what} rejected with ${String(error)}`);
    return error as Error;
  }
  fail(`${what} did not reject`);
}
