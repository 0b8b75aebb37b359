import { expect } from "vitest";

export type ErrorClass = new (...values: never[]) => Error;

/** The error of a call that throws or rejects: of this very class, with this whole message, in one sentence. */
export async function refused(act: () => unknown, kind: ErrorClass, message: string | RegExp): Promise<Error> {
  const error = await failureOf(act);
  const told = `${error.constructor.name}: ${error.message}`;
  if (typeof message === "string") expect(told).toBe(`${kind.name}: ${message}`);
  else expect(error.message).toMatch(message);
  expect(error.constructor, told).toBe(kind);
  expect(error.message, "one sentence: a fact; a remedy").toMatch(/^[^;]+; (?:(?![.!?] [A-Z]).)+\.$/s);
  return error;
}

async function failureOf(act: () => unknown): Promise<Error> {
  let result: unknown;
  try {
    result = await act();
  } catch (error) {
    expect(error, "what was thrown").toBeInstanceOf(Error);
    return error as Error;
  }
  throw new Error(`Nothing was thrown; the call returned ${String(result)}.`);
}

/** A fault that JavaScript can see must be thrown before the call returns, not reject a promise. */
export function synchronously(act: () => unknown): () => unknown {
  return () => {
    const result = act();
    if (result instanceof Promise) {
      result.catch(() => {});
      throw new Error("A promise was returned; the call has to throw.");
    }
    return result;
  };
}

/** A call on arrays that must throw and change no byte of them. */
export async function refusedOnArrays(
  arrays: readonly Float32Array[],
  act: () => unknown,
  kind: ErrorClass,
  message: string | RegExp,
): Promise<Error> {
  const before = arrays.map((array) => bytesOf(array));
  const error = await refused(synchronously(act), kind, message);
  arrays.forEach((array, index) => {
    expect(bytesOf(array), `bytes of array ${index}`).toEqual(before[index]);
  });
  return error;
}

function bytesOf(array: Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice();
}
