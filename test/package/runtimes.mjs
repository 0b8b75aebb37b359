// The package in Node, Deno and Bun.

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bunPath } from "../engines/bun.mjs";
import { denoEnvironment, denoPath } from "../engines/deno.mjs";
import { repository, vulkanEnvironment } from "../engines/packaged.mjs";
import { output, project } from "./project.mjs";

const platform = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;

/** @param {string} printed */
function expectFive(printed) {
  if (printed.trim().split("\n").at(-1) !== "5 0.6000") throw new Error(`It printed ${printed}`);
}

/** @param {string} node @param {string} folder */
function clipInNode(node, folder) {
  expectFive(output(node, ["page.js"], { cwd: folder }));
  output(node, ["required.cjs"], { cwd: folder });
  // What makes a device in Node.
  const webgpu = pathToFileURL(join(repository, "node_modules/webgpu/index.js")).href;
  expectFive(output(node, ["onNode.js", webgpu], { cwd: folder, env: vulkanEnvironment() }));
  return output(node, ["--version"]).trim();
}

/** @type {import("./tarball.mjs").Check[]} */
export const runtimeChecks = [
  { name: "runtimes: this Node, arrays and a device", run: () => clipInNode(process.execPath, project()) },
  ...["20", "22", "24"].map((version) => ({
    name: `runtimes: Node ${version}, arrays and a device`,
    needsRegistry: true,
    run() {
      const folder = project([`${platform}@${version}`]);
      return clipInNode(join(folder, "node_modules", platform, "bin/node"), folder);
    },
  })),
  {
    name: "runtimes: Deno, arrays, its own device, and its types",
    run() {
      const settings = { cwd: project(), env: { ...vulkanEnvironment(), ...denoEnvironment } };
      const options = ["--no-lock", "--no-remote"];
      expectFive(output(denoPath(), ["run", "-A", ...options, "page.js"], settings));
      expectFive(output(denoPath(), ["run", "-A", "--unstable-webgpu", ...options, "onDeno.js"], settings));
      output(denoPath(), ["check", ...options, "everything.ts", "arrays.ts"], settings);
      return output(denoPath(), ["--version"]).split("\n")[0];
    },
  },
  {
    name: "runtimes: Bun, arrays, and its bundler",
    run() {
      const cwd = project();
      expectFive(output(bunPath(), ["page.js"], { cwd }));
      output(bunPath(), ["build", "page.js", "--minify", "--outfile=out/page.js"], { cwd });
      expectFive(output(bunPath(), ["out/page.js"], { cwd }));
      return output(bunPath(), ["--version"]).trim();
    },
  },
];
