/** How many workgroups a pass takes at most, by class of device. */
export interface GridRow {
  readonly norm: number;
  readonly scale: number;
}

export type DeviceClass = "software" | "integrated" | "discrete";

/**
 * Workgroups have 64 lanes: software adapters fill workgroup memory with zeros lane by lane, at a cost that grows with
 * the square of the lanes, and on hardware 64 lanes are no slower when there are enough workgroups.
 * software: a workgroup is a job for a processor core, and starting one costs more than it gains; measured on SwiftShader.
 * integrated: enough lanes in flight for the memory of a laptop or a phone.
 * discrete: 131,072 lanes with 64 bytes each in flight cover latency times bandwidth of the largest cards.
 */
export const gridTable: Record<DeviceClass, GridRow> = {
  software: { norm: 8, scale: 8 },
  integrated: { norm: 512, scale: 1024 },
  discrete: { norm: 2048, scale: 4096 },
};

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|software/i;
const INTEGRATED = /intel|apple|arm|qualcomm|img-tec|samsung/i;

export function isSoftware(info: Partial<GPUAdapterInfo>): boolean {
  const names = [info.vendor, info.architecture, info.device, info.description].join(" ");
  return info.isFallbackAdapter === true || SOFTWARE.test(names);
}

/** Browsers may hide who made the adapter; then the middle row serves. */
export function classOf(info: Partial<GPUAdapterInfo> | undefined): DeviceClass {
  if (!info) return "integrated";
  if (isSoftware(info)) return "software";
  return !info.vendor || INTEGRATED.test(info.vendor) ? "integrated" : "discrete";
}
