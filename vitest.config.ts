import { readdirSync, readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";
import { vulkanEnvironment } from "./test/engines/packaged.mjs";
import { ownPackage } from "./vite.config.ts";

/** The files that share one device: see test/support/bench.ts. Of each project one file runs at a time, beside other steps of npm test. */
const onSharedDevice = readdirSync("test")
  .filter((file) => file.endsWith(".test.ts"))
  .map((file) => `test/${file}`)
  .filter((path) => readFileSync(path, "utf8").includes('"./support/bench.ts"'));

// Tests run in child processes, which get the software adapter from here.
Object.assign(process.env, vulkanEnvironment());

export default defineConfig({
  resolve: ownPackage,
  test: {
    pool: "forks",
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/*.test.ts"],
          exclude: onSharedDevice,
          fileParallelism: false,
          setupFiles: "test/engines/pausedPolls.mjs",
          testTimeout: 30_000,
          // test/doppler.test.ts replaces a module inside of it.
          server: { deps: { inline: ["doppler-gpu"] } },
        },
      },
      {
        extends: true,
        test: {
          name: "gpu",
          include: onSharedDevice,
          setupFiles: ["test/engines/pausedPolls.mjs", "test/support/hooks.ts"],
          isolate: false,
          fileParallelism: false,
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        // No test: it prints figures.
        test: { name: "cost", include: ["test/adapters/cost.ts"], testTimeout: 300_000 },
      },
      {
        extends: true,
        test: {
          name: "pages",
          include: ["test/pages/*.test.ts"],
          globalSetup: "test/engines/site.ts",
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
