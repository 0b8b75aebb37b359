// Pages bundled by each bundler as its users start it, run in Node, and weighed.

import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { repository } from "../engines/packaged.mjs";
import { output, project } from "./project.mjs";

/** The pages, by the entry that they import from. */
const pages = { gradclip: "page.js", "gradclip/webgpu": "pageOfWebgpu.js", "gradclip/cpu": "pageOfCpu.js" };

/**
 * @typedef {{ name: string, packages: string[], files?: Record<string, string>, settings?: object, entries?: string[],
 *   command: (page: string) => string[] }} Bundler `settings` go into package.json
 */
/** @type {Bundler[]} each command writes into the folder out */
const bundlers = [
  {
    name: "Vite 8",
    packages: ["vite@8"],
    files: {
      "vite.mjs": `import { build } from "vite";
        const [input] = process.argv.slice(2);
        await build({ logLevel: "warn", build: { outDir: "out", modulePreload: false, target: "es2022", rolldownOptions: { input } } });`,
    },
    command: (page) => ["node", "vite.mjs", page],
  },
  {
    name: "webpack 5",
    packages: ["webpack@5", "webpack-cli@6"],
    command: (page) => ["webpack", "--mode", "production", "--entry", `./${page}`, "--output-path", "out"],
  },
  {
    name: "esbuild 0.28",
    packages: ["esbuild@0.28"],
    command: (page) => ["esbuild", page, "--bundle", "--minify", "--format=esm", "--outfile=out/page.js"],
  },
  {
    name: "Rollup 4 with terser",
    packages: ["rollup@4", "@rollup/plugin-node-resolve@16", "@rollup/plugin-terser@1"],
    command: (page) => ["rollup", page, "-p", "node-resolve", "-p", "terser", "-f", "es", "-o", "out/page.js"],
  },
  // As installed it looks at main, and not at exports.
  { name: "Parcel 2", packages: ["parcel@2"], entries: ["gradclip"], command: parcel },
  {
    name: "Parcel 2 with packageExports",
    packages: ["parcel@2"],
    settings: { "@parcel/resolver-default": { packageExports: true } },
    command: parcel,
  },
];

/** @param {string} page */
function parcel(page) {
  return ["parcel", "build", page.replace(".js", ".html"), "--no-source-maps", "--no-cache", "--dist-dir", "out"];
}

/** @param {string} folder */
function builtFiles(folder) {
  return readdirSync(join(folder, "out"), { recursive: true, encoding: "utf8" })
    .filter((file) => /\.m?js$/.test(file))
    .map((file) => join(folder, "out", file));
}

const sizePage = readFileSync(join(repository, "docs/size.md"), "utf8");

/** The numbers behind the row that begins with these words in docs/size.md. @param {string} first */
function numbersOf(first) {
  const row = sizePage.split("\n").find((line) => line.startsWith(`| ${first} |`));
  return [...(row ?? "").slice(first.length + 4).matchAll(/[-+]?\d+\.\d/g)].map(([number]) => Number(number));
}

/**
 * What docs/size.md says: the entry's size with Vite, and how far this bundler is from that.
 * @param {string} bundler @param {string} entry @param {number} kilobytes
 */
function expectListed(bundler, entry, kilobytes) {
  const [withVite = Number.NaN] = numbersOf(`\`${entry}\``);
  const difference = bundler.startsWith("Vite") ? 0 : numbersOf(bundler)[Object.keys(pages).indexOf(entry)];
  const listed = withVite + (difference ?? Number.NaN);
  if (Math.abs(kilobytes - listed) <= 0.3) return;
  throw new Error(
    `${entry} takes ${kilobytes.toFixed(1)} kB with ${bundler}, and docs/size.md says ${listed.toFixed(1)}.`,
  );
}

/** @param {Bundler} bundler */
function checkBundler({ name, packages, files = {}, settings = {}, entries = Object.keys(pages), command }) {
  const folder = project(packages);
  const manifest = join(folder, "package.json");
  writeFileSync(manifest, JSON.stringify({ ...JSON.parse(readFileSync(manifest, "utf8")), ...settings }));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  const chosen = Object.entries(pages).filter(([entry]) => entries.includes(entry));
  const sizes = chosen.map(([entry, page]) => {
    rmSync(join(folder, "out"), { recursive: true });
    output("npx", command(page), { cwd: folder });
    const built = builtFiles(folder);
    if (entry !== "gradclip/webgpu") expectClipped(built[0] ?? "", folder);
    const bytes = built.reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0);
    expectListed(name.replace(" with packageExports", ""), entry, bytes / 1000);
    return `${entry} ${(bytes / 1000).toFixed(1)}`;
  });
  return `kB, minified and gzipped: ${sizes.join(", ")}`;
}

/** @param {string} file @param {string} folder */
function expectClipped(file, folder) {
  const printed = output(process.execPath, [file], { cwd: folder }).trim();
  if (printed !== "5 0.6000") throw new Error(`The page printed ${JSON.stringify(printed)}, not "5 0.6000".`);
}

/** @type {import("./tarball.mjs").Check[]} */
export const bundlerChecks = bundlers.map((bundler) => ({
  name: `bundlers: ${bundler.name}`,
  needsRegistry: true,
  run: () => checkBundler(bundler),
}));
