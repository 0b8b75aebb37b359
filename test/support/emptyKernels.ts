/**
 * The device, on which kernels do nothing from now on, for tests that count commands and read no result: real kernels for all storage
 * buffers of a device compile for seconds.
 */
export function withEmptyKernels(device: GPUDevice): GPUDevice {
  const create = device.createShaderModule.bind(device);
  device.createShaderModule = ({ label }) => create({ label, code: "@compute @workgroup_size(1) fn main() {}" });
  return device;
}
