/** Pages of our own on a server of our own: test/places/clips.ts, bundled, and whatever pages and headers a test needs. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";
import { strippedShaders } from "../../vite.config.ts";
import { serveFolder } from "../engines/chromium.mjs";
import { cache, repository } from "../engines/packaged.mjs";

export interface Places {
  readonly url: string;
  close(): Promise<void>;
}

/** @param files by their names; clips.js is the bundle. @param headers with every answer. */
export async function served(
  name: string,
  files: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Places> {
  const folder = join(cache, `places-${name}`);
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  await build({
    configFile: false,
    root: repository,
    logLevel: "warn",
    publicDir: false,
    plugins: [strippedShaders()],
    build: {
      lib: { entry: join(repository, "test/places/clips.ts"), formats: ["es"], fileName: "clips" },
      outDir: folder,
      emptyOutDir: false,
      target: "es2022",
    },
  });
  return serveFolder(folder, { ...headers });
}
