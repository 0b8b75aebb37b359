/** Of WebGPU's uniform and storage offsets, in bytes: the core limit, which no device may ask to exceed. */
export const ALIGNMENT = 256;

export function alignedDown(bytes: number): number {
  return bytes - (bytes % ALIGNMENT);
}

export function alignedUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
