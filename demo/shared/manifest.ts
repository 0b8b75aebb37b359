// What the site says of the package, from package.json and docs/size.md. Build time only.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";

export const repositoryFolder = resolve(import.meta.dirname, "../..");

interface Manifest {
  name: string;
  version: string;
  description: string;
  license: string;
  homepage?: string;
  repository?: string | { url: string };
  exports: Record<string, { default: string } | string>;
}

export function readText(path: string): string {
  return readFileSync(resolve(repositoryFolder, path), "utf8");
}

export const manifest: Manifest = JSON.parse(readText("package.json"));

/** The address of the repository's page, or undefined while package.json has none. */
export function repositoryPage({ repository } = manifest): string | undefined {
  const url = typeof repository === "string" ? repository : repository?.url;
  if (!url) return undefined;
  const short = /^(?:github:)?([\w.-]+\/[\w.-]+)$/.exec(url)?.[1];
  if (short) return `https://github.com/${short}`;
  const page = url.replace(/^git\+/, "").replace(/^(?:git|ssh):\/\/(?:git@)?/, "https://");
  return page.replace(/\.git$/, "");
}

/** kB of a page that imports `gradclip` as the pages show it, minified and gzipped: a test holds docs/size.md to the built package. */
export function sizeInKilobytes(): number {
  const row = /^\| `gradclip` \| ([\d.]+) \|/m.exec(readText("docs/size.md"));
  if (!row) throw new Error("docs/size.md has no row for gradclip.");
  return Math.round(Number(row[1]));
}
