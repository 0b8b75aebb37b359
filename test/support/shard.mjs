// A worker that owns some of the parameters: it runs the first example of "Sharded training" in docs/engines.md.

import "../engines/pausedPolls.mjs";
import { parentPort, workerData } from "node:worker_threads";
import { dawn } from "../engines/dawn.mjs";
import { withFewBuffers } from "../engines/fewBuffers.mjs";

/**
 * @typedef {object} Shard
 * @property {string} library the bundled package
 * @property {string} example the body of the example
 * @property {number[][]} targets of each parameter, where its gradient vanishes
 * @property {number} steps
 * @property {number} rate
 * @property {MessagePort} port
 */
const { library, example, targets, steps, rate, port } = /** @type {Shard} */ (workerData);

const adapter = await (await dawn()).requestAdapter();
if (!adapter) throw new Error("There is no adapter to test on.");
const device = withFewBuffers(await adapter.requestDevice(), 2);
device.addEventListener("uncapturederror", ({ error }) => {
  throw new Error(error.message);
});

// Dawn ends the process where a thread ends while a pipeline compiles. One that is compiled at once still compiles in the background.
let compiledAtOnce = 0;
const createComputePipeline = device.createComputePipeline.bind(device);
device.createComputePipeline = (descriptor) => {
  compiledAtOnce++;
  return createComputePipeline(descriptor);
};

const weights = targets.map((values) => new Float32Array(values.length));
const gradients = targets.map(({ length }) =>
  device.createBuffer({
    size: 4 * length,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  }),
);

function backward() {
  gradients.forEach((buffer, i) => {
    const values = weights[i]?.map((weight, k) => weight - Number(targets[i]?.[k]));
    if (values) device.queue.writeBuffer(buffer, 0, values);
  });
}

async function update() {
  await Promise.all(
    gradients.map(async (buffer, i) => {
      const staging = device.createBuffer({
        size: buffer.size,
        usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      });
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      new Float32Array(staging.getMappedRange()).forEach((gradient, k) => {
        const layer = weights[i];
        if (layer) layer[k] = Number(layer[k]) - rate * gradient;
      });
      staging.destroy();
    }),
  );
}

const packages = { gradclip: await import(library) };
const context = { packages, device, gradients, backward, update, port, steps };
const run = new Function(...Object.keys(context), `return (async () => { ${example}\n return report; })()`);
const report = await run(...Object.values(context));
parentPort?.postMessage({ weights, report, compiledAtOnce });
// Dawn keeps the thread alive.
parentPort?.once("message", () => process.exit(0));
