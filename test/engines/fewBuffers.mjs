/**
 * The device, which then says that it has four storage buffers in a stage: gradclip's kernels for so few compile in half the time
 * of those for the eight that it has.
 * @param {GPUDevice} device
 */
export function withFewBuffers(device) {
  /** @param {GPUSupportedLimits} limits @param {keyof GPUSupportedLimits} name */
  const get = (limits, name) => (name === "maxStorageBuffersPerShaderStage" ? 4 : limits[name]);
  const handler = /** @type {ProxyHandler<GPUSupportedLimits>} */ ({ get });
  return Object.defineProperty(device, "limits", { value: new Proxy(device.limits, handler) });
}
