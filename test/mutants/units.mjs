// The unit tests that see a file of the host, in one Vitest whose worker lives on from mutant to mutant.

import { fork } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { runnerImport } from "vite";
import { createVitest } from "vitest/node";
import { limit } from "../engines/limits.mjs";
import { repository, vulkanEnvironment } from "../engines/packaged.mjs";
import { computed } from "./runs.mjs";

/** @typedef {import("./suite.ts").Failure} Failure */
/** @typedef {import("vitest/node").TestSpecification} Specification */

/** A file of tests that computes for so much longer than without a change goes in a circle. */
const MORE_SECONDS = 4;
/** One that computes nothing for so long waits for what does not come. A page computes in processes of its own. */
const idleSeconds = (/** @type {string} */ name) => (name.startsWith("pages/") ? 90 : 20);
/** What devices leave in a process is never collected. */
const FILES_IN_A_WORKER = 100;

/** @type {import("node:child_process").ChildProcess | undefined} */
let child;
let filesLeft = 0;
/** The worker takes no file before it has answered that it is done with the one before. */
let stopping = Promise.resolve();
/** Files of which the process may have another text. @type {Set<string>} */
const stale = new Set();

/** Vitest starts and stops a worker for each file of tests. The process behind these stays. */
class LastingWorker {
  name = "lasting";
  /** @type {[event: string, callback: (value: any) => void][]} */
  #listeners = [];
  #options;

  /** @param {import("vitest/node").PoolOptions} options */
  constructor(options) {
    this.#options = options;
  }

  async start() {
    await stopping;
    if (filesLeft-- <= 0) endChild();
    if (child) return;
    const { env, execArgv } = this.#options;
    child = fork(join(repository, "test/mutants/unitWorker.mjs"), {
      env: /** @type {NodeJS.ProcessEnv} */ (env),
      execArgv,
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      serialization: "advanced",
    });
    filesLeft = FILES_IN_A_WORKER;
  }

