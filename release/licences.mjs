// npm run licences: the licences of what is shipped and of what only builds and tests, and a failure for a package without one.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const repository = fileURLToPath(new URL("..", import.meta.url));
const configFile = join(repository, "vite.config.ts");

/** @typedef {{ name: string, version: string, license?: string }} Package */

/** @returns {Package[]} */
function installed() {
  const { stdout } = spawnSync("npm", ["query", "*"], {
    cwd: repository,
    encoding: "utf8",
    maxBuffer: 1e9,
    shell: process.platform === "win32",
  });
  return JSON.parse(stdout).filter((/** @type {{ location: string }} */ { location }) => location !== "");
}

/** The packages whose code or files are in the built site, of which nothing is written. */
async function packagesInSite() {
  const built = await build({ configFile, mode: "site", logLevel: "error", build: { write: false } });
  const outputs = /** @type {import("vite").Rolldown.RolldownOutput[]} */ ([built].flat());
  const files = outputs.flatMap(({ output }) =>
    output.flatMap((file) => (file.type === "chunk" ? file.moduleIds : file.originalFileNames)),
  );
  const names = files.map((file) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1]);
  return new Set(names.filter((name) => name !== undefined));
}

/** @param {string} title @param {Package[]} packages */
function list(title, packages) {
  console.log(`\n${title}`);
  const byLicence = groupBy(packages);
  for (const [licence, those] of [...byLicence].sort((a, b) => b[1].length - a[1].length)) {
    const names = those.map(({ name, version }) => `${name} ${version}`).sort();
    console.log(`  ${licence} (${names.length}): ${names.join(", ")}`);
  }
}

/** @param {Package} one */
const licenceOf = ({ license }) => license ?? "none";

/** @param {Package[]} packages @returns {Map<string, Package[]>} */
function groupBy(packages) {
  /** @type {Map<string, Package[]>} */
  const groups = new Map();
  for (const one of packages) groups.set(licenceOf(one), [...(groups.get(licenceOf(one)) ?? []), one]);
  return groups;
}

const packages = installed();
const manifest = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
console.log(`The package ${manifest.name}: ${manifest.license}, with no dependency.`);
const namesInSite = await packagesInSite();
const inSite = packages.filter(({ name }) => namesInSite.has(name));
list("The site, with the digits of UCI (CC BY 4.0), has code of:", inSite);
list(
  "Only for building and testing:",
  packages.filter((one) => !inSite.includes(one)),
);
const without = packages.filter(({ license }) => !license);
if (without.length > 0) {
  console.error(`\nWithout a licence: ${without.map(({ name }) => name).join(", ")}`);
  process.exit(1);
}
