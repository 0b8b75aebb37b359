// npm run test:package [-- --quick] [-- --only words]: the packed package in empty projects, and a last line
// "N passed, N failed". --quick leaves out what takes packages from the registry.

import { setImmediate } from "node:timers/promises";
import { parseArgs } from "node:util";
import { browserChecks } from "./package/browser.mjs";
import { bundlerChecks } from "./package/bundlers.mjs";
import { runtimeChecks } from "./package/runtimes.mjs";
import { tarballChecks } from "./package/tarball.mjs";
import { typeChecks } from "./package/types.mjs";

const { quick, only = "" } = parseArgs({ options: { quick: { type: "boolean" }, only: { type: "string" } } }).values;
const all = [...tarballChecks, ...typeChecks, ...runtimeChecks, ...bundlerChecks, ...browserChecks];
const chosen = all.filter(({ name, needsRegistry }) => name.includes(only) && !(quick && needsRegistry));
if (chosen.length === 0) {
  console.error(`--only must be in one of these names:\n${all.map(({ name }) => name).join("\n")}`);
  process.exit(2);
}

let failed = 0;
for (const { name, run } of chosen) {
  // A check waits for its programs without a turn of the event loop, which a signal needs to end this process.
  await setImmediate();
  const start = performance.now();
  try {
    const figure = await run();
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(`ok    ${name}${figure ? `: ${figure}` : ""} (${seconds} s)`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${name}\n${/** @type {Error} */ (error).message}`);
  }
}
console.log(`\n${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
