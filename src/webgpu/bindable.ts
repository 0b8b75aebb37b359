import { STORAGE } from "../usage.ts";

/** Refuses a buffer that cannot be bound: without STORAGE usage, or still mapped. */
export function refuseUnbindable(buffer: GPUBuffer, subject: string): void {
  if ((buffer.usage & STORAGE) === 0) {
    throw new TypeError(
      `${subject} is a buffer with usage 0x${buffer.usage.toString(16)}, without STORAGE (0x80); add that usage.`,
    );
  }
  if (buffer.mapState !== undefined && buffer.mapState !== "unmapped") {
    throw new TypeError(`${subject} is a buffer whose mapState is "${buffer.mapState}"; unmap it first.`);
  }
}
