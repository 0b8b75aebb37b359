// npm test [-- --only step]: every check, in groups, and a last line "N passed, N failed".
// Firefox comes from no npm package, and Bun's WebGPU for few platforms: where they are not installed their legs are left
// out, unless GRADCLIP_ENGINES=all asks for them.

import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { hasBunWebGpu } from "./engines/bun.mjs";
import { findFirefox } from "./engines/firefox.mjs";
import { limit } from "./engines/limits.mjs";
import { cache } from "./engines/packaged.mjs";
import { endAll, execute } from "./support/execute.mjs";

/** @typedef {{ passed: number, failed: number }} Counts */
/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string} title
 * @property {string[]} command
 * @property {(output: string) => Counts} [count]
 * @property {() => Promise<void>} [begins]
 * @property {true} [isMostlyWaiting] it runs beside the others
 */

/** How many steps of a group run at once, beside those that mostly wait: each keeps less than one processor core busy, as it waits for its device or its browser. */
const together = Math.min(3, availableParallelism() + 1);

/** @param {string} output ends with "N passed, N failed" */
function fromLastLine(output) {
  const [, passed, failed] = output.trimEnd().match(/(?:^|\n)(\d+) passed, (\d+) failed$/) ?? [];
  return { passed: Number(passed ?? 0), failed: Number(failed ?? 1) };
}

/** @param {string} engine @returns {Step} */
function conformance(engine) {
  return {
    name: engine,
    title: `Conformance: ${engine}`,
    command: [process.execPath, "test/conformance.mjs", "--engine", engine],
    count: fromLastLine,
    // Firefox looks ten times a second for what was read from a buffer.
    ...(engine === "firefox" && { begins: firefoxInstalled, isMostlyWaiting: true }),
  };
}

/** .ci/run installs Firefox while other steps run, and makes this file when it has ended. */
async function firefoxInstalled() {
  const { GRADCLIP_FIREFOX_INSTALLED: file } = process.env;
  while (file && !existsSync(file)) await setTimeout(500);
}

/** @param {string} name @param {string} title @param {string[]} projects @returns {Step} */
function vitest(name, title, projects = [name]) {
  const report = join(cache, `vitest-${name}.json`);
  const chosen = projects.flatMap((project) => ["--project", project]);
  return {
    name,
    title,
    command: ["vitest", "run", ...chosen, "--reporter=default", "--reporter=json", `--outputFile=${report}`],
    count() {
      const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, "utf8"));
      rmSync(report);
      return { passed: numPassedTests, failed: numFailedTests };
    },
  };
}

/**
 * A group begins when the one before it has ended. Each step's output is shown when it ends. The longest steps are first, so that
 * no core is left without one at the end.
 * @type {Step[][]}
 */
const groups = [
  [{ name: "build", title: "Library build", command: ["npm", "run", "--silent", "build"] }],
  [
    conformance("firefox"),
    vitest("pages", "Page tests"),
    ...["node", "deno"].map(conformance),
    vitest("unit", "Unit tests", ["unit", "alone"]),
    vitest("engines", "Unit tests on engines"),
    vitest("gpu", "Unit tests on a GPU"),
    ...["chromium", "bun", "cpu"].map(conformance),
    // Of TypeScript 7, which takes a quarter of the time. Both packages have a program of this name.
    { name: "types", title: "Types", command: [process.execPath, "node_modules/typescript-7/bin/tsc", "--noEmit"] },
    { name: "lint", title: "Lint and format", command: ["biome", "ci", "--error-on-warnings", "--colors=off"] },
    // Without what needs the registry: npm run test:package has that.
    {
      name: "package",
      title: "Packed package",
      command: [process.execPath, "test/package.mjs", "--quick"],
      count: fromLastLine,
    },
  ],
];

/** Whether dist is what the sources make. */
let isBuilt = false;

/** @typedef {Counts & { title: string, seconds: number }} Outcome */
/** @param {Step} step @param {boolean} isShown @returns {Promise<Outcome>} */
async function runStep({ name, title, command, count, begins }, isShown) {
  await begins?.();
  if (isShown) console.log(`\n== ${title}`);
  const start = performance.now();
  const { code, output, errors } = await execute(command, { isShown, isBuilt, patience: limit(700) });
  if (!isShown) console.log(`\n== ${title}\n${errors}${output.trimEnd()}`);
  else if (errors) console.log(errors);
  let counts = { passed: 0, failed: 0 };
  try {
    counts = count ? count(output) : { passed: code === 0 ? 1 : 0, failed: 0 };
  } catch (error) {
    console.log(`No result: ${error}`);
    counts.failed = 1;
  }
  // A crash, or a file that does not load, is no failed test to the runner.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  if (name === "build") isBuilt = code === 0;
  return { ...counts, title, seconds: (performance.now() - start) / 1000 };
}

/** @param {Step[]} group @returns {Promise<Outcome[]>} in the order in which they end */
async function runGroup(group) {
  /** @type {Outcome[]} */
  const outcomes = [];
  const run = async (/** @type {Step} */ step) => {
    outcomes.push(await runStep(step, chosen.flat().length === 1));
  };
  const waiting = group.filter(({ isMostlyWaiting }) => !isMostlyWaiting);
  const runOneByOne = async () => {
    for (let step = waiting.shift(); step; step = waiting.shift()) await run(step);
  };
  const beside = group.filter(({ isMostlyWaiting }) => isMostlyWaiting).map(run);
  await Promise.all([...beside, ...Array.from({ length: together }, runOneByOne)]);
  return outcomes;
}

const { only } = parseArgs({ options: { only: { type: "string" } } }).values;
const isThere = { firefox: Boolean(findFirefox()), bun: hasBunWebGpu() };
const leftOut = Object.entries(isThere).flatMap(([name, here]) =>
  here || name === only || process.env.GRADCLIP_ENGINES === "all" ? [] : [name],
);
const isChosen = (/** @type {Step} */ { name }) => (only ? name === only : !leftOut.includes(name));
const chosen = groups.map((group) => group.filter(isChosen));
if (chosen.flat().length === 0) {
  const names = groups.flatMap((group) => group.map(({ name }) => name));
  console.error(`--only must be one of ${names.join(", ")}.`);
  process.exit(2);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    endAll();
    process.exit(1);
  });
}

mkdirSync(cache, { recursive: true });
const start = performance.now();
const total = { passed: 0, failed: 0 };
const summary = [];
for (const group of chosen) {
  for (const { title, passed, failed, seconds } of await runGroup(group)) {
    total.passed += passed;
    total.failed += failed;
    const columns = [title.padEnd(24), `${passed} passed`.padStart(12), `${failed} failed`.padStart(10)];
    summary.push([...columns, `${seconds.toFixed(1)} s`.padStart(9)].join(" "));
  }
}
if (total.passed + total.failed === 0) {
  console.log("Nothing ran.");
  total.failed = 1;
}
if (!only) summary.push(...leftOut.map((name) => `Not installed, so that its leg is not run: ${name}`));
console.log(
  `\n${summary.join("\n")}\n${((performance.now() - start) / 1000).toFixed(1)} s in all\n\n${total.passed} passed, ${total.failed} failed`,
);
process.exit(total.failed ? 1 : 0);
