/** Counts on the device itself which bytes of gradients its kernels read and write. */

export interface Touched {
  readonly read: number;
  readonly written: number;
}

/**
 * Puts a counter into every kernel that the device is given from now on: each load from a gradient and each store to
 * one adds its bytes. Bind group 2 holds the counters; a clip leaves it alone.
 */
export function countTouches(device: GPUDevice): (record: (pass: GPUComputePassEncoder) => void) => Promise<Touched> {
  const layout = device.createBindGroupLayout({
    entries: [{ binding: 0, visibility: 4, buffer: { type: "storage" } }],
  });
  const { createShaderModule, createPipelineLayout } = device;
  device.createShaderModule = ({ code, ...rest }) => createShaderModule.call(device, { ...rest, code: counting(code) });
  device.createPipelineLayout = ({ bindGroupLayouts, ...rest }) =>
    createPipelineLayout.call(device, { ...rest, bindGroupLayouts: [...bindGroupLayouts, layout] });
  return async (record) => {
    const counters = device.createBuffer({ size: 8, usage: 0x80 | 0x04 });
    const staging = device.createBuffer({ size: 8, usage: 0x01 | 0x08 });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setBindGroup(2, device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer: counters } }] }));
    record(pass);
    pass.end();
    encoder.copyBufferToBuffer(counters, 0, staging, 0, 8);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(1);
    const [read = 0, written = 0] = new Uint32Array(staging.getMappedRange().slice(0));
    return { read, written };
  };
}

const LOAD = /\b(gradients|into)_(\d+)\[([^[\]]+)\](?!\s*=[^=])/g;
const STORE = /\b((?:gradients|into)_\d+\[[^[\]]+\]\s*=[^=])/g;

/** The kernel with its loads in a function that counts them, and a count before each store. */
function counting(code: string): string {
  const bindings = [...code.matchAll(/var<storage, \w+> ((?:gradients|into)_\d+):/g)].map(([, name]) => name);
  if (bindings.length === 0) return code;
  const counted = code.replace(LOAD, "load_$1_$2($3)").replace(STORE, "atomicAdd(&touched[1], 4u * WIDTH); $1");
  const loads = bindings.map(
    (name) => `fn load_${name}(i: u32) -> Word { atomicAdd(&touched[0], 4u * WIDTH); return ${name}[i]; }`,
  );
  const counters = "@group(2) @binding(0) var<storage, read_write> touched: array<atomic<u32>, 2>;";
  return [counted, counters, ...loads].join("\n");
}
