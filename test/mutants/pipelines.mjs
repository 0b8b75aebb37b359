// A device that compiles a kernel again only where its text has changed.

/** The least recently used go first. */
const MOST_PIPELINES = 300;

/** What a module or a layout is made of. @type {WeakMap<object, string>} */
const texts = new WeakMap();

/** @param {object} made */
export function textOf(made) {
  return texts.get(made) ?? "";
}

/** All pipelines begin at main and have no constants. @param {GPUDevice} device */
export function remembering(device) {
  /** By their layouts and texts. @type {Map<string, GPUComputePipeline>} */
  const pipelines = new Map();
  const createModule = device.createShaderModule.bind(device);
  const createGroupLayout = device.createBindGroupLayout.bind(device);
  const createLayout = device.createPipelineLayout.bind(device);
  const createSoon = device.createComputePipelineAsync.bind(device);
  const createNow = device.createComputePipeline.bind(device);
  /** @template {object} T @param {T} made @param {string} text */
  const noted = (made, text) => {
    texts.set(made, text);
    return made;
  };
  device.createShaderModule = (descriptor) => noted(createModule(descriptor), descriptor.code);
  device.createBindGroupLayout = (descriptor) =>
    noted(createGroupLayout(descriptor), JSON.stringify(descriptor.entries));
  device.createPipelineLayout = (descriptor) =>
    noted(createLayout(descriptor), Array.from(descriptor.bindGroupLayouts, (group) => group && textOf(group)).join());
  /** @param {GPUComputePipelineDescriptor} descriptor */
  const keyOf = ({ layout, compute }) => `${typeof layout === "object" && textOf(layout)} ${textOf(compute.module)}`;
  /** @param {string} key @param {GPUComputePipeline} pipeline */
  const kept = (key, pipeline) => {
    pipelines.delete(key);
    pipelines.set(key, pipeline);
    const [oldest] = pipelines.keys();
    if (pipelines.size > MOST_PIPELINES && oldest !== undefined) pipelines.delete(oldest);
    return pipeline;
  };
  device.createComputePipeline = (descriptor) => {
    const key = keyOf(descriptor);
    return kept(key, pipelines.get(key) ?? createNow(descriptor));
  };
  device.createComputePipelineAsync = async (descriptor) => {
    const key = keyOf(descriptor);
    return kept(key, pipelines.get(key) ?? (await createSoon(descriptor)));
  };
  return device;
}
