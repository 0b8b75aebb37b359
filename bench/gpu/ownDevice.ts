import { answerOf } from "../../src/webgpu/ownDevice.ts";

/** The fastest adapter's device, with timestamps and its highest limits. */
export async function ownDevice(gpu: GPU): Promise<GPUDevice> {
  const adapter = await answerOf(gpu.requestAdapter({ powerPreference: "high-performance" }), "adapter");
  if (!adapter) throw new Error("WebGPU has no adapter here.");
  const { maxStorageBuffersPerShaderStage, maxStorageBufferBindingSize, maxBufferSize } = adapter.limits;
  const request = adapter.requestDevice({
    requiredFeatures: adapter.features.has("timestamp-query") ? ["timestamp-query"] : [],
    requiredLimits: { maxStorageBuffersPerShaderStage, maxStorageBufferBindingSize, maxBufferSize },
  });
  return answerOf(request, "device");
}
