// The packed package, and empty projects outside of the repository that install it.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { testLimit } from "../engines/limits.mjs";
import { ownFolder, repository } from "../engines/packaged.mjs";

/** What the projects are made in, outside of the repository, whose packages they must not find. */
export const base = ownFolder("gradclip-package", tmpdir());

const consumers = fileURLToPath(new URL("consumers", import.meta.url));

/**
 * @param {string} program @param {string[]} options @param {{ cwd?: string, env?: Record<string, string> }} [settings]
 * @returns what it prints
 * @throws with both outputs, if it fails
 */
export function output(program, options, { cwd = repository, env = {} } = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, options, {
    cwd,
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, ...env },
    encoding: "utf8",
    shell: process.platform === "win32",
    timeout: testLimit,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${[program, ...options].join(" ")} ended with ${status}:\n${stdout}\n${stderr}`);
  return stdout;
}

/** What no build takes, or takes as a link. */
const notCopied = [base, ...["node_modules", ".git", ".cache", "dist"].map((name) => join(repository, name))];

/** @returns {string} a copy of the sources: a tarball is built anew, and the repository's dist is in use meanwhile */
function copyOfSources() {
  const copy = mkdtempSync(join(base, "sources-"));
  cpSync(repository, copy, { recursive: true, filter: (path) => !notCopied.includes(path) });
  symlinkSync(join(repository, "node_modules"), join(copy, "node_modules"), "junction");
  return copy;
}

/** @param {number} umask of the process that packs @returns {string} the tarball */
export function packUnder(umask) {
  const folder = mkdtempSync(join(base, "pack-"));
  const before = process.umask(umask);
  try {
    output("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: copyOfSources() });
  } finally {
    process.umask(before);
  }
  const [name] = readdirSync(folder);
  if (!name) throw new Error("npm pack made no tarball.");
  return join(folder, name);
}

/** @type {string | undefined} */
let tarball;

export function packed() {
  tarball ??= packUnder(0o022);
  return tarball;
}

/**
 * An empty project that has installed the tarball, and all consumers of test/package/consumers.
 * @param {string[]} [packages] from the registry, "vite@8"
 */
export function project(packages = []) {
  const folder = mkdtempSync(join(base, "project-"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module", "private": true }\n');
  const offline = packages.length === 0 ? ["--offline"] : ["--prefer-offline"];
  output("npm", ["install", "--no-audit", "--no-fund", "--silent", ...offline, packed(), ...packages], { cwd: folder });
  cpSync(consumers, folder, { recursive: true });
  mkdirSync(join(folder, "out"));
  return folder;
}
