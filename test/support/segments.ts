/** Segments by hand, in three buffers that no device has. */
import type { Range } from "../../src/ranges.ts";
import type { Segment } from "../../src/webgpu/segments.ts";

function fakeBuffer(): GPUBuffer {
  return { size: 2 ** 20, mapAsync() {} } as unknown as GPUBuffer;
}

export const [one, two, three] = [fakeBuffer(), fakeBuffer(), fakeBuffer()];

export function range(byteOffset: number, byteLength: number, buffer: Range["buffer"] = one): Range {
  return { buffer, byteOffset, byteLength };
}

export function segment(source: Range, extras: Partial<Segment> = {}): Segment {
  return { dtype: "f32", source, piece: 0, group: 0, firstElement: 0, label: "s", ...extras };
}
