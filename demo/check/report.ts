import { isSoftware } from "../../src/webgpu/grid.ts";
import { answerOf } from "../../src/webgpu/ownDevice.ts";

export interface Result {
  name: string;
  error?: string;
}

export interface Device {
  adapter: string;
  isSoftware: boolean;
  facts: Record<string, unknown>;
  /** Its loss shows that the GPU is lost: the suite's own devices are lost on purpose. A device that is collected is never lost. */
  canary: GPUDevice;
}

/** Describes the GPU, or says why there is none. */
export async function describeDevice(): Promise<Device | string> {
  if (!navigator.gpu) return isSecureContext ? "This browser has no WebGPU." : "WebGPU needs https or localhost.";
  try {
    const adapter = await answerOf(navigator.gpu.requestAdapter(), "adapter");
    if (!adapter) return "This browser offers no graphics adapter to WebGPU.";
    return describe(adapter, await answerOf(adapter.requestDevice(), "device"));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function describe(adapter: GPUAdapter, canary: GPUDevice): Device {
  const { vendor, architecture, device, description } = adapter.info;
  const { limits } = adapter;
  return {
    adapter: description || [vendor, architecture, device].filter(Boolean).join(" ") || "an unnamed GPU",
    isSoftware: isSoftware(adapter.info),
    facts: {
      adapter: { vendor, architecture, device, description },
      features: [...adapter.features].sort(),
      limits: {
        maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
        maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
        maxBufferSize: limits.maxBufferSize,
        minStorageBufferOffsetAlignment: limits.minStorageBufferOffsetAlignment,
        maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      },
    },
    canary,
  };
}

/** The text to copy: lines for people, then a line for programs. */
export function reportOf(device: Device | string, results: readonly Result[], ending: string): string {
  const failures = results.filter(({ error }) => error !== undefined);
  const facts = typeof device === "string" ? { adapter: null, reason: device } : device.facts;
  return [
    `gradclip check: ${results.length - failures.length} passed, ${failures.length} failed (${ending})`,
    `on ${typeof device === "string" ? `the CPU: ${device}` : device.adapter}`,
    ...failures.map(({ name, error }) => `FAILED ${name}: ${error}`),
    JSON.stringify({ browser: navigator.userAgent, date: new Date().toISOString(), ...facts }),
  ].join("\n");
}
