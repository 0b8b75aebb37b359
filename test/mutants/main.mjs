// npm run test:mutants [-- --host] [--file norm] [--sample 100] [--seed 1]
// Changes one token of a shader, or of the host, at a time and runs the conformance suite until a case fails, and for the host the unit
// tests. Every mutant of a shader has to be killed, or to be in equivalents.ts with the reason. All of them take hours: a sample is the
// same for the same seed.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runnerImport } from "vite";
import { repository } from "../engines/packaged.mjs";
import { bundleForShaders, hostFailure, shaderFailure } from "./runs.mjs";

/** @typedef {import("./operators.ts").Mutant} Mutant */
/** @typedef {{ mutant: Mutant, verdict: "killed" | "survived" | "equivalent" | "invalid", why: string }} Outcome */

/** @param {string} file @returns {Promise<any>} */
async function load(file) {
  const { module } = await runnerImport(join(repository, file), { configFile: false });
  return module;
}

/** @param {number} seed @returns {() => number} from 0 to 1, the same for the same seed */
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** @template T @param {readonly T[]} list @param {number} count @param {number} seed @returns {T[]} */
function sampleOf(list, count, seed) {
  const random = randomFrom(seed);
  const keyed = list.map((item) => ({ item, key: random() })).sort((a, b) => a.key - b.key);
  return keyed.slice(0, count).map(({ item }) => item);
}

/** @param {readonly Outcome[]} outcomes */
function printTable(outcomes) {
  const verdicts = /** @type {const} */ (["killed", "survived", "equivalent", "invalid"]);
  console.log("file".padEnd(32), ...verdicts.map((verdict) => verdict.padStart(10)));
  for (const file of [...new Set(outcomes.map(({ mutant }) => mutant.file))].sort()) {
    const counts = verdicts.map((wanted) => {
      const found = outcomes.filter(({ mutant, verdict }) => mutant.file === file && verdict === wanted);
      return String(found.length).padStart(10);
    });
    console.log(file.padEnd(32), ...counts);
  }
}

const { values } = parseArgs({
  options: {
    host: { type: "boolean", default: false },
    file: { type: "string", default: "" },
    sample: { type: "string" },
    seed: { type: "string", default: "1" },
  },
});

const { shaderFiles } = await load("vite.config.ts");
const { hostMutantsOf, mutated, shaderMutantsOf } = await load("test/mutants/operators.ts");
const { reasonOf } = await load("test/mutants/equivalents.ts");
const { groupsFor, hostRunsFor } = await load("test/mutants/groups.ts");

/** @returns {Map<string, string>} */
function hostFiles() {
  const paths = /** @type {string[]} */ (readdirSync(join(repository, "src"), { recursive: true }));
  const files = paths.filter((path) => path.endsWith(".ts") && !path.startsWith("adapters")).sort();
  return new Map(files.map((file) => [file, readFileSync(join(repository, "src", file), "utf8")]));
}

/** @type {Map<string, string>} */
const texts = values.host ? hostFiles() : shaderFiles();
const mutantsOf = values.host ? hostMutantsOf : shaderMutantsOf;
/** @type {Mutant[]} */
const all = [...texts].flatMap(([file, text]) => (file.startsWith(values.file) ? mutantsOf(file, text) : []));
const mutants = values.sample ? sampleOf(all, Number(values.sample), Number(values.seed)) : all;
console.log(`${mutants.length} of ${all.length} mutants`);
if (!values.host) await bundleForShaders(texts);

/** @param {Mutant} mutant @returns {Promise<string | undefined>} */
function failureOf(mutant) {
  if (values.host) return hostFailure(mutant, mutated, hostRunsFor(mutant.file));
  return shaderFailure(mutant.file, mutated(texts.get(mutant.file) ?? "", mutant), groupsFor(mutant.file));
}

/** @type {Outcome[]} */
const outcomes = [];
for (const mutant of mutants) {
  const reason = reasonOf(mutant);
  const why = reason ?? (await failureOf(mutant));
  // What does not compile tests nothing.
  const isInvalid = why !== undefined && /does not (build|compile)/.test(why);
  const verdict = reason ? "equivalent" : isInvalid ? "invalid" : why === undefined ? "survived" : "killed";
  outcomes.push({ mutant, verdict, why: why ?? "" });
  console.log(`${verdict} ${mutant.file}: ${mutant.before.trim()}  ->  ${mutant.after.trim()}  ${why ?? ""}`);
}
printTable(outcomes);
const survived = outcomes.filter(({ verdict }) => verdict === "survived").length;
console.log(`${outcomes.length - survived} passed, ${survived} failed`);
process.exit(survived ? 1 : 0);
