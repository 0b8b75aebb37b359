import type { Clipper } from "../clipper.ts";
import { NoWebGPUError } from "../errors.ts";
import { clipByGlobalNorm } from "../methods/clipByGlobalNorm.ts";
import { amount } from "../words.ts";
import { contextOf, type DeviceContext } from "./device.ts";
import { isNullBackend, isSoftware } from "./grid.ts";
import { readBack } from "./readBack.ts";

const PATIENCE_MS = 2000;

/** A device with room for many gradients in a dispatch. */
export async function requestOwnDevice(softwareToo: boolean): Promise<GPUDevice> {
  const gpu = told(() => (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu);
  if (!gpu) {
    const insecure = (globalThis as { isSecureContext?: boolean }).isSecureContext === false;
    throw insecure
      ? new NoWebGPUError("insecure-context", "This page is not a secure context; serve it by https or from localhost.")
      : new NoWebGPUError("no-webgpu", "There is no navigator.gpu; use a browser with WebGPU, or the CPU.");
  }
  try {
    return await deviceOf(await adapterOf(gpu, softwareToo));
  } catch (cause) {
    if (cause instanceof NoWebGPUError) throw cause;
    // The adapter may have been consumed by somebody else: one more.
    const adapter = await adapterOf(gpu, softwareToo);
    return deviceOf(adapter).catch((error) => {
      const message = `The adapter gave no device: ${error}; reload the page, or use the CPU.`;
      throw new NoWebGPUError("no-device", message, { cause: error });
    });
  }
}

async function adapterOf(gpu: GPU, softwareToo: boolean): Promise<GPUAdapter> {
  const adapter = await withTimeout(Promise.resolve().then(() => gpu.requestAdapter())).catch(() => null);
  const info = adapter ? infoOf(adapter) : {};
  if (!adapter || isNullBackend(info)) {
    throw new NoWebGPUError(
      "no-adapter",
      "navigator.gpu has no adapter; enable hardware acceleration, or use the CPU.",
    );
  }
  if (isSoftware(info) && !softwareToo) {
    throw new NoWebGPUError(
      "software-adapter",
      'The adapter is software, slower than the CPU; ask for it by backend: "webgpu".',
    );
  }
  return adapter;
}

async function deviceOf(adapter: GPUAdapter): Promise<GPUDevice> {
  const { maxStorageBuffersPerShaderStage, maxStorageBufferBindingSize, maxBufferSize } = adapter.limits;
  const requiredLimits = {
    maxStorageBuffersPerShaderStage: Math.min(maxStorageBuffersPerShaderStage, 16),
    maxStorageBufferBindingSize,
    maxBufferSize,
  };
  const request = adapter.requestDevice({ label: "gradclip", requiredLimits });
  return withTimeout(request).catch((error) => {
    // Nobody waits any more for one that comes too late.
    request.then((late) => late.destroy()).catch(() => {});
    throw error;
  });
}

/** Some drivers compute wrongly (Mali's and Adreno's have): a known answer before anybody's gradients. */
export async function selfTest(clipper: Clipper, device: GPUDevice): Promise<void> {
  // Of 16-byte words and of single ones, so that both kinds of kernels run.
  const lengths = [1024, 1025];
  const buffers = lengths.map((length) => {
    const buffer = device.createBuffer({ label: "gradclip self-test", size: 4 * length, usage: 0x80 | 0x08 | 0x04 });
    device.queue.writeBuffer(buffer, 0, new Float32Array(length).fill(3).fill(4e20, length - 1));
    return buffer;
  });
  const failed = (what: string, cause?: unknown) => {
    const message = `This GPU failed gradclip's self-test (${what}); update its driver, or use the CPU.`;
    return new NoWebGPUError("self-test", message, { cause });
  };
  try {
    const clip = clipper.prepare(buffers, clipByGlobalNorm(2));
    await clip.ready;
    clip.run();
    const { norm, clipped } = await clip.report();
    const context = contextOf(device) as DeviceContext;
    const lasts = (await readBack(context, buffers)).map((copy) => copy.getFloat32(copy.byteLength - 4, true));
    const near = (got: number, want: number) => Math.abs(got / want - 1) < 1e-6;
    if (!near(norm, 4e20 * Math.SQRT2) || !clipped || !lasts.every((last) => near(last, Math.SQRT2))) {
      throw failed(`norm ${norm}, last values ${lasts}`);
    }
    for (const buffer of buffers) device.queue.writeBuffer(buffer, 0, new Uint32Array([0x7fc00001]));
    clip.run();
    const { nonFinite } = await clip.report();
    if (nonFinite !== 2) throw failed(`${amount(nonFinite, "non-finite value")} instead of 2`);
    clip.destroy();
  } catch (error) {
    throw error instanceof NoWebGPUError ? error : failed(String(error).split("\n")[0] ?? "", error);
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}

/** Older browsers have no info, or tell a fallback on the adapter itself: there bun-webgpu 0.1.7 throws. */
function infoOf(adapter: GPUAdapter): Partial<GPUAdapterInfo> {
  const of = <K extends keyof GPUAdapterInfo>(key: K) => told(() => adapter.info[key]);
  const own = () => told(() => (adapter as { isFallbackAdapter?: boolean }).isFallbackAdapter);
  return {
    vendor: of("vendor"),
    architecture: of("architecture"),
    device: of("device"),
    description: of("description"),
    isFallbackAdapter: of("isFallbackAdapter") ?? own(),
  };
}

/** What a host tells, or undefined where it throws. */
function told<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

async function withTimeout<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
