// The address of the repository is in one place, package.json's "repository": homepage and bugs follow from it, and what needs
// an address reads it there.
//   npm run address -- https://github.com/owner/name   writes it
//   npm run address -- --check                          stops a release that has none

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const command = "npm run address -- https://github.com/owner/name";

/**
 * What package.json says of an address.
 * @param {string} address as a browser shows it
 */
export function fieldsFor(address) {
  const page = address.replace(/\/+$/, "");
  if (!/^https:\/\/[^/\s]+\/[^/\s]+\/[^/\s]+$/.test(page)) {
    throw new Error(
      `The address ${JSON.stringify(address)} is not of the form https://host/owner/name; pass such a one.`,
    );
  }
  return {
    repository: { type: "git", url: `git+${page}.git` },
    homepage: `${page}#readme`,
    bugs: { url: `${page}/issues` },
  };
}

/**
 * The page of the repository, or undefined where it is not decided.
 * @param {{ repository?: { url?: string } }} manifest
 */
export function addressOf({ repository }) {
  return repository?.url?.replace(/^git\+/, "").replace(/\.git$/, "");
}

/**
 * Why a release must stop, as a sentence; undefined if it may go on.
 * @param {{ repository?: { url?: string }, homepage?: string, bugs?: { url?: string } }} manifest
 */
export function missingIn(manifest) {
  const address = addressOf(manifest);
  if (address === undefined) {
    return `package.json has no "repository", and a release needs its address for links, images and provenance; run ${command}.`;
  }
  const { homepage, bugs } = fieldsFor(address);
  if (manifest.homepage !== homepage || manifest.bugs?.url !== bugs.url) {
    return `package.json's "homepage" and "bugs" do not follow from its "repository"; run ${command}.`;
  }
  return undefined;
}

function main() {
  const file = join(process.cwd(), "package.json");
  const manifest = JSON.parse(readFileSync(file, "utf8"));
  const [argument = ""] = process.argv.slice(2);
  if (argument !== "--check") {
    writeFileSync(file, `${JSON.stringify({ ...manifest, ...fieldsFor(argument) }, null, 2)}\n`);
    return;
  }
  const missing = missingIn(manifest);
  if (missing !== undefined) throw new Error(missing);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    main();
  } catch (error) {
    console.error(/** @type {Error} */ (error).message);
    process.exit(1);
  }
}
