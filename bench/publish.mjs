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
  logLevel: "error",
});
const { bandwidthPlot, standalone } = await vite.ssrLoadModule("/bench/plot.ts");
const { withMeasured } = await vite.ssrLoadModule("/bench/publish.ts");
await vite.close();

const folder = new URL("results/", import.meta.url);
const recorded = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .sort()
  .map((name) => {
    const results = JSON.parse(readFileSync(new URL(name, folder), "utf8"));
    const plot = bandwidthPlot(results);
    if (plot) writeFileSync(new URL(name.replace(/json$/, "svg"), folder), `${standalone(plot)}\n`);
    return results;
  });
const page = new URL("../docs/performance.md", import.meta.url);
writeFileSync(page, withMeasured(readFileSync(page, "utf8"), recorded));
