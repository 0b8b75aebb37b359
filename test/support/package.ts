/** The package as its users get it: built, in the node_modules of a folder of .cache. */
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
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

/**
 * Of the sources in a folder, with the types of the package in it. What other packages and the libraries declare is read, but not
 * checked in itself, which takes three times as long.
 * @throws with what the compiler says
 */
export function compile(folder: string, file: string, options: object): void {
  const { options: checked, errors } = ts.convertCompilerOptionsFromJson(options, folder);
  const program = ts.createProgram([join(folder, file)], checked);
  const own = program
    .getSourceFiles()
    .filter(({ fileName }) => fileName.startsWith(`${folder.replaceAll("\\", "/")}/`));
  // The package has files of its own for each entry that is imported.
  if (own.length < 2) throw new Error(`${file} imports nothing of ${folder}.`);
  const found = [
    ...errors,
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...own.flatMap((source) => [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]),
  ];
  if (found.length > 0) throw new Error(ts.formatDiagnostics(found, ts.createCompilerHost(checked)));
}

/** The file of an export: ".", "./webgpu". */
export function fileOf(folder: string, key: string): string {
  return join(folder, manifest.exports[key].default);
}

export const exported: readonly string[] = Object.keys(manifest.exports).filter((key) => key !== "./package.json");
