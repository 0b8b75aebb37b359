// What a mutant runs: the suite in a process of its own, then, for the host, the unit tests.

import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "vite";
import { cache, repository, vulkanEnvironment } from "../engines/packaged.mjs";

/** @typedef {import("./operators.ts").Mutant} Mutant */
/** @typedef {{ engine: "cpu" | "node", groups: readonly string[] }} Run */

const folder = join(cache, "mutants");
/** A mutant that never ends is seen. Well above what the groups take on a busy machine. */
const LIMIT_MS = 600_000;

/** @param {import("vite").Plugin} plugin @param {string} name */
async function bundled(plugin, name) {
  mkdirSync(folder, { recursive: true });
  await build({
    root: repository,
    mode: "conformance",
    logLevel: "error",
    plugins: [plugin],
    build: {
      lib: { entry: join(repository, "test/mutants/suite.ts"), formats: ["es"], fileName: name },
      outDir: folder,
    },
  });
}

/** The suite with shaders that `globalThis.mutatedShaders` may replace, by their names. @param {Map<string, string>} texts */
export async function bundleForShaders(texts) {
  await bundled(
    {
      name: "replaceable-shaders",
      enforce: "pre",
      load: {
        order: "pre",
        filter: { id: /\/shaders\/.*\.wgsl\?raw$/ },
        handler(id) {
          const name = JSON.stringify(id.replace(/^.*\/shaders\/|\.wgsl\?raw$/g, ""));
          return `export default globalThis.mutatedShaders?.[${name}] ?? ${JSON.stringify(texts.get(JSON.parse(name)))};`;
        },
      },
    },
    "shaders",
  );
}

/** @param {string} file under shaders/ @param {string} text @param {readonly string[]} groups @returns {Promise<string | undefined>} what failed */
export function shaderFailure(file, text, groups) {
  const suite = join(folder, `shader-${process.pid}.mjs`);
  const shaders = JSON.stringify({ [file]: text });
  writeFileSync(
    suite,
    `globalThis.mutatedShaders = ${shaders};\nexport const { runConformance } = await import("./shaders.js");\n`,
  );
  return suiteFailure(suite, { engine: "node", groups });
}

/** @param {Mutant} mutant @param {(text: string, mutant: Mutant) => string} mutated @param {readonly Run[]} runs */
export async function hostFailure(mutant, mutated, runs) {
  const name = `host-${process.pid}`;
  const transform = (/** @type {string} */ code, /** @type {string} */ id) =>
    id.endsWith(`/src/${mutant.file}`) ? mutated(code, mutant) : undefined;
  try {
    await bundled({ name: "mutant", enforce: "pre", transform }, name);
  } catch {
    return "it does not build";
  }
  for (const run of runs) {
    const failure = await suiteFailure(join(folder, `${name}.js`), run);
    if (failure) return failure;
  }
  return unitFailure(mutant);
}

/** @param {string} suite @param {Run} run @returns {Promise<string | undefined>} what failed */
async function suiteFailure(suite, { engine, groups }) {
  const script = join(repository, "test/engines/runSuiteInProcess.mjs");
  const child = spawn(process.execPath, [script, suite, engine, groups.join(",")], {
    env: { ...process.env, ...vulkanEnvironment() },
    stdio: ["ignore", "pipe", "ignore"],
  });
  /** @type {string | undefined} */
  let failure = "the process ended";
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (!line.startsWith('{"')) return;
    /** @type {import("../engines/runSuite.mjs").Message} */
    const message = JSON.parse(line);
    if ("crash" in message) failure = message.crash.split("\n")[0];
    else if ("passed" in message) failure = message.failed ? failure : undefined;
    else if ("name" in message && message.error !== undefined) failure = message.name;
  });
  return (await isEnded(child)) ? failure : "no end";
}

/** @param {Mutant} mutant */
async function unitFailure(mutant) {
  const file = join(folder, `mutant-${process.pid}.json`);
  writeFileSync(file, JSON.stringify(mutant));
  const vitest = join(repository, "node_modules/vitest/vitest.mjs");
  const configuration = join(repository, "test/mutants/vitest.config.ts");
  const child = spawn(process.execPath, [vitest, "run", "--root", repository, "--config", configuration], {
    env: { ...process.env, MUTANT: file },
    stdio: "ignore",
  });
  if (!(await isEnded(child))) return "no end";
  return child.exitCode === 0 ? undefined : "a unit test";
}

/** @param {import("node:child_process").ChildProcess} child @returns {Promise<boolean>} false if it had to be stopped */
function isEnded(child) {
  let isStopped = false;
  const timeout = setTimeout(() => {
    isStopped = true;
    child.kill("SIGKILL");
  }, LIMIT_MS);
  return new Promise((resolve) => {
    child.on("close", () => {
      clearTimeout(timeout);
      resolve(!isStopped);
    });
  });
}
