// Builds and serves the demo site for the page tests: inject("site") is its address.

import { fileURLToPath } from "node:url";
import { build } from "vite";
import type { TestProject } from "vitest/node";
import { contentSecurityPolicy } from "../../demo/shared/shell.ts";
import { serveFolder } from "./chromium.mjs";

declare module "vitest" {
  interface ProvidedContext {
    site: string;
  }
}

export default async function serveSite({ provide }: TestProject) {
  await build({ mode: "site", logLevel: "warn" });
  // A page's own policy does not reach its workers: the header does.
  const headers = { "Content-Security-Policy": contentSecurityPolicy({ training: true }) };
  const server = await serveFolder(fileURLToPath(new URL("../../dist/site", import.meta.url)), headers);
  provide("site", server.url);
  return server.close;
}
