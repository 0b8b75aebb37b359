// The types, compiled by the users of test/package/consumers with each version of TypeScript.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "../engines/packaged.mjs";
import { project } from "./project.mjs";

const versions = ["5.4.5", "5.6.3", "5.9.3", "6.0.3", "7.0.2"];
const resolutions = /** @type {const} */ ([
  ["bundler", "esnext"],
  ["node16", "node16"],
  ["nodenext", "nodenext"],
]);

/** @type {string | undefined} */
let installed;

/** One project for all versions, each under its own name. */
function projectOfAll() {
  installed ??= project([
    "@webgpu/types",
    ...versions.map((version) => `typescript-${version}@npm:typescript@${version}`),
  ]);
  return installed;
}

/**
 * @param {string} folder @param {string} compiler
 * @param {{ resolution: readonly [string, string], hasTypes: boolean, files: string[] }} how
 * @returns the number of errors in other packages' files
 */
function compile(folder, compiler, { resolution: [moduleResolution, module], hasTypes, files }) {
  const compilerOptions = {
    moduleResolution,
    module,
    target: "es2022",
    lib: ["es2022", "dom"],
    types: hasTypes ? ["@webgpu/types"] : [],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    verbatimModuleSyntax: true,
    isolatedModules: true,
    noUncheckedIndexedAccess: true,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  const { stdout, stderr } = spawnSync(process.execPath, [compiler, "-p", ".", "--pretty", "false"], {
    cwd: folder,
    encoding: "utf8",
  });
  const errors = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("error TS"));
  const others = errors.filter((line) => /^node_modules\/(?!gradclip\/)|^\.\.|^\//.test(line));
  const ours = errors.filter((line) => !others.includes(line));
  if (ours.length > 0) throw new Error(ours.join("\n"));
  return others.length;
}

const files = ["everything.ts", "arrays.ts"];

/** @type {import("./tarball.mjs").Check[]} */
export const typeChecks = [
  {
    name: "types: with this repository's TypeScript, without @webgpu/types",
    run() {
      const compiler = join(repository, "node_modules/typescript/bin/tsc");
      const folder = project();
      for (const resolution of resolutions) compile(folder, compiler, { resolution, hasTypes: false, files });
    },
  },
  ...versions.flatMap((version) =>
    [true, false].map((hasTypes) => ({
      name: `types: TypeScript ${version} ${hasTypes ? "with" : "without"} @webgpu/types, in bundler, node16, nodenext`,
      needsRegistry: true,
      run() {
        const folder = projectOfAll();
        const compiler = join(folder, `node_modules/typescript-${version}/bin/tsc`);
        const others = resolutions.map((resolution) => compile(folder, compiler, { resolution, hasTypes, files }));
        const most = Math.max(...others);
        return most > 0 ? `0 errors; ${most} between @webgpu/types and TypeScript's own` : "0 errors";
      },
    })),
  ),
  {
    name: "types: the adapters, beside their engines",
    needsRegistry: true,
    run() {
      const engines = ["@tensorflow/tfjs-core@4", "@jax-js/jax@0.1", "doppler-gpu@0.5.1"];
      const folder = project([...engines, "@webgpu/types", "typescript@5.9.3"]);
      const compiler = join(folder, "node_modules/typescript/bin/tsc");
      const how = { resolution: resolutions[0], hasTypes: true, files: ["adapters.ts"] };
      return `${compile(folder, compiler, how)} errors in the engines' own types`;
    },
  },
];
