/** The size of workgroups, and the most that a pass takes, for a class of devices. */
export interface GridRow {
  readonly lanes: number;
  /** The fewest tiles that are worth a workgroup. */
  readonly minTiles: number;
  readonly normWorkgroups: number;
  readonly scaleWorkgroups: number;
  /** The lanes of the one workgroup that decides. */
  readonly finishLanes: number;
}

export type DeviceClass = "software" | "llvmpipe" | "integrated" | "discrete";

/**
 * software: a workgroup is a job for a processor core. SwiftShader runs four lanes at a time. Starting a workgroup costs more
 * with a longer kernel and more workgroup memory. Few small workgroups with much work are therefore best: see docs/tried.md.
 * llvmpipe: Mesa's, also called lavapipe, computes eight lanes at a time.
 * integrated: enough lanes in flight for the memory of a laptop or a phone. On hardware 64 lanes are the least that fill
 * every vendor's unit of execution.
 * discrete: 131,072 lanes with 64 bytes each in flight cover latency times bandwidth of the largest cards.
 * A workgroup of hardware with one tile would compute more for itself than for the data, and leave one more partial. Two tiles
 * on a discrete card still give 512 workgroups for a million values, four on an integrated one 256.
 * The workgroup that decides waits for memory most of its time. 256 lanes with four loads each take 1,024 partials at once.
 */
export const gridTable: Record<DeviceClass, GridRow> = {
  software: { lanes: 4, minTiles: 128, normWorkgroups: 8, scaleWorkgroups: 8, finishLanes: 4 },
  llvmpipe: { lanes: 8, minTiles: 128, normWorkgroups: 8, scaleWorkgroups: 8, finishLanes: 8 },
  integrated: { lanes: 64, minTiles: 4, normWorkgroups: 512, scaleWorkgroups: 1024, finishLanes: 256 },
  discrete: { lanes: 64, minTiles: 2, normWorkgroups: 2048, scaleWorkgroups: 4096, finishLanes: 256 },
};

const LLVMPIPE = /llvmpipe|lavapipe/i;
const SOFTWARE = /swiftshader|softpipe|basic render|software/i;
const INTEGRATED = /intel|apple|arm|qualcomm|img-tec|samsung/i;

/** Without a driver Dawn may offer an adapter that accepts all work and does none. */
export function isNullBackend(info: Partial<GPUAdapterInfo> | undefined): boolean {
  return /null.backend/i.test(namesOf(info));
}

export function isSoftware(info: Partial<GPUAdapterInfo> | undefined): boolean {
  const names = namesOf(info);
  return info?.isFallbackAdapter === true || SOFTWARE.test(names) || LLVMPIPE.test(names);
}

/** The row for a device. Its workgroups have no more lanes than the device allows. */
export function gridOf({ adapterInfo, limits }: GPUDevice): GridRow {
  const row = gridTable[classOf(adapterInfo)];
  return { ...row, finishLanes: Math.min(row.finishLanes, limits.maxComputeInvocationsPerWorkgroup) };
}

/** Browsers may hide the adapter's vendor. The middle row is used then. */
export function classOf(info: Partial<GPUAdapterInfo> | undefined): DeviceClass {
  if (LLVMPIPE.test(namesOf(info))) return "llvmpipe";
  if (isSoftware(info)) return "software";
  return !info?.vendor || INTEGRATED.test(info.vendor) ? "integrated" : "discrete";
}

function namesOf({ vendor, architecture, device, description }: Partial<GPUAdapterInfo> = {}): string {
  return [vendor, architecture, device, description].join(" ");
}
