// npm run test:mutants [-- --host] [--file norm --file rules/] [--line "low | 0x"] [--sample 20] [--seed 1] [--seconds 10] [--tests windows --tests plan]
// Changes one token of a shader, or of the host, at a time and runs the conformance suite until a case fails, and for the host the unit
// tests. Every mutant of a shader has to be killed, or to be in equivalents.ts with the reason. All of them take hours. --sample: no more
// than so many of each file, the same for the same seed. Mutants that a group of functions could see share a text first: see together.ts.
// --file: how its name begins; files run in this order. --line: what the line has.
// --seconds: a mutant that has lived so long in the suite, in seconds of the process's own time, or in unit tests that take so long, is
// left undecided. --tests: of the host, these files of unit tests alone.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runnerImport, transformWithOxc } from "vite";
import { repository } from "../engines/packaged.mjs";
import { isUndecided, killedTogether, stopWorker, suiteFailure } from "./runs.mjs";
import { stopUnits, unitFailure } from "./units.mjs";

/** @typedef {import("./operators.ts").Mutant} Mutant */
/** @typedef {{ mutant: Mutant, verdict: "killed" | "survived" | "undecided" | "equivalent" | "invalid", why: string }} Outcome */

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

const VERDICTS = /** @type {const} */ (["killed", "survived", "undecided", "equivalent", "invalid"]);

/** @param {readonly Outcome[]} outcomes @param {readonly Mutant[]} all */
function printTable(outcomes, all) {
  const row = (/** @type {string} */ title, /** @type {readonly (string | number)[]} */ cells) =>
    console.log(title.padEnd(32), ...cells.map((cell) => String(cell).padStart(10)));
  row("file", ["mutants", "run", ...VERDICTS]);
  const count = (/** @type {(file: string) => boolean} */ isOf) => {
    const found = outcomes.filter(({ mutant }) => isOf(mutant.file));
    const verdicts = VERDICTS.map((wanted) => found.filter(({ verdict }) => verdict === wanted).length);
    return [all.filter(({ file }) => isOf(file)).length, found.length, ...verdicts];
  };
  for (const file of [...new Set(all.map(({ file }) => file))].sort()) {
    row(
      file,
      count((other) => other === file),
    );
  }
  row(
    "all",
    count(() => true),
  );
}

const { values } = parseArgs({
  options: {
    host: { type: "boolean", default: false },
    file: { type: "string", multiple: true, default: [""] },
    line: { type: "string", default: "" },
    sample: { type: "string" },
    seed: { type: "string", default: "1" },
    seconds: { type: "string", default: "Infinity" },
    tests: { type: "string", multiple: true },
  },
});

const { shaderFiles } = await load("vite.config.ts");
const { hostMutantsOf, mutated, shaderMutantsOf } = await load("test/mutants/operators.ts");
const { together } = await load("test/mutants/together.ts");
const { reasonOf } = await load("test/mutants/equivalents.ts");
const { directGroupsFor, groupsFor, hostRunsFor, unitTestsFor } = await load("test/mutants/groups.ts");

/** @returns {Map<string, string>} */
function hostFiles() {
  const paths = /** @type {string[]} */ (readdirSync(join(repository, "src"), { recursive: true }));
  const files = paths.filter((path) => path.endsWith(".ts")).sort();
  return new Map(files.map((file) => [file, readFileSync(join(repository, "src", file), "utf8")]));
}

/** @type {Map<string, string>} */
const texts = values.host ? hostFiles() : shaderFiles();
const mutantsOf = values.host ? hostMutantsOf : shaderMutantsOf;
const files = new Map(values.file.flatMap((begin) => [...texts].filter(([file]) => file.startsWith(begin))));
// Those of a file one after the other: the pipelines that the file is not part of are compiled once.
const chosen = [...files].map(([file, text]) => {
  /** @type {Mutant[]} */
  const all = mutantsOf(file, text);
  return all.filter(({ before }) => before.includes(values.line));
});
const all = chosen.flat();
const seconds = Number(values.seconds);
const most = Number(values.sample ?? Infinity);
const mutants = chosen.flatMap((list) => sampleOf(list, most, Number(values.seed)));
console.log(`${mutants.length} of ${all.length} mutants`);

