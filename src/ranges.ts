import { counted, isCount, readThat, refuseTypeGPU, shown } from "./check.ts";
// The builds of gradclip/webgpu and gradclip/cpu leave the other half empty: what comes from there is undefined.
import { refuseLostMemory } from "./cpu/lostMemory.ts";
import { refuseUnbindable } from "./webgpu/bindable.ts";

/** How an element is stored: float32, IEEE binary16, or the upper half of a float32. Two 16-bit elements share a 32-bit word. */
export type Dtype = "f32" | "f16" | "bf16";

export const ELEMENT_BYTES: Record<Dtype, number> = { f32: 4, f16: 2, bf16: 2 };

/** The arrays that may hold the elements, besides a Uint8Array of their bytes. */
const ARRAYS: Record<Dtype, readonly string[]> = {
  f32: ["Float32Array"],
  f16: ["Float16Array", "Uint16Array"],
  bf16: ["Uint16Array"],
};

/** Bytes of a GPUBuffer, or of the ArrayBuffer under a typed array. */
export interface Range {
  readonly buffer: GPUBuffer | ArrayBufferLike;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** The name of a typed array's type, in any realm; undefined if the value is not an array. */
export function arrayType(value: unknown): string | undefined {
  return ArrayBuffer.isView(value) ? (value as Partial<Float32Array>)[Symbol.toStringTag] : undefined;
}

export function isGPUBuffer(value: unknown): value is GPUBuffer {
  if (typeof value !== "object" || value === null) return false;
  const { size, usage, mapAsync } = value as Partial<GPUBuffer>;
  return typeof size === "number" && typeof usage === "number" && typeof mapAsync === "function";
}

/** Of a buffer that was checked. Whether it has a property is told without a call of the engine. */
export function backendOf(buffer: Range["buffer"]): "webgpu" | "cpu" {
  return "mapAsync" in buffer ? "webgpu" : "cpu";
}

/** The whole of a GPUBuffer or of a typed array, as a range of the memory under it. */
export function bufferOf(buffer: unknown, dtype: Dtype, label: string): Range {
  if (isGPUBuffer(buffer)) {
    refuseUnbindable?.(buffer, label);
    return { buffer, byteOffset: 0, byteLength: buffer.size };
  }
  const type = arrayType(buffer);
  if (type !== "Uint8Array" && (type === undefined || !ARRAYS[dtype].includes(type))) {
    refuseTypeGPU(buffer, `${label}.buffer`);
    const fact = dtype === "f32" ? "" : `, but the dtype is "${dtype}"`;
    const arrays = ARRAYS[dtype].map((name) => `a ${name}`).join(", ");
    throw new TypeError(
      `${label}.buffer is ${shown(buffer)}${fact}; pass a GPUBuffer, ${arrays} or a Uint8Array of their bytes.`,
    );
  }
  const array = buffer as Uint8Array;
  if (array.byteLength === 0) refuseLostMemory?.(array, label);
  return { buffer: array.buffer, byteOffset: array.byteOffset, byteLength: array.byteLength };
}

export function byteOffsetOf(value: unknown, multiple: number, subject: string): number {
  const isRight = (offset: number) => isCount(offset) && offset % multiple === 0;
  return readThat(
    isRight,
    value === undefined ? 0 : value,
    `${subject}.byteOffset`,
    `a multiple of ${multiple} from 0 on`,
  );
}

export function rangeIn(whole: Range, byteOffset: number, length: number, dtype: Dtype, label: string): Range {
  const elementBytes = ELEMENT_BYTES[dtype];
  const byteLength = length * elementBytes;
  if (byteOffset + byteLength > whole.byteLength) {
    throw new RangeError(
      `${label} needs ${counted(byteLength, "byte")} from byte ${byteOffset} (${counted(length, "element")}), but the buffer has ${whole.byteLength}; pass at most ${Math.max(0, Math.floor((whole.byteLength - byteOffset) / elementBytes))}, or a longer buffer.`,
    );
  }
  const start = whole.byteOffset + byteOffset;
  if (start % elementBytes !== 0) {
    throw new RangeError(
      `${label} starts at byte ${start} of its ArrayBuffer; start at a multiple of ${elementBytes}.`,
    );
  }
  // The size of a binding is a multiple of 4 bytes.
  const bindable = whole.byteLength - (whole.byteLength % 4);
  if (backendOf(whole.buffer) === "webgpu" && byteLength > 0 && start + byteLength > bindable) {
    throw new RangeError(
      `${label} ends at byte ${start + byteLength} of a buffer of ${counted(whole.byteLength, "byte")}, of which ${bindable} can be bound; pad the buffer to ${bindable + 4}.`,
    );
  }
  return { buffer: whole.buffer, byteOffset: start, byteLength };
}

export function isSame(a: Range, b: Range): boolean {
  return a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.byteLength === b.byteLength;
}

const ids = new WeakMap<Range["buffer"], number>();
let lastId = 0;

/** A number that identifies a buffer. */
export function idOf(buffer: Range["buffer"]): number {
  let id = ids.get(buffer);
  if (id === undefined) {
    id = ++lastId;
    ids.set(buffer, id);
  }
  return id;
}
