/** Vitest finds any two ArrayBuffers equal, and any two DataViews: `toEqual` compares own properties, and they have none. */
import { expect } from "vitest";

function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof DataView) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
}

function haveSameBytes(a: unknown, b: unknown): boolean | undefined {
  const [left, right] = [bytesOf(a), bytesOf(b)];
  if (!left || !right) return undefined;
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}

// Files that share a process share the list, and each of them comes here.
const all = globalThis as { comparesBytes?: true };
if (!all.comparesBytes) expect.addEqualityTesters([haveSameBytes]);
all.comparesBytes = true;
