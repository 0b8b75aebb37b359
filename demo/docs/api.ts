// The API reference as Markdown, from the TSDoc of the package's entries. Build time only.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { manifest, repositoryFolder } from "../shared/manifest.ts";

export interface ApiEntry {
  /** As it is imported: gradclip/tfjs. */
  readonly specifier: string;
  /** From src, without a suffix: adapters/tfjs. */
  readonly module: string;
  /** The page, in docs: api-tfjs.html. */
  readonly page: string;
}

/** gradclip/webgpu and gradclip/cpu export what gradclip does. */
export const apiEntries: readonly ApiEntry[] = Object.entries(manifest.exports).flatMap(([key, target]) => {
  if (typeof target === "string") return [];
  const module = target.default.replace(/^\.\/dist\/(.+)\.js$/, "$1");
  if (module.endsWith("Only")) return [];
  const specifier = manifest.name + key.slice(1);
  return [{ specifier, module, page: `api${key.slice(1).replace("/", "-")}.html` }];
});

/** By folder: several pages are made at once. */
const generated = new Map<string, Promise<void>>();

/** Markdown by module. The compiler takes seconds: what it made is kept until a source changes. */
export async function apiReference(): Promise<ReadonlyMap<string, string>> {
  const folder = join(repositoryFolder, ".cache/api", sourceDigest());
  const made = generated.get(folder) ?? (existsSync(folder) ? Promise.resolve() : generate(folder));
  generated.set(folder, made);
  await made;
  return new Map(apiEntries.map(({ module }) => [module, readFileSync(join(folder, `${module}.md`), "utf8")]));
}

function sourceDigest(): string {
  const digest = createHash("sha256");
  const source = join(repositoryFolder, "src");
  const files = (readdirSync(source, { recursive: true }) as string[]).filter((file) => file.endsWith(".ts")).sort();
  for (const path of [...files.map((file) => join(source, file)), import.meta.filename]) {
    digest.update(path).update(readFileSync(path));
  }
  return digest.digest("hex").slice(0, 16);
}

async function generate(folder: string): Promise<void> {
  const { Application } = await import("typedoc");
  const draft = `${folder}-${process.pid}`;
  const options = {
    entryPoints: apiEntries.map(({ module }) => join(repositoryFolder, "src", `${module}.ts`)),
    tsconfig: join(repositoryFolder, "tsconfig.build.json"),
    plugin: ["typedoc-plugin-markdown"],
    outputs: [{ name: "markdown", path: draft }],
    router: "module",
    readme: "none",
    logLevel: "Error",
    disableSources: true,
    excludeExternals: true,
    excludePrivate: true,
    excludeInternal: true,
    hidePageHeader: true,
    hidePageTitle: true,
    hideBreadcrumbs: true,
    groupOrder: ["Functions", "Interfaces", "Type Aliases", "Variables", "Classes"],
    parametersFormat: "table",
    interfacePropertiesFormat: "table",
    classPropertiesFormat: "table",
    typeDeclarationFormat: "table",
    propertyMembersFormat: "table",
    useCodeBlocks: true,
    // `npm test` checks the types.
    skipErrorChecking: true,
  };
  const application = await Application.bootstrapWithPlugins(options as never);
  const project = await application.convert();
  if (!project) throw new Error("TypeDoc could not read the sources.");
  await application.generateOutputs(project);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, ".."), { recursive: true });
  renameSync(draft, folder);
}
