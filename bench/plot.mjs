// node bench/plot.mjs results.json plot.svg

import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "vite";

const [from, to] = process.argv.slice(2);
if (!from || !to) {
  console.error("Two files are needed: the results to read and the plot to write.");
  process.exit(2);
}
// Node 20 does not read TypeScript by itself.
const vite = await createServer({ configFile: false, server: { middlewareMode: true }, logLevel: "error" });
const { bandwidthPlot, standalone } = await vite.ssrLoadModule("/bench/plot.ts");
await vite.close();
const plot = bandwidthPlot(JSON.parse(readFileSync(from, "utf8")));
if (!plot) {
  console.error(`${from} has fewer than two arenas; run the whole benchmark.`);
  process.exit(1);
}
writeFileSync(to, `${standalone(plot)}\n`);
