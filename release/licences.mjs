// npm run licences: the licences of what is shipped and of what only builds and tests, and a failure for a package without one.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("..", import.meta.url));

/** @typedef {{ name: string, version: string, license?: string, dependencies?: Record<string, string> }} Package */

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

/** The packages that the site's modules for pages import, with all that these depend on. */
function shippedInSite(/** @type {Package[]} */ packages) {
  const byName = new Map(packages.map((one) => [one.name, one]));
  const texts = ["demo", "bench"].flatMap((folder) =>
    readdirSync(join(repository, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => readFileSync(join(repository, folder, file), "utf8"))
      .filter((text) => !/from "(node:|vite")/.test(text)),
  );
  const imported = texts.flatMap((text) =>
    [...text.replace(/^import type .*$/gm, "").matchAll(/(?:from|import)\s*\(?\s*"((?:@[^/"]+\/)?[^./"][^/"]*)/g)].map(
      ([, name = ""]) => name,
    ),
  );
  const shipped = new Set(imported.filter((name) => byName.has(name)));
  for (const name of shipped) for (const next of Object.keys(byName.get(name)?.dependencies ?? {})) shipped.add(next);
  return packages.filter(({ name }) => shipped.has(name));
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
const inSite = shippedInSite(packages);
list("The site, with the digits of UCI (CC BY 4.0), may have code of:", inSite);
list(
  "Only for building and testing:",
  packages.filter((one) => !inSite.includes(one)),
);
const without = packages.filter(({ license }) => !license);
if (without.length > 0) {
  console.error(`\nWithout a licence: ${without.map(({ name }) => name).join(", ")}`);
  process.exit(1);
}
