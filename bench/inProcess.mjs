// Node's and Deno's side: arguments in, one line of JSON a message out.

import { availableParallelism, cpus } from "node:os";
import process from "node:process";
import { dawn } from "../test/engines/dawn.mjs";
import { runBundle } from "./engine.mjs";

const [bundle = "", engine = "", preset = "", filter] = process.argv.slice(2);
/** @type {GPU | undefined} */
let gpu;
if (engine === "deno") gpu = navigator.gpu;
else {
  if (engine === "node") gpu = await dawn();
  // The place where browsers have WebGPU and jax-js looks for it.
  const userAgent = `Node ${process.version}, ${cpus()[0]?.model}`;
  const value = { gpu, hardwareConcurrency: availableParallelism(), userAgent };
  Object.defineProperty(globalThis, "navigator", { value });
}

/** @param {import("./engine.mjs").Message} message */
const send = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
await runBundle({ bundle, engine, preset: preset === "quick" ? "quick" : "full", filter, gpu, send });
await new Promise((written) => process.stdout.write("", written));

// Dawn keeps the process alive.
process.exit(0);
