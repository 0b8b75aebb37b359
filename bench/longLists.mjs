// npm run bench:long: what long lists cost the host, in CPU time of this process.

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "vite";
import { cache, repository } from "../test/engines/packaged.mjs";

const counts = [10_000, 100_000, 1_000_000];
const repeats = 3;
const outDir = join(cache, "bench");

await build({
  root: repository,
  configFile: false,
  publicDir: false,
  logLevel: "error",
  build: {
    outDir,
    emptyOutDir: false,
    lib: { entry: join(repository, "bench/longLists.ts"), formats: ["es"], fileName: () => "longLists.mjs" },
  },
});
const { longList } = await import(pathToFileURL(join(outDir, "longLists.mjs")).href);

/** @param {() => void} work @returns {number} ms */
function cost(work) {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

for (const count of counts) {
  const runs = Array.from({ length: repeats }, () => longList(count, cost));
  const [prepare, again] = ["prepare", "again"].map((what) => Math.min(...runs.map((run) => run[what])).toFixed(1));
  console.log(`${count} views: prepared in ${prepare} ms, known again in ${again} ms (least of ${repeats})`);
}
