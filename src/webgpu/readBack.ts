import { DeviceLostError } from "../errors.ts";
import type { DeviceContext } from "./device.ts";
import { ignoreRejection } from "./pipelines.ts";

const COPY_DST_MAP_READ = 0x08 | 0x01;
const LOSS_MS = 500;

/** Copies of buffers as of everything submitted so far, through a staging buffer of their own. */
export async function readBack(context: DeviceContext, buffers: readonly GPUBuffer[]): Promise<DataView[]> {
  const { device } = context;
  const size = buffers.reduce((sum, buffer) => sum + buffer.size, 0);
  const staging = device.createBuffer({ label: `${context.label} read-back`, size, usage: COPY_DST_MAP_READ });
  const encoder = device.createCommandEncoder({ label: `${context.label} read-back` });
  let next = 0;
  const starts = buffers.map((buffer) => {
    const start = next;
    encoder.copyBufferToBuffer(buffer, 0, staging, start, buffer.size);
    next += buffer.size;
    return start;
  });
  device.queue.submit([encoder.finish()]);
  try {
    await orLost(context, staging.mapAsync(1));
    const copy = staging.getMappedRange().slice(0);
    staging.unmap();
    return buffers.map((buffer, i) => new DataView(copy, starts[i], buffer.size));
  } finally {
    staging.destroy();
  }
}

/** Settles when the device is lost, even where a browser forgets to; a mapping that fails for that reason says so. */
async function orLost(context: DeviceContext, mapped: Promise<undefined>): Promise<void> {
  let tell: (info: GPUDeviceLostInfo) => void = () => {};
  const lost = new Promise<never>((_, reject) => {
    tell = (info) => reject(new DeviceLostError(info, "unknown"));
  });
  ignoreRejection(lost);
  context.onLoss.add(tell);
  if (context.lost) tell(context.lost);
  try {
    await Promise.race([mapped, lost]);
  } catch (error) {
    if (error instanceof DeviceLostError) throw error;
    // The mapping may be rejected a moment before the loss is told.
    await Promise.race([lost, new Promise((resolve) => setTimeout(resolve, LOSS_MS))]);
    throw error;
  } finally {
    context.onLoss.delete(tell);
  }
}
