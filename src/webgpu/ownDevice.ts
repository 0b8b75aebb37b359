import { NoWebGPUError } from "../errors.ts";
import { isNullBackend, isSoftware } from "./grid.ts";

/**
 * Some browsers never answer. A slow machine answers within this time: if its GPU process hangs, the watchdog (10 to 15 s in
 * Chrome) has ended it by then, and the request with it.
 */
const PATIENCE_S = 30;

/** A device with room for many gradients in a dispatch. */
export async function requestOwnDevice(softwareToo: boolean): Promise<GPUDevice> {
  const gpu = attempt(() => (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu);
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
    // Other code may have consumed the adapter: ask for another.
    const adapter = await adapterOf(gpu, softwareToo);
    return deviceOf(adapter).catch((error) => {
      const message = `The adapter gave no device: ${error}; reload the page, or use the CPU.`;
      throw new NoWebGPUError("no-device", message, { cause: error });
    });
  }
}

async function adapterOf(gpu: GPU, softwareToo: boolean): Promise<GPUAdapter> {
  // Chrome may answer null to a worker that asks while its page opens, and has an adapter at the next request: 22 of 600 launches of
  // Chromium 147 on a busy machine, none of 500 where the page asked. The second request may go when Chrome waits for its GPU process there.
  // A device without a core adapter, such as an older phone, may have one of compatibility mode. gradclip fits its limits.
  const request = async () =>
    (await gpu.requestAdapter()) ??
    (await gpu.requestAdapter()) ??
    gpu.requestAdapter({ featureLevel: "compatibility" });
  const adapter = await answerOf(
    request().catch(() => null),
    "adapter",
  );
  const info = adapter ? infoOf(adapter) : {};
  if (!adapter || isNullBackend(info)) {
    throw new NoWebGPUError(
      "no-adapter",
      "navigator.gpu has no adapter; enable hardware acceleration, or use the CPU.",
    );
  }
  if (isSoftware(info) && !softwareToo) {
    throw new NoWebGPUError("software-adapter", 'The adapter is software; ask for it by backend: "webgpu".');
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
  return answerOf(request, "device").catch((error) => {
    // A device that comes too late is not needed.
    request.then((late) => late.destroy()).catch(() => {});
    throw error;
  });
}

/** Older browsers lack info, or have isFallbackAdapter on the adapter itself, where bun-webgpu 0.1.7 throws. */
function infoOf(adapter: GPUAdapter): Partial<GPUAdapterInfo> {
  const of = <K extends keyof GPUAdapterInfo>(key: K) => attempt(() => adapter.info[key]);
  const own = () => attempt(() => (adapter as { isFallbackAdapter?: boolean }).isFallbackAdapter);
  return {
    vendor: of("vendor"),
    architecture: of("architecture"),
    device: of("device"),
    description: of("description"),
    isFallbackAdapter: of("isFallbackAdapter") ?? own(),
  };
}

/** The host's answer; undefined if it throws. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** @throws NoWebGPUError ("no-answer") after PATIENCE_S. */
export async function answerOf<T>(request: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `The browser gave no ${what} within ${PATIENCE_S} s; reload the page, or use the CPU.`;
      reject(new NoWebGPUError("no-answer", message));
    }, 1000 * PATIENCE_S);
  });
  try {
    return await Promise.race([request, late]);
  } finally {
    clearTimeout(timer);
  }
}
