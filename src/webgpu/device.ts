import { STORAGE, UNIFORM } from "../usage.ts";
import { ALIGNMENT } from "./alignment.ts";
import { type GridRow, gridOf } from "./grid.ts";

/** The state of one device, shared by all its clippers and clips. */
export interface DeviceContext {
  readonly device: GPUDevice;
  /** The prefix of the labels of shared objects. */
  readonly label: string;
  /** The number of gradient bindings in a dispatch: all storage buffers but one, which is for the partials. */
  readonly slots: number;
  /** The most bytes in a binding. */
  maxBinding: number;
  /** The row of the grid table that fits the device; conformance forces every row. */
  grid: GridRow;
  readonly pipelines: Map<string, PipelineEntry>;
  readonly layouts: Map<string, GPUBindGroupLayout>;
  /** Set once the device is gone. */
  lost?: GPUDeviceLostInfo;
  /** Called when the device is lost. A promise chained to device.lost would live as long as the device. */
  readonly onLoss: Set<(info: GPUDeviceLostInfo) => void>;
  /** The number of clippers that hold the buffers below. */
  users: number;
  /** Entry i, at i * 256, holds the number i: see byteTable. */
  byteTable?: GPUBuffer;
  /** Fills a binding that is not used. */
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

/** The context of a device that is in use. */
export function contextOf(device: GPUDevice): DeviceContext | undefined {
  return contexts.get(device);
}

/** The loss of a device that is already lost; undefined while it lives. */
export async function lossOf(device: GPUDevice): Promise<GPUDeviceLostInfo | undefined> {
  return Promise.race([device.lost, Promise.resolve(undefined)]);
}

/** The loss of the device, if it comes before `end` settles. */
export function lossBefore(context: DeviceContext, end: Promise<unknown>): Promise<GPUDeviceLostInfo | undefined> {
  return new Promise((resolve) => {
    const tell = (info?: GPUDeviceLostInfo) => {
      context.onLoss.delete(tell);
      resolve(info);
    };
    context.onLoss.add(tell);
    if (context.lost) tell(context.lost);
    const finish = () => tell();
    end.then(finish, finish);
  });
}

/** A loss may be reported so long after the call that failed because of it. */
const LOSS_MS = 500;

/** After a failure that looks like a loss: the loss, if it is reported now or soon. */
export function lossSoon(context: DeviceContext): Promise<GPUDeviceLostInfo | undefined> {
  return lossBefore(context, new Promise((end) => setTimeout(end, LOSS_MS)));
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
 * 256 entries that hold 0 to 255. The command stream carries a number as four dynamic offsets into this table, one for each of
 * its bytes. Every encode thus keeps its own values, although no buffer is written between them.
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

/** Without memory a browser throws immediately for a buffer to be mapped, and reports other buffers later. */
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

/** What a device has no room for is refused before anything is made. */
export function refuseBeyond(size: number, most: number, place: "binding" | "buffer"): void {
  if (size <= most) return;
  throw new RangeError(
    `The clip needs a ${place} of ${size} bytes, but the device has ${most}; reduce more axes, or pass fewer gradients.`,
  );
}
