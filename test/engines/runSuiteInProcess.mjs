// Node's, Deno's and Bun's side of runSuite: arguments in, one line of JSON a message out.

import process from "node:process";
import { loopsThatZero } from "./packaged.mjs";
import { runSuite } from "./runSuite.mjs";

const [suite = "", engine = "", filter] = process.argv.slice(2);
/** @type {GPU | undefined} */
let gpu;
if (engine === "deno") gpu = navigator.gpu;
if (engine === "node") {
  await import("./pausedPolls.mjs");
  gpu = await (await import("./dawn.mjs")).dawn(loopsThatZero);
}
if (engine === "bun") gpu = await (await import("./bun.mjs")).bunGpu();

/** @param {import("./runSuite.mjs").Message} message */
const send = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
await runSuite({ suite, engine, filter, gpu, send });
await new Promise((written) => process.stdout.write("", written));

// Dawn keeps the process alive.
process.exit(0);
