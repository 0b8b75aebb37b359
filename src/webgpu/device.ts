import { ALIGNMENT } from "./alignment.ts";
import { type GridRow, gridOf } from "./grid.ts";
import { STORAGE, UNIFORM } from "./usage.ts";

/** What is kept per device, however many clippers and clips use it. */
export interface DeviceContext {
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
  placeholder?: GPUBuffer;
}

export interface PipelineEntry {
  pipeline?: GPUComputePipeline;
  readonly module: GPUShaderModule;
  readonly ready: Promise<void>;
}

const MOST_SLOTS = 15;

const contexts = new WeakMap<GPUDevice, DeviceContext>();

export function holdDevice(device: GPUDevice): DeviceContext {
  const context = contexts.get(device) ?? newContext(device);
  contexts.set(device, context);
  context.users += 1;
  return context;
}

/** The pipelines stay with the device: a later clipper compiles nothing. */
export function releaseDevice(context: DeviceContext): void {
  context.users -= 1;
  if (context.users > 0) return;
  context.byteTable?.destroy();
  context.placeholder?.destroy();
  context.byteTable = undefined;
  context.placeholder = undefined;
}

/** The state of a device that is in use. */
export function contextOf(device: GPUDevice): DeviceContext | undefined {
  return contexts.get(device);
}

/** What became of a device that is lost by now; undefined while it lives. */
export async function lossOf(device: GPUDevice): Promise<GPUDeviceLostInfo | undefined> {
  return Promise.race([device.lost, Promise.resolve(undefined)]);
}

/** How long a loss may be told after the call that it made fail. */
const LOSS_MS = 500;

/** For something that failed as if the device were lost: the loss, if it is told by now or soon. */
export function lossSoon(context: DeviceContext): Promise<GPUDeviceLostInfo | undefined> {
  return new Promise((resolve) => {
    const tell = (info?: GPUDeviceLostInfo) => {
      context.onLoss.delete(tell);
      clearTimeout(timer);
      resolve(info);
    };
    const timer = setTimeout(tell, LOSS_MS);
    context.onLoss.add(tell);
    if (context.lost) tell(context.lost);
  });
}

function newContext(device: GPUDevice): DeviceContext {
  const { limits } = device;
  const context: DeviceContext = {
    device,
    label: "gradclip",
    slots: Math.min(limits.maxStorageBuffersPerShaderStage - 1, MOST_SLOTS),
    maxBinding: limits.maxStorageBufferBindingSize,
    grid: gridOf(device),
    pipelines: new Map(),
    layouts: new Map(),
    onLoss: new Set(),
    users: 0,
  };
  device.lost.then((info) => {
    context.lost = info;
    for (const tell of context.onLoss) tell(info);
  });
  return context;
}

/**
 * 256 entries that hold 0 to 255. A number travels in the command stream as four dynamic offsets into this table, one
 * for each of its bytes: so every encode keeps its own values although nothing is written between them.
 */
export function byteTable(context: DeviceContext): GPUBuffer {
  context.byteTable ??= constantBuffer(context, "byte table", UNIFORM, 256 * ALIGNMENT, (words) => {
    for (let i = 0; i < 256; i++) words[(i * ALIGNMENT) / 4] = i;
  });
  return context.byteTable;
}

export function placeholder(context: DeviceContext): GPUBuffer {
  const ranges = MOST_SLOTS + 1;
  context.placeholder ??= constantBuffer(context, "placeholder", STORAGE, ranges * ALIGNMENT, () => {});
  return context.placeholder;
}

export function constantBuffer(
  context: DeviceContext,
  name: string,
  usage: number,
  size: number,
  fill: (words: Uint32Array) => void,
): GPUBuffer {
  const buffer = newBuffer(context, { label: `${context.label} ${name}`, size, usage, mappedAtCreation: true });
  try {
    fill(new Uint32Array(buffer.getMappedRange()));
    buffer.unmap();
  } catch (error) {
    buffer.destroy();
    throw error;
  }
  return buffer;
}

/** Where there is no memory a browser throws at once what is to be mapped, and tells the rest later. */
export function newBuffer({ device }: DeviceContext, descriptor: GPUBufferDescriptor): GPUBuffer {
  try {
    return device.createBuffer(descriptor);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const { label, size } = descriptor;
    throw new RangeError(
      `The ${label} needs ${size} bytes, which the device has not left; free some, or pass fewer gradients.`,
      { cause },
    );
  }
}
