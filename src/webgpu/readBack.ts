import { DeviceLostError } from "../errors.ts";
import { COPY_DST, MAP_READ } from "../usage.ts";
import { type DeviceContext, lossBefore, lossSoon, newBuffer } from "./device.ts";
import { faultError, watched } from "./faults.ts";

/**
 * Copies parts of buffers after everything that was submitted so far, through a staging buffer. An abort frees that buffer.
 * @throws DeviceLostError, RangeError if there is no memory, the signal's reason.
 */
export async function readBack(
  context: DeviceContext,
  parts: readonly GPUBufferBinding[],
  signal?: AbortSignal,
): Promise<DataView[]> {
  const { device, label } = context;
  let staging: GPUBuffer | undefined;
  const free = () => staging?.destroy();
  try {
    const size = parts.reduce((sum, part) => sum + sizeOf(part), 0);
    const { made, fault } = watched(device, () => {
      const target = newBuffer(context, { label: `${label} read-back`, size, usage: COPY_DST | MAP_READ });
      staging = target;
      const starts = submitCopies(context, parts, target);
      return { target, starts, mapped: target.mapAsync(1) };
    });
    signal?.addEventListener("abort", free);
    await orLost(context, made.mapped).catch(async (error) => {
      signal?.throwIfAborted();
      if (error instanceof DeviceLostError) throw error;
      const loss = lossSoon(context);
      const caught = await Promise.race([fault, loss.then(() => undefined)]);
      if (caught) throw faultError(`${label} read-back`, caught);
      // A valid mapping fails only after a loss, even if no loss is reported.
      throw new DeviceLostError((await loss) ?? { message: String(error) }, "unknown", { cause: error });
    });
    const copy = made.target.getMappedRange().slice(0);
    return parts.map((part, i) => new DataView(copy, made.starts[i], sizeOf(part)));
  } finally {
    signal?.removeEventListener("abort", free);
    free();
  }
}

function sizeOf({ buffer, offset = 0, size = buffer.size - offset }: GPUBufferBinding): number {
  return size;
}

/** Copies the parts one after the other. Returns where each begins. */
function submitCopies(
  { device, label }: DeviceContext,
  parts: readonly GPUBufferBinding[],
  target: GPUBuffer,
): number[] {
  const encoder = device.createCommandEncoder({ label: `${label} read-back` });
  let next = 0;
  const starts = parts.map((part) => {
    const start = next;
    encoder.copyBufferToBuffer(part.buffer, part.offset ?? 0, target, start, sizeOf(part));
    next += sizeOf(part);
    return start;
  });
  device.queue.submit([encoder.finish()]);
  return starts;
}

/** Settles when the device is lost, even if the browser never settles the mapping. */
async function orLost(context: DeviceContext, mapped: Promise<undefined>): Promise<void> {
  const loss = await lossBefore(context, mapped);
  if (loss) throw new DeviceLostError(loss, "unknown");
  await mapped;
}
