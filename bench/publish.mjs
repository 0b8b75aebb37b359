// node bench/publish.mjs: from bench/results/*.json to the plots beside them and the tables of docs/performance.md.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createServer } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));
// Node 20 does not read TypeScript by itself.
const vite = await createServer({
  root,
  configFile: false,
  server: { middlewareMode: true, ws: false },
  optimizeDeps: { noDiscovery: true },
  logLevel: "error",
});
const { bandwidthPlot, standalone } = await vite.ssrLoadModule("/bench/plot.ts");
const { publishedFrom, withMeasured } = await vite.ssrLoadModule("/bench/publish.ts");
await vite.close();

const folder = new URL("results/", import.meta.url);
const published = publishedFrom(readdirSync(folder), (/** @type {string} */ name) =>
  readFileSync(new URL(name, folder), "utf8"),
);
const plot = bandwidthPlot(published.gpu[0]);
if (plot) writeFileSync(new URL("bandwidth.svg", folder), `${standalone(plot)}\n`);
const page = new URL("../docs/performance.md", import.meta.url);
writeFileSync(page, withMeasured(readFileSync(page, "utf8"), published));
