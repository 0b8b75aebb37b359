// Serves the demo site for the page tests, as it is built and as `npm start` does it: inject("site") and inject("npmStart").

import { rmSync } from "node:fs";
import { join } from "node:path";
import { build, createServer } from "vite";
import type { TestProject } from "vitest/node";
import { contentSecurityPolicy } from "../../demo/shared/shell.ts";
import { serveFolder } from "./chromium.mjs";
import { cache, repository } from "./packaged.mjs";

declare module "vitest" {
  interface ProvidedContext {
    site: string;
    npmStart: string;
  }
}

export default async function serveSite({ provide }: TestProject) {
  await build({ mode: "site", logLevel: "warn" });
  // A page's own policy does not reach its workers: the header does.
  const headers = { "Content-Security-Policy": contentSecurityPolicy({ training: true }) };
  const built = await serveFolder(join(repository, "dist/site"), headers);
  provide("site", built.url);

  // Nothing is kept from another start: `npm ci` leaves nothing, either.
  const cacheDir = join(cache, "npm-start");
  rmSync(cacheDir, { recursive: true, force: true });
  const started = await createServer({ mode: "site", logLevel: "warn", cacheDir, server: { port: 0 } });
  await started.listen();
  const [url] = started.resolvedUrls?.local ?? [];
  if (!url) throw new Error("The site did not start.");
  provide("npmStart", url);
  return () => Promise.all([built.close(), started.close()]);
}
