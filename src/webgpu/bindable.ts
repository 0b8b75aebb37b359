import { STORAGE } from "../usage.ts";

/** Refuses a buffer that cannot be bound: without STORAGE usage, or still mapped. */
export function refuseUnbindable({ usage, mapState }: GPUBuffer, subject: string): void {
  if ((usage & STORAGE) === 0) {
    throw new TypeError(
      `${subject} is a buffer with usage 0x${usage.toString(16)}, without STORAGE (0x80); add that usage.`,
    );
  }
  if (mapState !== undefined && mapState !== "unmapped") {
    throw new TypeError(`${subject} is a buffer whose mapState is "${mapState}"; unmap it first.`);
  }
}
