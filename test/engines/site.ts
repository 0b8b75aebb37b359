// Builds and serves the demo site for the page tests: inject("site") is its address.

import { fileURLToPath } from "node:url";
import { build } from "vite";
import type { TestProject } from "vitest/node";
import { serveFolder } from "./chromium.mjs";

declare module "vitest" {
  interface ProvidedContext {
    site: string;
  }
}

export default async function serveSite({ provide }: TestProject) {
  await build({ mode: "site", logLevel: "warn" });
  const server = await serveFolder(fileURLToPath(new URL("../../dist/site", import.meta.url)));
  provide("site", server.url);
  return server.close;
}
