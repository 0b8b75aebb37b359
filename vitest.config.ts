import { readdirSync, readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";
import { testLimit, waitLimit } from "./test/engines/limits.mjs";
import { roomyMemory, vulkanEnvironment } from "./test/engines/packaged.mjs";
import { ownPackage } from "./vite.config.ts";

const files = readdirSync("test")
  .filter((file) => file.endsWith(".test.ts"))
  .map((file) => `test/${file}`);
const importing = (...modules: string[]) =>
  files.filter((path) => modules.some((module) => readFileSync(path, "utf8").includes(`"./${module}"`)));

/** The files that share one device: see test/support/bench.ts. Of each project one file runs at a time, beside other steps of npm test. */
const onSharedDevice = importing("support/bench.ts");
/** The files that share the devices of TensorFlow.js and jax-js: see test/adapters/hooks.ts. */
const onEngines = importing("adapters/onTfjs.ts", "adapters/onJax.ts");

const others = files.filter((path) => ![...onSharedDevice, ...onEngines].includes(path));
/** The files that may replace a module or a global, or make devices or a package: each has a process of its own. The other files share one. */
const alone = others.filter((path) =>
  /workbench\.ts|dawn\.mjs|navigatorGpu\.ts|package\.ts|\/training\/|process\.env|from "webgpu"|vi\.(mock|stub|spyOn|useFake)/.test(
    readFileSync(path, "utf8"),
  ),
);

const equality = "test/support/equality.ts";

// Tests run in child processes, which get the software adapter from here.
Object.assign(process.env, vulkanEnvironment(), roomyMemory);

export default defineConfig(({ mode }) => ({
  resolve: ownPackage,
  test: {
    pool: "forks",
    testTimeout: testLimit,
    hookTimeout: testLimit,
    teardownTimeout: waitLimit,
    expect: { poll: { timeout: waitLimit } },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: others,
          exclude: alone,
          setupFiles: [equality],
          isolate: false,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: "alone",
          include: alone,
          fileParallelism: false,
          setupFiles: [equality, "test/engines/pausedPolls.mjs"],
          // test/doppler.test.ts replaces a module inside of it.
          server: { deps: { inline: ["doppler-gpu"] } },
        },
      },
      {
        extends: true,
        // A project does not have the command's mode by itself: see test/support/properties.ts.
        mode,
        test: {
          name: "gpu",
          include: onSharedDevice,
          setupFiles: [equality, "test/engines/pausedPolls.mjs", "test/support/hooks.ts"],
          // Or V8 compiles onnxruntime-web's WebAssembly a second time, for speed, while other files run: that is 10 s.
          execArgv: ["--liftoff-only"],
          isolate: false,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: "engines",
          include: onEngines,
          setupFiles: [equality, "test/engines/pausedPolls.mjs", "test/adapters/hooks.ts"],
          isolate: false,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        // No test: it prints figures.
        test: { name: "cost", include: ["test/adapters/cost.ts"], setupFiles: [equality] },
      },
      {
        extends: true,
        test: {
          name: "pages",
          include: ["test/pages/*.test.ts"],
          setupFiles: [equality],
          globalSetup: "test/engines/site.ts",
          isolate: false,
          // Each has a browser of its own, and waits for it.
          maxWorkers: 2,
        },
      },
    ],
  },
}));
