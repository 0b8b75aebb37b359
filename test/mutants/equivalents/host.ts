/** Of the host: src/. */
import type { Equivalent } from "../equivalents.ts";

export const host: readonly Equivalent[] = [
  {
    file: "overlaps.ts",
    before:
      "    if (byteLength > 0) uses.push({ buffer: idOf(buffer), start, end: start + byteLength, range, tensor, as });",
    after:
      "    if (byteLength > 1) uses.push({ buffer: idOf(buffer), start, end: start + byteLength, range, tensor, as });",
    reason: "No range has one byte.",
  },
  {
    file: "overlaps.ts",
    before: '  if (a.as === "parameter" || b.as === "parameter") return a.as === b.as;',
    after: '  if (a.as === "parameter" && b.as === "parameter") return a.as === b.as;',
    reason: "Where one of them is a parameter, the next line finds them different.",
  },
  {
    file: "ranges.ts",
    before: '  if (backendOf(whole.buffer) === "webgpu" && byteLength > 0 && start + byteLength > bindable) {',
    after: '  if (backendOf(whole.buffer) === "webgpu" && byteLength > 1 && start + byteLength > bindable) {',
    reason: "No range has one byte.",
  },
  {
    file: "ranges.ts",
    before: "let lastId = 0;",
    after: "let lastId = 1;",
    reason: "Numbers of buffers are compared with each other alone.",
  },
  {
    file: "webgpu/windows.ts",
    before: "  if (Math.max(source.size, into?.size ?? 0) > limits.maxBinding) return undefined;",
    after: "  if (Math.max(source.size, into?.size ?? 1) > limits.maxBinding) return undefined;",
    reason: "A source has more than one byte.",
  },
  {
    file: "webgpu/windows.ts",
    before: "  return { buffer: a.buffer, offset, size: Math.max(a.offset + a.size, b.offset + b.size) - offset };",
    after: "  return { buffer: a.buffer, offset, size: Math.max(a.offset - a.size, b.offset + b.size) - offset };",
    reason: "Of two windows in order the second ends last.",
  },
];
