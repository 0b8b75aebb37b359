// node release/version.mjs v0.2.0: fails unless the tag, package.json and the newest entry of CHANGELOG.md are one version.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * @param {string} tag @param {{ version: string }} manifest @param {string} changelog
 * @returns what is wrong, as a sentence
 */
export function otherVersion(tag, { version }, changelog) {
  const newest = /^## (\d+\.\d+\.\d+)/m.exec(changelog)?.[1];
  if (tag === `v${version}` && newest === version) return undefined;
  return `The tag is ${tag}, package.json has ${version} and CHANGELOG.md begins with ${newest}; give all three one version.`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const textOf = (/** @type {string} */ name) => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
  const wrong = otherVersion(process.argv[2] ?? "", JSON.parse(textOf("package.json")), textOf("CHANGELOG.md"));
  if (wrong) {
    console.error(wrong);
    process.exit(1);
  }
}
