// npm run experiment [-- --write]: trains the cells that are missing; --write only sums up those that are there. The programme is TypeScript and takes its shaders as text, so Vite loads it.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";
import { dawn } from "../../test/engines/dawn.mjs";
import { cache, repository, vulkanEnvironment } from "../../test/engines/packaged.mjs";

const onlyWrite = process.argv.includes("--write");
const onGpu = process.argv.includes("--webgpu");
if (onGpu) {
  Object.defineProperty(globalThis, "navigator", { value: { gpu: await dawn(), userAgent: "Node" } });
}

const script = fileURLToPath(new URL("run.ts", import.meta.url));
/** @typedef {typeof import("./run.ts")} Run */
const { module } = await /** @type {typeof runnerImport<Run>} */ (runnerImport)(script, { configFile: false });
if (onlyWrite) {
  module.write({ repository, cache });
  process.exit(0);
}
await module.train({ repository, cache }, onGpu);
if (!onGpu) {
  // A process of its own: the software adapter counts only from the start of one.
  const env = { ...process.env, ...vulkanEnvironment() };
  const { status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), "--webgpu"], {
    env,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(1);
  module.write({ repository, cache });
}
process.exit(0);
