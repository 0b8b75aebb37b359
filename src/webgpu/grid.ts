/** How large workgroups are, and how many of them a pass takes at most, by class of device. */
export interface GridRow {
  readonly lanes: number;
  /** The fewest tiles that are worth a workgroup of their own. */
  readonly minTiles: number;
  readonly normWorkgroups: number;
  readonly scaleWorkgroups: number;
  /** Of the one workgroup that decides, at most as many as the device allows. */
  readonly finishLanes: number;
}

export type DeviceClass = "software" | "integrated" | "discrete";

/**
 * software: a workgroup is a job for a processor core. SwiftShader starts one for four lanes at a time, at a cost that
 * grows with the kernel's text and the workgroup's memory, so few small ones with much to do: see docs/performance.md.
 * integrated: enough lanes in flight for the memory of a laptop or a phone. On hardware 64 lanes are the least that fill
 * every vendor's unit of execution.
 * discrete: 131,072 lanes with 64 bytes each in flight cover latency times bandwidth of the largest cards.
 */
export const gridTable: Record<DeviceClass, GridRow> = {
  software: { lanes: 4, minTiles: 128, normWorkgroups: 8, scaleWorkgroups: 8, finishLanes: 4 },
  integrated: { lanes: 64, minTiles: 1, normWorkgroups: 512, scaleWorkgroups: 1024, finishLanes: 256 },
  discrete: { lanes: 64, minTiles: 1, normWorkgroups: 2048, scaleWorkgroups: 4096, finishLanes: 256 },
};

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|software/i;
const INTEGRATED = /intel|apple|arm|qualcomm|img-tec|samsung/i;

/** Without a driver Dawn can have one that accepts all work and does none. */
export function isNullBackend({ device, description }: Partial<GPUAdapterInfo>): boolean {
  return /null[ -]backend/i.test(`${device} ${description}`);
}

export function isSoftware(info: Partial<GPUAdapterInfo>): boolean {
  const names = [info.vendor, info.architecture, info.device, info.description].join(" ");
  return info.isFallbackAdapter === true || SOFTWARE.test(names);
}

export function gridOf({ adapterInfo, limits }: GPUDevice): GridRow {
  const row = gridTable[classOf(adapterInfo)];
  return { ...row, finishLanes: Math.min(row.finishLanes, limits.maxComputeInvocationsPerWorkgroup) };
}

/** Browsers may hide who made the adapter; then the middle row serves. */
export function classOf(info: Partial<GPUAdapterInfo> | undefined): DeviceClass {
  if (!info) return "integrated";
  if (isSoftware(info)) return "software";
  return !info.vendor || INTEGRATED.test(info.vendor) ? "integrated" : "discrete";
}
