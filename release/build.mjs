// Builds what the package ships: node release/build.mjs

import { chmodSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { writeTypes } from "./types.mjs";

const repository = fileURLToPath(new URL("..", import.meta.url));

/** @param {string} dist gets the JavaScript of every entry */
export async function buildScripts(dist) {
  // In this order: the entries for one side import the errors of the library.
  for (const mode of ["library", "webgpuOnly", "cpuOnly"]) {
    await build({ root: repository, mode, logLevel: "warn", build: { outDir: dist } });
  }
}

/** A tarball keeps the modes of its files. So that it has the same bytes under every umask, they are set. */
function setModes() {
  const built = readdirSync(join(repository, "dist"), { recursive: true, withFileTypes: true });
  const files = built.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  for (const file of [...files, ...["package.json", "README.md", "LICENSE"].map((name) => join(repository, name))]) {
    chmodSync(file, 0o644);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(join(repository, "dist"), { recursive: true, force: true });
  await buildScripts(join(repository, "dist"));
  await writeTypes(repository);
  setModes();
}
