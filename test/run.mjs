// npm test [-- --only step]: every check, one after another, and a last line "N passed, N failed".
// Firefox comes from no npm package: where it is not installed its leg is left out, unless GRADCLIP_ENGINES=all asks for it.

import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { findFirefox } from "./engines/firefox.mjs";
import { cache, repository } from "./engines/packaged.mjs";

/** @typedef {{ passed: number, failed: number }} Counts */
/** @typedef {{ name: string, title: string, command: string[], count?: (output: string) => Counts }} Step */

const minutesPerStep = 20;

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
  };
}

/** @param {string} project @param {string} title @returns {Step} */
function vitest(project, title) {
  const report = join(cache, `vitest-${project}.json`);
  return {
    name: project,
    title,
    command: ["vitest", "run", "--project", project, "--reporter=default", "--reporter=json", `--outputFile=${report}`],
    count() {
      const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, "utf8"));
      rmSync(report);
      return { passed: numPassedTests, failed: numFailedTests };
    },
  };
}

/** @type {Step[]} */
const steps = [
  { name: "lint", title: "Lint and format", command: ["biome", "ci", "--error-on-warnings", "--colors=off"] },
  { name: "types", title: "Types", command: ["tsc", "--noEmit"] },
  { name: "build", title: "Library build", command: ["npm", "run", "--silent", "build"] },
  vitest("unit", "Unit tests"),
  conformance("cpu"),
  conformance("node"),
  conformance("chromium"),
  conformance("deno"),
  conformance("firefox"),
  vitest("pages", "Page tests"),
];

/** @param {string[]} command @returns {Promise<{ code: number | null, output: string }>} */
function execute([program = "", ...rest]) {
  const PATH = [join(repository, "node_modules", ".bin"), process.env.PATH].join(delimiter);
  const child = spawn(program, rest, {
    cwd: repository,
    env: { ...process.env, PATH, NO_COLOR: "1", FORCE_COLOR: undefined },
    stdio: ["ignore", "pipe", "inherit"],
    shell: process.platform === "win32",
    timeout: minutesPerStep * 60_000,
  });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
    process.stdout.write(chunk);
  });
  return new Promise((resolve) => {
    child.on("error", (error) => resolve({ code: null, output: `${error}` }));
    child.on("close", (code) => resolve({ code, output }));
  });
}

/** @param {Step} step @returns {Promise<Counts>} */
async function runStep({ command, count }) {
  const { code, output } = await execute(command);
  let counts = { passed: 0, failed: 0 };
  try {
    counts = count ? count(output) : { passed: code === 0 ? 1 : 0, failed: 0 };
  } catch (error) {
    console.log(`No result: ${error}`);
    counts.failed = 1;
  }
  // A crash, or a file that does not load, is no failed test to the runner.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

/** @param {number} start */
const seconds = (start) => `${((performance.now() - start) / 1000).toFixed(1)} s`;

const { only } = parseArgs({ options: { only: { type: "string" } } }).values;
const withFirefox = only === "firefox" || process.env.GRADCLIP_ENGINES === "all" || findFirefox();
const chosen = steps.filter(({ name }) => (only ? name === only : name !== "firefox" || withFirefox));
if (chosen.length === 0) {
  console.error(`--only must be one of ${steps.map(({ name }) => name).join(", ")}.`);
  process.exit(2);
}

mkdirSync(cache, { recursive: true });
const start = performance.now();
const total = { passed: 0, failed: 0 };
const summary = [];
for (const step of chosen) {
  console.log(`\n== ${step.title}`);
  const stepStart = performance.now();
  const { passed, failed } = await runStep(step);
  total.passed += passed;
  total.failed += failed;
  const columns = [step.title.padEnd(24), `${passed} passed`.padStart(12), `${failed} failed`.padStart(10)];
  summary.push([...columns, seconds(stepStart).padStart(9)].join(" "));
}
if (total.passed + total.failed === 0) {
  console.log("Nothing ran.");
  total.failed = 1;
}
if (!only && !withFirefox) summary.push("Firefox is not installed: its leg is not run");
console.log(`\n${summary.join("\n")}\n${seconds(start)} in all\n\n${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed ? 1 : 0);
