/** Pages of our own on a server of our own: a script, bundled with the library, and whatever pages and headers a test needs. */
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "vite";
import { ownPackage, strippedShaders } from "../../vite.config.ts";
import { serveFolder } from "../engines/chromium.mjs";
import { cache, repository } from "../engines/packaged.mjs";

export interface Places {
  readonly url: string;
  close(): Promise<void>;
}

/** A page that does nothing but load page.js. */
export const BARE_PAGE =
  '<!doctype html><title>A page</title><link rel=icon href=data:,><script type="module" src="page.js"></script>';

/**
 * @param name of the folder: what has the same name has the same script and files.
 * @param script under test/, such as "places/clips.ts": its bundle is clips.js.
 * @param files by their names.
 * @param headers with every answer.
 */
export async function served(
  name: string,
  script: string,
  files: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Places> {
  const folder = join(cache, name);
  written.set(name, written.get(name) ?? write(folder, script, files));
  await written.get(name);
  return serveFolder(folder, { ...headers });
}

/** The folders of this process, by name: other headers need no other build. */
const written = new Map<string, Promise<void>>();

async function write(folder: string, script: string, files: Readonly<Record<string, string>>): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  await build({
    configFile: false,
    root: repository,
    logLevel: "warn",
    publicDir: false,
    resolve: ownPackage,
    plugins: [strippedShaders()],
    build: {
      lib: { entry: join(repository, "test", script), formats: ["es"], fileName: basename(script, ".ts") },
      outDir: folder,
      emptyOutDir: false,
      target: "es2022",
    },
  });
}