/** @param {Mutant} mutant @param {number} seconds @returns {Promise<import("./suite.ts").Failure | undefined>} */
async function failureOf(mutant, seconds) {
  const { file } = mutant;
  const text = mutated(texts.get(file) ?? "", mutant);
  if (!values.host) {
    const path = join(repository, "shaders", `${file}.wgsl`);
    return suiteFailure({ file, path, text, engine: "node", groups: groupsFor(file), seconds });
  }
  /** @type {import("./suite.ts").Failure | undefined} */
  let undecided;
  for (const run of values.tests ? ["unit tests"] : hostRunsFor(file)) {
    const path = join(repository, "src", file);
    const failure =
      run === "unit tests"
        ? await unitFailure({ file, path, text, names: values.tests ?? unitTestsFor(file), seconds })
        : await suiteFailure({ file, path, text, seconds, ...run });
    if (failure && !isUndecided(failure)) return failure;
    undecided ??= failure;
  }
  return undecided;
}

/** Those that have been killed together with others, and by which case. @type {Map<Mutant, string>} */
const killedBefore = new Map();
/** More compile no faster: the time grows faster than their number. */
const MANY = 7;

/** @param {string} file @param {readonly Mutant[]} list */
async function killTogether(file, list) {
  const groups = directGroupsFor(file);
  if (groups.length === 0) return;
  const path = join(repository, "shaders", `${file}.wgsl`);
  const left = list.filter((mutant) => !reasonOf(mutant));
  for (let first = 0; first < left.length; first += MANY) {
    const { text, numbers } = together(texts.get(file) ?? "", left.slice(first, first + MANY));
    if (numbers.size === 0) continue;
    const killed = await killedTogether({ path, text, groups, count: numbers.size });
    for (const [mutant, number] of numbers) {
      const name = killed.get(number);
      if (name) killedBefore.set(mutant, name);
    }
  }
}

/** What a file of the host runs as: without types. @param {string} text */
async function erased(text) {
  return (await transformWithOxc(text, "file.ts")).code;
}

/** @param {Mutant} mutant */
async function changesTypesAlone(mutant) {
  const text = texts.get(mutant.file) ?? "";
  return values.host && (await erased(text)) === (await erased(mutated(text, mutant)));
}

/** @param {Mutant} mutant @returns {Promise<Outcome>} */
async function outcomeOf(mutant) {
  if (await changesTypesAlone(mutant).catch(() => true)) return { mutant, verdict: "invalid", why: "no code" };
  const reason = reasonOf(mutant);
  if (reason) return { mutant, verdict: "equivalent", why: reason };
  const name = killedBefore.get(mutant);
  if (name) return { mutant, verdict: "killed", why: `${name}, together` };
  const failure = await failureOf(mutant, seconds);
  if (!failure) return { mutant, verdict: "survived", why: "" };
  if (isUndecided(failure)) return { mutant, verdict: "undecided", why: "" };
  // What does not compile tests nothing.
  const isInvalid = /did not compile|ShaderModule|parsing WGSL|SyntaxError|Transform failed/.test(failure.error);
  const why = failure.error === "no end" ? `${failure.name}: no end` : failure.name;
  return { mutant, verdict: isInvalid ? "invalid" : "killed", why };
}

// Where nothing passes, without an adapter say, each mutant would count as killed.
const [first] = mutants;
const control = first && (await failureOf({ file: first.file, before: "", after: "", nth: 0 }, Math.min(seconds, 20)));
if (control && !isUndecided(control)) {
  console.log(`Without a change ${control.name} fails: ${control.error}\n0 passed, 1 failed`);
  process.exit(1);
}

/** @type {Outcome[]} */
const outcomes = [];
const done = new Set();
for (const mutant of mutants) {
  if (!values.host && !done.has(mutant.file)) {
    done.add(mutant.file);
    await killTogether(
      mutant.file,
      mutants.filter(({ file }) => file === mutant.file),
    );
  }
  const began = Date.now();
  const outcome = await outcomeOf(mutant);
  outcomes.push(outcome);
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  const change = `${mutant.before.trim()}  ->  ${mutant.after.trim()}`;
  console.log(`${outcome.verdict} ${mutant.file}: ${change}  [${outcome.why}] ${seconds} s`);
}
stopWorker();
await stopUnits();
printTable(outcomes, all);
const countOf = (/** @type {Outcome["verdict"]} */ wanted) =>
  outcomes.filter(({ verdict }) => verdict === wanted).length;
const survived = countOf("survived");
console.log(`${countOf("killed") + countOf("equivalent")} passed, ${survived} failed`);
process.exit(survived ? 1 : 0);
