// A process of its own with the layer: compiles the kernels of a file, one after the other, in Node (Dawn, with Tint) or Deno (wgpu,
// with naga), and prints a line of JSON for each: what the layer noted, and the CPU milliseconds that engine and driver took.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { dawn } from "../../test/engines/dawn.mjs";

const [folder = "", engine] = process.argv.slice(2);
const gpu = engine === "deno" ? navigator.gpu : await dawn();
const adapter = await gpu.requestAdapter();
if (!adapter) throw new Error("There is no adapter.");
const device = await adapter.requestDevice({ requiredLimits: { maxStorageBuffersPerShaderStage: 16 } });

const log = join(folder, "pipelines.jsonl");
const linesOf = () => (existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : []);
/** @type {unknown[]} */
const kept = [];
/** @type {import("./kernels.ts").KernelText[]} */
const kernels = JSON.parse(readFileSync(join(folder, "kernels.json"), "utf8"));
for (const { name, code, layouts } of kernels) {
  const before = linesOf().length;
  device.pushErrorScope("validation");
  const start = process.cpuUsage();
  const module = device.createShaderModule({ code });
  const bindGroupLayouts = layouts?.map((layout) => device.createBindGroupLayout(layout));
  const layout = bindGroupLayouts ? device.createPipelineLayout({ bindGroupLayouts }) : "auto";
  // Dawn crashes the process where one of these is collected while still in use.
  kept.push(device.createComputePipeline({ layout, compute: { module, entryPoint: "main" } }), module, layout);
  const error = await device.popErrorScope();
  const { user, system } = process.cpuUsage(start);
  if (error) throw new Error(`${name}: ${error.message}`);
  const noted = JSON.parse(/** @type {string} */ (linesOf()[before]));
  console.log(JSON.stringify({ line: before, cpuMs: (user + system) / 1000, noted }));
}
await new Promise((written) => process.stdout.write("", written));
// Dawn keeps the process alive.
process.exit(0);
