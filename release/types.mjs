// Writes one .d.ts for each entry, with everything that it names and nothing else.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";
import ts from "typescript";

const repository = fileURLToPath(new URL("..", import.meta.url));
const manifest = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));

/** The types of WebGPU that entries name, with members that every source of them has alike. */
const standIns = {
  GPUBuffer: "readonly size: number; readonly usage: number",
  GPUCommandEncoder: "label: string",
  GPUComputePassEncoder: "label: string",
  GPUDevice: "label: string",
};

/** @param {string} code of a .d.ts */
function standInsFor(code) {
  const named = Object.entries(standIns).filter(([name]) => new RegExp(`\\b${name}\\b`).test(code));
  if (named.length === 0) return "";
  return `
// TypeScript 6 has the types of WebGPU in its "dom" library, and @webgpu/types has them for earlier versions. With either, these
// merge and add nothing. Without, they stand in, so that arrays can be clipped.
declare global {
${named.map(([name, members]) => `    interface ${name} { ${members} }`).join("\n")}
}
`;
}

/**
 * The sources are compiled without exactOptionalPropertyTypes: there, an optional property takes undefined. For users that
 * compile with it, this says so.
 * @param {string} code of a .d.ts
 */
function withUndefined(code) {
  const source = ts.createSourceFile("entry.d.ts", code, ts.ScriptTarget.Latest);
  /** @type {{ at: number, text: string }[]} */
  const inserted = [];
  /** @param {ts.Node} node */
  const visit = (node) => {
    if (ts.isPropertySignature(node) && node.questionToken && node.type) {
      const isOpen = ts.isFunctionTypeNode(node.type) || ts.isConditionalTypeNode(node.type);
      if (isOpen) inserted.push({ at: node.type.getStart(source), text: "(" });
      inserted.push({ at: node.type.end, text: `${isOpen ? ")" : ""} | undefined` });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  // From the last on, as each shifts what follows it.
  return inserted
    .sort((a, b) => b.at - a.at)
    .reduce((text, { at, text: piece }) => text.slice(0, at) + piece + text.slice(at), code);
}

/** @param {string} folder with the declarations of every source */
function declareIn(folder) {
  const compiler = join(repository, "node_modules/typescript/bin/tsc");
  const options = ["-p", join(repository, "tsconfig.build.json"), "--outDir", folder];
  const { status, stdout } = spawnSync(process.execPath, [compiler, ...options], { cwd: repository, encoding: "utf8" });
  if (status !== 0) throw new Error(`The declarations have errors:\n${stdout}`);
}

/** @param {string} packageFolder gets the files that package.json's exports name */
export async function writeTypes(packageFolder) {
  mkdirSync(join(repository, ".cache"), { recursive: true });
  const declarations = mkdtempSync(join(repository, ".cache/types-"));
  try {
    declareIn(declarations);
    for (const { types } of Object.values(manifest.exports).filter((target) => target.types)) {
      const bundle = await rollup({
        input: join(declarations, types.slice("./dist/".length)),
        external: Object.keys(manifest.peerDependencies).map((peer) => new RegExp(`^${peer}(/|$)`)),
        plugins: [
          dts({ tsconfig: join(repository, "tsconfig.build.json") }),
          { name: "finish", renderChunk: (code) => withUndefined(code) + standInsFor(code) },
        ],
      });
      await bundle.write({ file: join(packageFolder, types) });
      await bundle.close();
    }
  } finally {
    rmSync(declarations, { recursive: true });
  }
}
