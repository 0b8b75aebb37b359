/** How many dispatches some work records with the device's encoders, whoever asks for them. */
export async function dispatchesDuring(device: GPUDevice, work: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const { createCommandEncoder } = device;
  device.createCommandEncoder = (descriptor) => {
    const encoder = createCommandEncoder.call(device, descriptor);
    const { beginComputePass } = encoder;
    encoder.beginComputePass = (descriptor) => {
      const pass = beginComputePass.call(encoder, descriptor);
      const { dispatchWorkgroups } = pass;
      pass.dispatchWorkgroups = (...size) => {
        count += 1;
        dispatchWorkgroups.apply(pass, size);
      };
      return pass;
    };
    return encoder;
  };
  try {
    await work();
  } finally {
    device.createCommandEncoder = createCommandEncoder;
  }
  return count;
}
