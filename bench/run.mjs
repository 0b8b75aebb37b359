// npm run bench [-- --engine node|chromium|deno|cpu] [--quick] [--filter text] [--json file] [--times 3]
// Bundles bench/index.ts and runs it in one engine. With --isa it counts instructions instead: see bench/isa/main.mjs.

import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { build } from "vite";
import { launchChromium, serveFolder } from "../test/engines/chromium.mjs";
import { denoArguments, denoEnvironment, denoPath } from "../test/engines/deno.mjs";
import { ownFolder, repository, vulkanEnvironment } from "../test/engines/packaged.mjs";
import { runBundle } from "./engine.mjs";
import { isaOptions, runIsa } from "./isa/main.mjs";

/** @typedef {import("./engine.mjs").Message} Message */
/** @typedef {{ engine: string, preset: "quick" | "full", filter?: string }} Request */

/** TensorFlow.js imports Node's modules by their bare names, which Deno does not know. @type {import("vite").Plugin} */
const nodePrefix = {
  name: "node-prefix",
  enforce: "pre",
  resolveId: (id) => (builtinModules.includes(id) ? { id: `node:${id}`, external: true } : undefined),
};

/** Everything in one file. @param {string} engine @returns {Promise<string>} */
async function bundleFor(engine) {
  const isPage = engine === "chromium";
  const entry = join(repository, "bench/index.ts");
  const output = await build({
    root: repository,
    configFile: false,
    publicDir: false,
    logLevel: "error",
    define: {
      "process.env.NODE_ENV": '"production"',
      // Where TensorFlow.js, bundled, looks for its binaries.
      __dirname: JSON.stringify(join(repository, "node_modules/@tensorflow/tfjs-backend-wasm/dist")),
    },
    ssr: { noExternal: true },
    plugins: isPage ? [] : [nodePrefix],
    build: {
      write: false,
      minify: false,
      target: "es2022",
      // TensorFlow.js requests modules from Node and Deno that a page does not have.
      ...(isPage ? { lib: { entry, formats: ["es"] } } : { ssr: entry }),
      rolldownOptions: { output: { codeSplitting: false } },
    },
  });
  const [result] = /** @type {import("vite").Rolldown.RolldownOutput[]} */ ([output].flat());
  if (!result) throw new Error("Vite built nothing.");
  const file = join(ownFolder("bench"), isPage ? "page.js" : "process.js");
  writeFileSync(file, result.output[0].code);
  return file;
}

/** @param {Request} request @param {string} bundle @param {(message: Message) => void} send @returns {Promise<void>} */
function runInProcess({ engine, preset, filter = "" }, bundle, send) {
  const script = [join(repository, "bench/inProcess.mjs"), bundle, engine, preset, filter];
  const env = { ...process.env, ...(engine !== "cpu" && vulkanEnvironment()) };
  const [program, args, more] =
    engine === "deno" ? [denoPath(), denoArguments, denoEnvironment] : [process.execPath, [], {}];
  const child = spawn(program, [...args, ...script], {
    env: { ...env, ...more },
    stdio: ["ignore", "pipe", "inherit"],
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith('{"')) send(JSON.parse(line));
    else console.log(line);
  });
  return new Promise((finish, fail) => {
    child.on("error", fail);
    child.on("close", () => finish());
  });
}

/** @param {Request} request @param {string} bundle @param {(message: Message) => void} send */
async function runInChromium(request, bundle, send) {
  writeFileSync(join(dirname(bundle), "index.html"), "<!doctype html><title>bench</title><link rel=icon href=data:,>");
  const server = await serveFolder(dirname(bundle));
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    page.on("console", (message) => console.log(`[${message.type()}] ${message.text()}`));
    await page.exposeFunction("send", send);
    await page.goto(server.url);
    const options = JSON.stringify({ ...request, bundle: "/page.js" });
    await page.evaluate(`(${runBundle})({ ...${options}, gpu: navigator.gpu, send })`);
  } finally {
    await browser.close();
    await server.close();
  }
}

const { values } = parseArgs({
  options: {
    engine: { type: "string", default: "node" },
    quick: { type: "boolean", default: false },
    filter: { type: "string" },
    json: { type: "string" },
    times: { type: "string", default: "1" },
    isa: { type: "boolean", default: false },
    ...isaOptions,
  },
});
if (values.isa) process.exit(await runIsa(values));
const { engine, quick, filter, json, times } = values;
if (!["node", "chromium", "deno", "cpu"].includes(engine)) {
  console.error("--engine must be one of node, chromium, deno, cpu.");
  process.exit(2);
}

/** Over the last one, where somebody watches. @param {string} turn */
function showTurn(turn) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${turn}`);
}

/** @param {string} bundle @returns {Promise<import("./benchmark.ts").Results | undefined>} */
async function measured(bundle) {
  /** @type {import("./benchmark.ts").Results | undefined} */
  let results;
  /** @param {Message} message */
  const send = (message) => {
    if ("turn" in message) showTurn(message.turn);
    else if ("markdown" in message) console.log(`\n${message.markdown}\n(${message.done} of ${message.total})`);
    else if ("results" in message) {
      results = message.results;
      console.log(`\n${message.targets}`);
    } else console.error(`\n${message.crash}`);
  };
  const request = { engine, preset: /** @type {"quick" | "full"} */ (quick ? "quick" : "full"), filter };
  await (engine === "chromium" ? runInChromium : runInProcess)(request, bundle, send);
  showTurn("");
  return results;
}

/** @param {import("./benchmark.ts").Results} results @param {string} file */
function save(results, file) {
  const command = ["npm run bench --", ...process.argv.slice(2).map(quoted)].join(" ");
  mkdirSync(dirname(file), { recursive: true });
  const text = JSON.stringify({ command, date: new Date().toISOString(), ...results }, rounded, 1);
  // The samples of a row in one line.
  writeFileSync(file, `${text.replace(/\[[-+.,e\d\s]*\]/g, (list) => list.replace(/\s+/g, " "))}\n`);
}

const bundle = await bundleFor(engine);
let failures = 0;
for (let run = 1; run <= Number(times); run++) {
  const results = await measured(bundle);
  if (!results) process.exit(1);
  for (const { contestant, reason } of results.absent) console.log(`Not started: ${contestant}: ${reason}`);
  if (results.stopped) {
    console.error(results.stopped);
    failures++;
  }
  if (json) save(results, resolve(Number(times) > 1 ? json.replace(/(\.json)?$/, `-${run}.json`) : json));
  // A contestant that is right or nothing: ours must not be wrong.
  const wrong = results.rows.filter(
    ({ verdict, contestant }) => verdict !== "right" && contestant.startsWith("gradclip"),
  );
  for (const { workload, contestant, reason } of wrong) console.error(`${workload}: ${contestant}: ${reason}`);
  failures += wrong.length;
}
process.exit(failures > 0 ? 1 : 0);

/** As a shell takes it. @param {string} argument */
function quoted(argument) {
  return /^[\w./=-]+$/.test(argument) ? argument : `"${argument}"`;
}

/** Six digits are more than any clock has. @param {string} _ @param {unknown} value */
function rounded(_, value) {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}
