// Runs mutants one after the other, in one process with one device. A pipeline is compiled again only where its text changed.

import { join } from "node:path";
import process from "node:process";
import { createServer, createServerModuleRunner } from "vite";
import { dawn } from "../engines/dawn.mjs";
import { repository } from "../engines/packaged.mjs";
import "../engines/pausedPolls.mjs";

/**
 * A file of shaders/ or src/, its text with the change, the cases in the order in which they run, where, and for how many seconds
 * of the process's own time.
 * @typedef {{ path: string, text: string, names: readonly string[], engine: "cpu" | "node", seconds: number }} Task
 * @typedef {{ groups: readonly string[] }} Question which cases they have
 * @typedef {{ alive: string } | { names: string[] } | { failure: import("./suite.ts").Failure | null }} Answer
 */

/** @param {Answer} answer */
const send = (answer) => process.send?.(answer);

/** @type {{ path: string, text: string }} */
let changed = { path: "", text: "" };

const server = await createServer({
  root: repository,
  mode: "conformance",
  logLevel: "error",
  server: { middlewareMode: true, watch: null, hmr: false, ws: false },
  optimizeDeps: { noDiscovery: true },
  plugins: [
    {
      name: "mutant",
      enforce: "pre",
      load(id) {
        if (id.replace(/\?.*/, "") !== changed.path) return;
        return id.includes("?raw") ? `export default ${JSON.stringify(changed.text)};` : changed.text;
      },
    },
  ],
});
const runner = createServerModuleRunner(server.environments.ssr, { hmr: false, sourcemapInterceptor: false });

/** @returns {Promise<typeof import("./suite.ts")>} evaluated anew */
function suite() {
  runner.clearCache();
  return runner.import(join(repository, "test/mutants/suite.ts"));
}

/** @param {string} path */
function forget(path) {
  const { moduleGraph } = server.environments.ssr;
  for (const module of moduleGraph.getModulesByFile(path) ?? []) moduleGraph.invalidateModule(module);
}

/**
 * Pipelines by their layouts and texts, the least recently used first. All of them begin at main and have no constants.
 * @type {Map<string, GPUComputePipeline>}
 */
const pipelines = new Map();
const MOST_PIPELINES = 300;

/** What a module or a layout is made of. @type {WeakMap<object, string>} */
const texts = new WeakMap();

/** @param {GPUDevice} device */
function remembering(device) {
  const createModule = device.createShaderModule.bind(device);
  const createGroupLayout = device.createBindGroupLayout.bind(device);
  const createLayout = device.createPipelineLayout.bind(device);
  const createPipeline = device.createComputePipelineAsync.bind(device);
  device.createShaderModule = (descriptor) => {
    const module = createModule(descriptor);
    texts.set(module, descriptor.code);
    return module;
  };
  device.createBindGroupLayout = (descriptor) => {
    const layout = createGroupLayout(descriptor);
    texts.set(layout, JSON.stringify(descriptor.entries));
    return layout;
  };
  device.createPipelineLayout = (descriptor) => {
    const layout = createLayout(descriptor);
    texts.set(layout, Array.from(descriptor.bindGroupLayouts, (group) => group && texts.get(group)).join());
    return layout;
  };
  device.createComputePipelineAsync = async (descriptor) => {
    const { layout, compute } = descriptor;
    const key = `${typeof layout === "object" && texts.get(layout)} ${texts.get(compute.module)}`;
    const pipeline = pipelines.get(key) ?? (await createPipeline(descriptor));
    pipelines.delete(key);
    pipelines.set(key, pipeline);
    const [oldest] = pipelines.keys();
    if (pipelines.size > MOST_PIPELINES && oldest !== undefined) pipelines.delete(oldest);
    send({ alive: "a pipeline" });
    return pipeline;
  };
  return device;
}

/** @type {Promise<import("./suite.ts").Gpu> | undefined} */
let opened;

async function open() {
  const gpu = await dawn();
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error("WebGPU has no adapter.");
  const device = remembering(await adapter.requestDevice());
  device.addEventListener("uncapturederror", (event) => event.preventDefault());
  return { gpu, device };
}

/** @param {Task} task */
async function run({ path, text, names, engine, seconds }) {
  const began = process.cpuUsage();
  /** @param {string} name */
  const onStart = (name) => {
    const { user, system } = process.cpuUsage(began);
    if (user + system > 1e6 * seconds) throw new Error("not decided");
    send({ alive: name });
  };
  forget(changed.path);
  changed = { path, text };
  forget(path);
  try {
    const { firstFailure } = await suite();
    if (engine === "node") opened ??= open();
    return (await firstFailure(names, await opened, onStart)) ?? null;
  } catch (error) {
    return { name: "outside of a case", error: String(error) };
  }
}

process.on("message", async (/** @type {Task | Question} */ message) => {
  if ("groups" in message) {
    const { namesOf } = await suite();
    send({ names: message.groups.flatMap(namesOf) });
  } else {
    send({ failure: await run(message) });
  }
});
process.on("disconnect", () => process.exit(0));
