import { defineConfig } from "vitest/config";
import { vulkanEnvironment } from "./test/engines/packaged.mjs";
import { ownPackage } from "./vite.config.ts";

// Tests run in child processes, which get the software adapter from here.
Object.assign(process.env, vulkanEnvironment());

export default defineConfig({
  resolve: ownPackage,
  test: {
    pool: "forks",
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/*.test.ts"],
          setupFiles: "test/engines/pausedPolls.mjs",
          testTimeout: 30_000,
          // test/doppler.test.ts replaces a module inside of it.
          server: { deps: { inline: ["doppler-gpu"] } },
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
