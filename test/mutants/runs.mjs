// What a mutant runs of the suite, in a worker that lives on from mutant to mutant.

import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repository, vulkanEnvironment } from "../engines/packaged.mjs";

/** @typedef {import("./suite.ts").Failure} Failure */
/** @typedef {import("./worker.mjs").Task} Task */

/** A worker that computes for so long without a word goes in a circle. Its own time, because other processes may have the cores. */
const MOST_SECONDS = 25;
/** Of many that share a text, which is compiled before the first of them runs. */
const MOST_SECONDS_OF_MANY = 4;
/** Where there is no /proc, and for what waits. */
const MOST_WALL_SECONDS = 900;
/** Modules are evaluated anew for each mutant, and some of what they leave is never collected. */
const MUTANTS_IN_A_WORKER = 150;

/** @type {import("node:child_process").ChildProcess | undefined} */
let worker;
let runsLeft = 0;

function liveWorker() {
  if (!worker || runsLeft-- === 0) {
    worker?.kill("SIGKILL");
    const env = { ...process.env, ...vulkanEnvironment() };
    worker = fork(join(repository, "test/mutants/worker.mjs"), {
      env,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced",
    });
    runsLeft = MUTANTS_IN_A_WORKER;
  }
  return worker;
}

export function stopWorker() {
  worker?.kill("SIGKILL");
}

/** @param {number | undefined} pid @returns {number} seconds that a process has computed */
export function computed(pid) {
  try {
    // Behind the name, which is in parentheses: user and system time in hundredths.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

/**
 * @param {Task | import("./worker.mjs").Question | import("./worker.mjs").Joint} message
 * @param {(alive: import("./worker.mjs").Alive) => void} [onAlive]
 * @returns {Promise<any>} its answer
 */
function asked(message, onAlive = () => {}) {
  const child = liveWorker();
  return new Promise((resolve) => {
    let last = "its start";
    let [wall, own] = [Date.now(), computed(child.pid)];
    let most = MOST_SECONDS;
    /** @param {any} answer */
    const end = (answer) => {
      clearInterval(timer);
      child.removeAllListeners();
      resolve(answer);
    };
    /** @param {string} error */
    const lose = (error) => {
      child.kill("SIGKILL");
      worker = undefined;
      end({ failure: { name: last, error } });
    };
    const timer = setInterval(() => {
      const isStuck = computed(child.pid) - own > most || Date.now() - wall > 1000 * MOST_WALL_SECONDS;
      if (isStuck) lose("no end");
    }, 500);
    child.on("message", (/** @type {any} */ answer) => {
      if (!("alive" in answer)) return end(answer);
      last = answer.alive || last;
      onAlive(answer);
      if (answer.number > 0) most = MOST_SECONDS_OF_MANY;
      [wall, own] = [Date.now(), computed(child.pid)];
    });
    child.on("exit", () => lose("the process ended"));
    child.send(message);
  });
}

/** How many mutants of each file each case has killed: what killed one may kill the next. @type {Map<string, Map<string, number>>} */
const kills = new Map();

/** @type {Map<string, Promise<string[]>>} */
const namesByGroups = new Map();

/** @param {string} file @param {readonly string[]} groups */
async function namesFor(file, groups) {
  const key = groups.join();
  const names = namesByGroups.get(key) ?? asked({ groups }).then((answer) => answer.names);
  namesByGroups.set(key, names);
  const killed = kills.get(file) ?? new Map();
  // Sorting keeps the order of what has killed equally often.
  return [...(await names)].sort((a, b) => (killed.get(b) ?? 0) - (killed.get(a) ?? 0));
}

/** Whether the time was over before a case failed. @param {Failure} failure */
export function isUndecided({ error }) {
  return error.endsWith("not decided");
}

/**
 * @param {{ file: string, path: string, text: string, engine: "cpu" | "node", groups: readonly string[], seconds: number }} run
 * @returns {Promise<Failure | undefined>}
 */
export async function suiteFailure({ file, path, text, engine, groups, seconds }) {
  const names = await namesFor(file, groups);
  /** @type {Failure | null} */
  const failure = (await asked({ path, text, engine, names, seconds })).failure;
  if (!failure || isUndecided(failure)) return failure ?? undefined;
  const killed = kills.get(file) ?? new Map();
  kills.set(file, killed.set(failure.name, (killed.get(failure.name) ?? 0) + 1));
  return failure;
}

/**
 * The numbers of the mutants in a text with many that these groups see, and the cases that do.
 * @param {{ path: string, text: string, groups: readonly string[], count: number }} joint
 * @returns {Promise<Map<number, string>>}
 */
export async function killedTogether({ path, text, groups, count }) {
  const { names } = await asked({ groups });
  /** @type {Map<number, string>} */
  const killed = new Map();
  let [first, at] = [1, 0];
  for (;;) {
    const answer = await asked({ path, text, names, first, count }, ({ number = at, killedBy }) => {
      at = number;
      if (killedBy) killed.set(number, killedBy);
    });
    if (!answer.failure || at === 0) return killed;
    killed.set(at, "no end");
    first = at + 1;
  }
}