  async stop() {
    for (const [event, callback] of this.#listeners.splice(0)) child?.off(event, callback);
  }

  /** @param {string} event @param {(value: any) => void} callback */
  on(event, callback) {
    this.#listeners.push([event, callback]);
    child?.on(event, callback);
  }

  /** @param {string} event @param {(value: any) => void} callback */
  off(event, callback) {
    child?.off(event, callback);
  }

  /** @param {any} message */
  send(message) {
    const context = message.context && { ...message.context, invalidates: [...stale] };
    if (message.type === "run") stale.clear();
    if (message.type === "stop" && child) stopping = answer(child, "stopped");
    if (child?.connected) child.send({ ...message, context });
  }

  /** @param {unknown} data */
  deserialize(data) {
    return data;
  }
}

/** @param {import("node:child_process").ChildProcess} from @param {string} type @returns {Promise<void>} */
function answer(from, type) {
  return new Promise((resolve) => {
    /** @param {any} message */
    const onMessage = (message) => {
      if (message.type === type) end();
    };
    const end = () => {
      from.off("message", onMessage);
      from.off("exit", end);
      resolve();
    };
    from.on("message", onMessage);
    from.on("exit", end);
  });
}

function endChild() {
  child?.kill("SIGKILL");
  child = undefined;
}

/** @type {{ path: string, text: string }} */
let changed = { path: "", text: "" };

async function opened() {
  Object.assign(process.env, vulkanEnvironment());
  const { module } = await runnerImport(join(repository, "vite.config.ts"), { configFile: false });
  const { ownPackage } = /** @type {typeof import("../../vite.config.ts")} */ (module);
  const vitest = await createVitest(
    "test",
    {
      root: repository,
      config: false,
      watch: false,
      include: ["test/*.test.ts", "test/pages/{adapters,webgl}.test.ts"],
      setupFiles: ["test/support/equality.ts", "test/engines/pausedPolls.mjs", "test/mutants/unitSetup.ts"],
      fileParallelism: false,
      bail: 1,
      pool: { name: "lasting", createPoolWorker: (options) => new LastingWorker(options) },
      reporters: [{}],
      testTimeout: limit(10),
      hookTimeout: limit(30),
      server: { deps: { inline: ["doppler-gpu"] } },
    },
    {
      resolve: ownPackage,
      logLevel: "error",
      plugins: [{ name: "mutant", enforce: "pre", load: (id) => (id === changed.path ? changed.text : undefined) }],
    },
  );
  const specifications = await vitest.globTestSpecifications();
  return { vitest, specifications: new Map(specifications.map((one) => [one.moduleId, one])) };
}

/** @type {ReturnType<typeof opened> | undefined} */
let opening;

/** @param {{ path: string, text: string }} next */
async function change(next) {
  opening ??= opened();
  const { vitest } = await opening;
  const paths = [changed.path, next.path];
  changed = next;
  vitest.provide("mutant", next);
  for (const path of paths) {
    vitest.invalidateFile(path);
    stale.add(path);
  }
}

/** @param {string} name @param {number} mostSeconds of the worker's own time @returns {Promise<Failure | undefined>} */
async function failureIn(name, mostSeconds) {
  opening ??= opened();
  const { vitest, specifications } = await opening;
  const moduleId = join(repository, `test/${name}.test.ts`);
  const specification = specifications.get(moduleId);
  if (!specification) throw new Error(`There is no test/${name}.test.ts.`);
  const own = computed(child?.pid);
  let [now, since] = [own, Date.now()];
  const timer = setInterval(() => {
    if (computed(child?.pid) !== now) [now, since] = [computed(child?.pid), Date.now()];
    if (now - own > mostSeconds || Date.now() - since > 1000 * idleSeconds(name)) endChild();
  }, 500);
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications([specification]);
  clearInterval(timer);
  const [unhandled] = /** @type {Error[]} */ (unhandledErrors);
  if (unhandled) {
    // It may have ended, or be in the middle of something.
    endChild();
    return { name, error: String(unhandled.message) };
  }
  const module = testModules.find((one) => one.moduleId === moduleId);
  if (module?.ok()) return undefined;
  const [failed] = module?.children.allTests("failed") ?? [];
  const [error] = failed?.result().errors ?? module?.errors() ?? [];
  return { name: `${name}: ${failed?.fullName ?? "the file"}`, error: String(error?.message) };
}

/** The seconds that each file computes without a change; undefined for one that fails then. @type {Map<string, number | undefined>} */
const costs = new Map();

/** @param {string} name */
async function costOf(name) {
  await change({ path: "", text: "" });
  const [before, own] = [child, computed(child?.pid)];
  const failure = await failureIn(name, 600);
  if (failure) console.log(`Left out, as it fails without a change: ${failure.name}: ${failure.error}`);
  return failure ? undefined : computed(child?.pid) - (child === before ? own : 0);
}

/** How many mutants of each file of the host each file of tests has run and killed. @type {Map<string, { ran: number, killed: number }>} */
const tallies = new Map();

/** @param {string} file @param {string} name */
function tallyOf(file, name) {
  const key = `${file} ${name}`;
  const tally = tallies.get(key) ?? { ran: 0, killed: 0 };
  tallies.set(key, tally);
  return tally;
}

/** How many mutants a file of tests kills in a second, as far as it is known. @param {string} file @param {string} name */
function worthOf(file, name) {
  const { ran, killed } = tallyOf(file, name);
  return (killed + 1) / (ran + 2) / ((costs.get(name) ?? 1) + 0.2);
}

/**
 * @param {{ file: string, path: string, text: string, names: readonly string[], seconds: number }} run the seconds that the files of
 * tests may take together
 * @returns {Promise<Failure | undefined>} in the first file of tests that fails; what kills soonest comes first
 */
export async function unitFailure({ file, path, text, names, seconds: most }) {
  let left = most;
  for (const name of [...names].sort((a, b) => worthOf(file, b) - worthOf(file, a))) {
    if (!costs.has(name)) costs.set(name, await costOf(name));
    const seconds = costs.get(name);
    if (seconds === undefined) continue;
    left -= seconds;
    if (left < 0) return { name, error: "not decided" };
    await change({ path, text });
    const failure = await failureIn(name, 2 * seconds + MORE_SECONDS);
    const tally = tallyOf(file, name);
    tally.ran += 1;
    if (!failure) continue;
    tally.killed += 1;
    return failure;
  }
  return undefined;
}

export async function stopUnits() {
  // Which waits for the worker's answer.
  await (await opening)?.vitest.close();
  endChild();
}
