/** The unit tests of the library with one changed line: MUTANT names a file that holds it. What needs a build or a browser is left out. */
import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";
import { ownPackage } from "../../vite.config.ts";
import { vulkanEnvironment } from "../engines/packaged.mjs";
import { type Mutant, mutated } from "./operators.ts";

Object.assign(process.env, vulkanEnvironment());

const mutant: Mutant = JSON.parse(readFileSync(process.env.MUTANT ?? "", "utf8"));

/** The cheapest first. */
const FILES = [
  "plan",
  "methods",
  "options",
  "errors",
  "gradients",
  "taken",
  "names",
  "absent",
  "groups",
  "skip",
  "report",
  "record",
  "readRecord",
  "lifecycle",
  "leftovers",
  "loss",
  "adaptive",
  "clipByValue",
  "normalize",
  "recent",
  "readOnce",
  "methodTable",
  "fallback",
  "deviceLoss",
].map((name) => `test/${name}.test.ts`);

export default defineConfig({
  resolve: ownPackage,
  plugins: [
    {
      name: "mutant",
      enforce: "pre",
      transform: (code, id) => (id.endsWith(`/src/${mutant.file}`) ? mutated(code, mutant) : undefined),
    },
  ],
  test: {
    pool: "forks",
    include: FILES,
    setupFiles: ["test/engines/pausedPolls.mjs", "test/support/hooks.ts"],
    fileParallelism: false,
    bail: 1,
    testTimeout: 120_000,
  },
});
