/** The alignment of uniform and storage offsets in bytes: WebGPU's default, and no device may require more. */
export const ALIGNMENT = 256;

export function alignedDown(bytes: number): number {
  return bytes - (bytes % ALIGNMENT);
}

export function alignedUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
