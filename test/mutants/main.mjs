// npm run test:mutants [-- --file norm] [--sample 100] [--seed 1] [--survivors file]
// Changes one token of a shader at a time and runs the conformance suite on Node until a case fails. Every mutant has to be killed,
// or to be in equivalents.ts with the reason. All of them take hours: a sample is the same for the same seed.

import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { build, runnerImport } from "vite";
import { cache, repository, vulkanEnvironment } from "../engines/packaged.mjs";

/** @typedef {import("./operators.ts").Mutant} Mutant */
/** @typedef {{ mutant: Mutant, verdict: "killed" | "survived" | "equivalent", why: string }} Outcome */

const folder = join(cache, "mutants");
/** A mutant that never ends is seen. Well above what the groups take on a busy machine. */
const LIMIT_MS = 600_000;

/** @param {string} file of this folder @returns {Promise<any>} */
async function load(file) {
  const { module } = await runnerImport(join(repository, "test/mutants", file), { configFile: false });
  return module;
}

/** The suite with shaders that `globalThis.mutatedShaders` may replace, by their names. @param {Map<string, string>} texts */
async function bundle(texts) {
  const shaders = /** @type {import("vite").Plugin} */ ({
    name: "replaceable-shaders",
    enforce: "pre",
    load: {
      order: "pre",
      filter: { id: /\/shaders\/.*\.wgsl\?raw$/ },
      handler(id) {
        const name = id.replace(/^.*\/shaders\/|\.wgsl\?raw$/g, "");
        return `export default globalThis.mutatedShaders?.[${JSON.stringify(name)}] ?? ${JSON.stringify(texts.get(name))};`;
      },
    },
  });
  await build({
    root: repository,
    mode: "conformance",
    logLevel: "warn",
    plugins: [shaders],
    build: {
      lib: { entry: join(repository, "test/mutants/suite.ts"), formats: ["es"], fileName: "suite" },
      outDir: folder,
    },
  });
}

/** @param {Record<string, string>} shaders that differ @param {readonly string[]} groups @returns {Promise<string | undefined>} what failed */
function failureOf(shaders, groups) {
  const suite = join(folder, `mutant-${process.pid}.mjs`);
  writeFileSync(
    suite,
    `globalThis.mutatedShaders = ${JSON.stringify(shaders)};\nexport const { runConformance } = await import("./suite.js");\n`,
  );
  const script = join(repository, "test/engines/runSuiteInProcess.mjs");
  const child = spawn(process.execPath, [script, suite, "node", groups.join(",")], {
    env: { ...process.env, ...vulkanEnvironment() },
    stdio: ["ignore", "pipe", "ignore"],
  });
  /** @type {string | undefined} */
  let failure = "the process ended";
  const timeout = setTimeout(() => {
    failure = `no end within ${LIMIT_MS / 1000} s`;
    child.kill("SIGKILL");
  }, LIMIT_MS);
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (!line.startsWith('{"')) return;
    /** @type {import("../engines/runSuite.mjs").Message} */
    const message = JSON.parse(line);
    if ("crash" in message) failure = message.crash.split("\n")[0];
    else if ("passed" in message) failure = message.failed ? failure : undefined;
    else if ("name" in message && message.error !== undefined) failure = message.name;
  });
  return new Promise((resolve) => {
    child.on("close", () => {
      clearTimeout(timeout);
      resolve(failure);
    });
  });
}

/** The same for the same seed. @template T @param {readonly T[]} list @param {number} count @param {number} seed @returns {T[]} */
function sampleOf(list, count, seed) {
  let state = seed >>> 0;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const keyed = list.map((item) => ({ item, key: random() })).sort((a, b) => a.key - b.key);
  return keyed.slice(0, count).map(({ item }) => item);
}

/** @param {readonly Outcome[]} outcomes */
function printTable(outcomes) {
  const files = [...new Set(outcomes.map(({ mutant }) => mutant.file))].sort();
  console.log(`${"file".padEnd(28)} killed survived equivalent`);
  for (const file of files) {
    /** @param {Outcome["verdict"]} verdict */
    const count = (verdict) => outcomes.filter((one) => one.mutant.file === file && one.verdict === verdict).length;
    console.log(
      `${file.padEnd(28)} ${String(count("killed")).padStart(6)} ${String(count("survived")).padStart(8)} ${String(count("equivalent")).padStart(10)}`,
    );
  }
}

const { values } = parseArgs({
  options: {
    file: { type: "string" },
    sample: { type: "string" },
    seed: { type: "string", default: "1" },
  },
});

const { shaderFiles } = (await runnerImport(join(repository, "vite.config.ts"), { configFile: false })).module;
const { mutantsOf, mutated } = await load("operators.ts");
const { reasonOf } = await load("equivalents.ts");
const { groupsFor } = await load("groups.ts");

/** @type {Map<string, string>} */
const texts = shaderFiles();
/** @type {Mutant[]} */
const all = [...texts].flatMap(([file, text]) =>
  !values.file || file.startsWith(values.file) ? mutantsOf(file, text) : [],
);
const mutants = values.sample ? sampleOf(all, Number(values.sample), Number(values.seed)) : all;
console.log(`${mutants.length} of ${all.length} mutants`);

mkdirSync(folder, { recursive: true });
await bundle(texts);
/** @type {Outcome[]} */
const outcomes = [];
for (const mutant of mutants) {
  const reason = reasonOf(mutant);
  const text = mutated(texts.get(mutant.file) ?? "", mutant);
  const failure = reason ?? (await failureOf({ [mutant.file]: text }, groupsFor(mutant.file)));
  const verdict = reason ? "equivalent" : failure === undefined ? "survived" : "killed";
  outcomes.push({ mutant, verdict, why: failure ?? "" });
  console.log(`${verdict} ${mutant.file}: ${mutant.before}  ->  ${mutant.after}${failure ? `  (${failure})` : ""}`);
}
printTable(outcomes);
const survived = outcomes.filter(({ verdict }) => verdict === "survived").length;
console.log(`${outcomes.length - survived} passed, ${survived} failed`);
process.exit(survived ? 1 : 0);
