/** The package as its users get it: built, in the node_modules of a folder of .cache. */
import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Rolldown } from "vite";
import { buildScripts } from "../../release/build.mjs";
import { writeTypes } from "../../release/types.mjs";
import { cache, repository } from "../engines/packaged.mjs";

const manifest = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));

/**
 * What `npm run build` makes; `npm test` has just run it, and says so. @param user the folder's name. @returns where the package is.
 */
export async function builtPackage(user: string): Promise<string> {
  const folder = join(cache, user, "node_modules", manifest.name);
  rmSync(join(cache, user), { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const file of ["package.json", "README.md", "LICENSE"]) copyFileSync(join(repository, file), join(folder, file));
  if (process.env.GRADCLIP_BUILT) {
    const isPart = (path: string) => !/[\\/]site$/.test(path);
    cpSync(join(repository, "dist"), join(folder, "dist"), { recursive: true, filter: isPart });
    return folder;
  }
  await buildScripts(join(folder, "dist"));
  return folder;
}

/** The library in one file of this folder of .cache, which any runtime loads. @returns its path. */
export async function libraryIn(user: string): Promise<string> {
  const output = await build({
    root: repository,
    mode: "library",
    logLevel: "warn",
    build: { write: false, sourcemap: false, lib: { entry: join(repository, "src/index.ts"), formats: ["es"] } },
  });
  const [chunk] = (output as Rolldown.RolldownOutput[])[0]?.output ?? [];
  const file = join(cache, user, "gradclip.mjs");
  mkdirSync(join(cache, user), { recursive: true });
  writeFileSync(file, (chunk as Rolldown.OutputChunk).code);
  return file;
}

/** The types beside it. */
export const addTypes = writeTypes;

/** @throws with what the compiler says, but for what it says of other packages' types. */
export function compile(...options: string[]): void {
  const compiler = join(repository, "node_modules/typescript/bin/tsc");
  const { stdout } = spawnSync(process.execPath, [compiler, ...options], { cwd: repository, encoding: "utf8" });
  const errors = stdout.split("\n").filter((line) => line.trim() && !/^node_modules\/@|^ /.test(line));
  if (errors.length > 0) throw new Error(errors.join("\n"));
}

/** The file of an export: ".", "./webgpu". */
export function fileOf(folder: string, key: string): string {
  return join(folder, manifest.exports[key].default);
}

export const exported: readonly string[] = Object.keys(manifest.exports).filter((key) => key !== "./package.json");
