import { byteOffsetOf } from "./ranges.ts";
import { refuseUnbindable } from "./webgpu/bindable.ts";

/** One float32 on the GPU. */
export interface Source {
  readonly buffer: GPUBuffer;
  readonly byteOffset: number;
}

export function sourceIn(buffer: GPUBuffer, byteOffset: unknown, subject: string): Source {
  const offset = byteOffsetOf(byteOffset, 4, subject);
  refuseUnbindable?.(buffer, subject);
  if (offset + 4 > buffer.size) {
    throw new RangeError(
      `${subject} needs 4 bytes from byte ${offset}, but the buffer has ${buffer.size}; pass a buffer that holds one float32.`,
    );
  }
  return { buffer, byteOffset: offset };
}
