// Runs mutants one after the other, in one process with one device. A pipeline is compiled again only where its text changed.

import { join } from "node:path";
import process from "node:process";
import { createServer, createServerModuleRunner } from "vite";
import { dawn } from "../engines/dawn.mjs";
import { loopsThatZero, repository } from "../engines/packaged.mjs";
import "../engines/pausedPolls.mjs";
import { remembering, textOf } from "./pipelines.mjs";

/**
 * A file of shaders/ or src/, its text with the change, the cases in the order in which they run, where, and for how many seconds
 * of the process's own time.
 * @typedef {{ path: string, text: string, names: readonly string[], engine: "cpu" | "node", seconds: number }} Task
 * @typedef {{ groups: readonly string[] }} Question which cases they have
 * @typedef {{ path: string, text: string, names: readonly string[], first: number, count: number }} Joint the file's text with
 * many mutants, and the first and the last of them
 * @typedef {{ alive: string, number?: number, killedBy?: string }} Alive which of many mutants runs, and what has killed it
 * @typedef {Alive | { end: true } | { names: string[] } | { failure: import("./suite.ts").Failure | null }} Answer
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

/** Compiles a text with many mutants without those that do not compile. @param {GPUDevice} device */
function joining(device) {
  const createModule = device.createShaderModule.bind(device);
  const createPipeline = device.createComputePipelineAsync.bind(device);
  // Those of which one does not compile are made where there is time to see which: in createComputePipelineAsync.
  device.createShaderModule = (descriptor) =>
    descriptor.code.includes(NUMBER) ? /** @type {GPUShaderModule} */ ({}) : createModule(descriptor);
  device.createComputePipelineAsync = async (descriptor) => {
    const { compute } = descriptor;
    const code = textOf(compute.module);
    const module = code.includes(NUMBER) ? await moduleOfMany(device, createModule, code) : compute.module;
    const pipeline = await createPipeline({ ...descriptor, compute: { ...compute, module } });
    send({ alive: "a pipeline" });
    return pipeline;
  };
  return device;
}

/** @typedef {(descriptor: GPUShaderModuleDescriptor) => GPUShaderModule} CreateModule */

/** @type {typeof import("./together.ts")} */
const { NUMBER, withConstants, withoutNumber, wrongIn } = await runner.import(
  join(repository, "test/mutants/together.ts"),
);

/** A module without the mutants that do not compile. @param {GPUDevice} device @param {CreateModule} createModule @param {string} code */
async function moduleOfMany(device, createModule, code) {
  const read = `callNumber = id.x; ${NUMBER} = callInputs[arrayLength(&callInputs) - 1u];`;
  let left = code;
  for (;;) {
    const text = `${withConstants(left).replace("callNumber = id.x;", read)}\nvar<private> ${NUMBER}: u32;\n`;
    device.pushErrorScope("validation");
    const module = createModule({ code: text });
    const [{ messages }] = await Promise.all([module.getCompilationInfo(), device.popErrorScope()]);
    const error = messages.find(({ type }) => type === "error");
    if (!error) return module;
    const wrong = wrongIn(text, error.lineNum);
    if (wrong === undefined) throw new Error(`ShaderModule with many mutants: ${error.message}`);
    left = withoutNumber(left, wrong);
  }
}

/** @type {Promise<import("./suite.ts").Gpu> | undefined} */
let opened;

async function open() {
  const gpu = await dawn(loopsThatZero);
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error("WebGPU has no adapter.");
  const device = remembering(joining(await adapter.requestDevice()));
  device.addEventListener("uncapturederror", (event) => event.preventDefault());
  // Where one mutant loses it, the next ones have a new one: on a lost one all would count as killed.
  device.lost.then(() => {
    opened = undefined;
  });
  return { gpu, device };
}

function gpu() {
  opened ??= open();
  return opened;
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
    const on = engine === "node" ? await gpu() : undefined;
    return (await firstFailure(names, on, onStart)) ?? null;
  } catch (error) {
    return { name: "outside of a case", error: String(error) };
  }
}

/**
 * Says which mutants a case sees. After each, the case passes again without one: what a mutant leaves behind kills no other.
 * @param {Joint} joint
 */
async function tryMany({ path, text, names, first, count }) {
  forget(changed.path);
  changed = { path, text };
  forget(path);
  const { choose, firstFailure } = await suite();
  /** @param {readonly string[]} some @param {number} number which mutant's turn it is */
  const failureOf = async (some, number) => firstFailure(some, await gpu(), (name) => send({ alive: name, number }));
  /** @param {readonly string[]} some @param {number} number */
  const passWithout = async (some, number) => {
    choose(0);
    const failure = await failureOf(some, number);
    if (failure) throw new Error(`With no mutant chosen ${failure.name} fails: ${failure.error}`);
  };
  let order = names;
  await passWithout(order, 0);
  for (let number = first; number <= count; number++) {
    choose(number);
    const failure = await failureOf(order, number);
    if (!failure) continue;
    const { name } = failure;
    await passWithout([name], number);
    send({ alive: name, number, killedBy: name });
    order = [name, ...order.filter((other) => other !== name)];
  }
}

process.on("message", async (/** @type {Task | Question | Joint} */ message) => {
  if ("count" in message) {
    // After a failure each runs by itself.
    await tryMany(message).catch((error) => process.stderr.write(`${error.message}\n`));
    send({ end: true });
  } else if ("groups" in message) {
    const { namesOf } = await suite();
    send({ names: message.groups.flatMap(namesOf) });
  } else {
    send({ failure: await run(message) });
  }
});
process.on("disconnect", () => process.exit(0));
