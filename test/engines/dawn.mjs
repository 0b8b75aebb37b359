// WebGPU in Node: Dawn. The process needs vulkanEnvironment() from its start, and process.exit at its end.

/**
 * @param {string[]} options Dawn's
 * @returns {Promise<GPU>} a navigator.gpu of the process
 */
export async function dawn(options = []) {
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  const gpu = create(options);

  // Dawn crashes the process where one of these is collected while still in use, also those of an earlier call.
  const all = /** @type {{ keptForDawn?: unknown[] }} */ (globalThis);
  all.keptForDawn ??= [];
  const kept = all.keptForDawn;
  kept.push(gpu);
  const requestAdapter = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = async (options) => {
    const adapter = await requestAdapter(options);
    if (!adapter) return adapter;
    kept.push(adapter);
    const requestDevice = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (descriptor) => {
      const device = await requestDevice(descriptor);
      kept.push(device);
      return device;
    };
    return adapter;
  };
  return gpu;
}
