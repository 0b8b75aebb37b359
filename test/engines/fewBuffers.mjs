/**
 * The device, which then says that it has four storage buffers in a stage: gradclip's kernels for so few compile in half the time
 * of those for the eight that it has. For two it is a quarter: one is for a gradient, and clipByValue and an into need more.
 * @param {GPUDevice} device
 */
export function withFewBuffers(device, count = 4) {
  /** @param {GPUSupportedLimits} limits @param {keyof GPUSupportedLimits} name */
  const get = (limits, name) => (name === "maxStorageBuffersPerShaderStage" ? count : limits[name]);
  const handler = /** @type {ProxyHandler<GPUSupportedLimits>} */ ({ get });
  return Object.defineProperty(device, "limits", { value: new Proxy(device.limits, handler) });
}
