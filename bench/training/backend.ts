// The backend that trains and clips: jax-js and gradclip on one GPUDevice, or jax-js's wasm with gradclip on the CPU.

import { defaultDevice, getWebGPUDevice, init } from "@jax-js/jax";
import { type Clipper, createClipper } from "../../src/index.ts";
import { answerOf } from "../../src/webgpu/ownDevice.ts";

export type Requested = "auto" | "webgpu" | "cpu";

export interface Backend {
  device?: GPUDevice;
  /** "WebGPU · adapter", or "CPU (wasm): why". */
  badge: string;
}

const reasons: Record<string, string> = {
  requested: "you asked for it in the address",
  "no-webgpu": "this browser has no WebGPU",
  "insecure-context": "WebGPU needs a page served over https or from localhost",
  "no-adapter": "this browser offers no graphics adapter to WebGPU",
  "software-adapter": "WebGPU is emulated in software here",
  "no-device": "this browser's graphics adapter gave no device",
  "no-answer": "this browser gave no answer about its graphics adapter",
  "device-lost": "the graphics device was lost at once",
  "self-test": "the graphics driver failed gradclip's self-test",
};

export async function chooseBackend(requested: Requested): Promise<Backend> {
  if (requested === "cpu") return onCpu("requested");

  let probe: Clipper;
  try {
    probe = await createClipper({ backend: requested });
  } catch (error) {
    return onCpu(error instanceof Error ? error.message : String(error));
  }
  if (probe.backend === "cpu") return onCpu(probe.fallbackReason ?? "no-webgpu");
  probe.destroy();

  return (await onWebGpu()) ?? onCpu("jax-js could not start on WebGPU");
}

/** jax-js makes the device, and gradclip works on it. */
export async function onWebGpu(): Promise<Backend | undefined> {
  try {
    const available = await answerOf(init("webgpu"), "device");
    if (!available.includes("webgpu")) return undefined;
    const device = getWebGPUDevice();
    defaultDevice("webgpu");
    return { device, badge: `WebGPU · ${adapterName(device)}` };
  } catch (error) {
    console.warn("WebGPU did not start.", error);
    return undefined;
  }
}

export async function onCpu(reason: string): Promise<Backend> {
  await init("wasm");
  keepInstances();
  defaultDevice("wasm");
  return { badge: `CPU (wasm): ${reasons[reason] ?? reason}` };
}

/**
 * jax-js 0.1.25 makes an instance of a kernel for each dispatch, which takes twice as long as the training itself. A kernel keeps nothing
 * from one dispatch to the next: its first instance with a memory serves them all. This may go when jax-js keeps them, as its workers do.
 */
function keepInstances(): void {
  const kept = new WeakMap<WebAssembly.Module, { instance: WebAssembly.Instance; memory: unknown }>();
  WebAssembly.Instance = new Proxy(WebAssembly.Instance, {
    construct(Instance, [module, imports]: [WebAssembly.Module, WebAssembly.Imports?]) {
      const memory = imports?.env?.memory;
      const known = kept.get(module);
      if (memory && known?.memory === memory) return known.instance;
      const instance = new Instance(module, imports);
      kept.set(module, { instance, memory });
      return instance;
    },
  });
}

function adapterName({ adapterInfo: { description, vendor, architecture } }: GPUDevice): string {
  return description || [vendor, architecture].filter(Boolean).join(" ") || "unnamed adapter";
}
