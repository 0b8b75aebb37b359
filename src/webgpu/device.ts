import { classOf, type GridRow, gridTable } from "./grid.ts";
import type { PipelineEntry } from "./pipelines.ts";

/** What is kept per device, however many clippers and clips use it. */
export interface DeviceState {
  readonly device: GPUDevice;
  /** Begins the labels of what is shared. */
  readonly label: string;
  /** Gradient bindings of a dispatch: one of the device's storage buffers is for the partials. */
  readonly slots: number;
  /** Bytes of a binding. */
  maxBinding: number;
  /** The row of the grid table that fits the device; conformance forces every row. */
  grid: GridRow;
  readonly pipelines: Map<string, PipelineEntry>;
  readonly layouts: Map<string, GPUBindGroupLayout>;
  /** Set once the device is gone. */
  lost?: GPUDeviceLostInfo;
  /** Called when that happens: a promise chained to device.lost would be kept as long as the device. */
  readonly onLoss: Set<(info: GPUDeviceLostInfo) => void>;
  /** Clippers that hold the buffers below. */
  users: number;
  /** Entry i, at i * 256, holds the number i: see byteTable. */
  byteTable?: GPUBuffer;
  /** Stands in for a buffer where a binding is not used. */
  filler?: GPUBuffer;
}

/** The core limit of WebGPU on uniform and storage offsets; no device may ask for more. */
export const ALIGNMENT = 256;
const MOST_SLOTS = 15;
const UNIFORM_COPY_DST = 0x40;
const STORAGE = 0x80;

const states = new WeakMap<GPUDevice, DeviceState>();

export function holdDevice(device: GPUDevice): DeviceState {
  const state = states.get(device) ?? newState(device);
  states.set(device, state);
  state.users += 1;
  return state;
}

/** The pipelines stay with the device: a later clipper compiles nothing. */
export function releaseDevice(state: DeviceState): void {
  state.users -= 1;
  if (state.users > 0) return;
  state.byteTable?.destroy();
  state.filler?.destroy();
  state.byteTable = undefined;
  state.filler = undefined;
}

/** The state of a device that is in use. */
export function stateOf(device: GPUDevice): DeviceState | undefined {
  return states.get(device);
}

/** What became of a device that is lost by now; undefined while it lives. */
export async function lossOf(device: GPUDevice): Promise<GPUDeviceLostInfo | undefined> {
  return Promise.race([device.lost, Promise.resolve(undefined)]);
}

function newState(device: GPUDevice): DeviceState {
  const { limits } = device;
  const state: DeviceState = {
    device,
    label: "gradclip",
    slots: Math.min(limits.maxStorageBuffersPerShaderStage - 1, MOST_SLOTS),
    maxBinding: limits.maxStorageBufferBindingSize,
    grid: gridTable[classOf(device.adapterInfo)],
    pipelines: new Map(),
    layouts: new Map(),
    onLoss: new Set(),
    users: 0,
  };
  device.lost.then((info) => {
    state.lost = info;
    for (const tell of state.onLoss) tell(info);
  });
  return state;
}

/**
 * 256 entries that hold 0 to 255. A number travels in the command stream as four dynamic offsets into this table, one
 * for each of its bytes: so every encode keeps its own values although nothing is written between them.
 */
export function byteTable(state: DeviceState): GPUBuffer {
  state.byteTable ??= constantBuffer(state, "byte table", UNIFORM_COPY_DST, 256 * ALIGNMENT, (words) => {
    for (let i = 0; i < 256; i++) words[(i * ALIGNMENT) / 4] = i;
  });
  return state.byteTable;
}

export function filler(state: DeviceState): GPUBuffer {
  const ranges = MOST_SLOTS + 1;
  state.filler ??= constantBuffer(state, "filler", STORAGE, ranges * ALIGNMENT, () => {});
  return state.filler;
}

export function constantBuffer(
  state: DeviceState,
  name: string,
  usage: number,
  size: number,
  fill: (words: Uint32Array) => void,
): GPUBuffer {
  const buffer = state.device.createBuffer({ label: `${state.label} ${name}`, size, usage, mappedAtCreation: true });
  fill(new Uint32Array(buffer.getMappedRange()));
  buffer.unmap();
  return buffer;
}
