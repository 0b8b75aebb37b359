/** The unit tests of the library with one changed line: MUTANT names a file that holds it. What needs a build or a browser is left out. */
import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";
import { ownPackage } from "../../vite.config.ts";
import { vulkanEnvironment } from "../engines/packaged.mjs";
import { type Mutant, mutated } from "./operators.ts";

Object.assign(process.env, vulkanEnvironment());

const mutant: Mutant = JSON.parse(readFileSync(process.env.MUTANT ?? "", "utf8"));

const PLANS = ["windows", "plan"];
const LISTS = ["gradients", "taken", "names", "absent", "groups", "errors"];
const CALLS = ["methods", "options", "methodTable", "normalize", "clipByValue", "adaptive", "skip", "errors"];
const STEPS = ["report", "record", "readRecord", "readOnce", "recent", "history", "lifecycle", "leftovers", "goesOn"];
const DEVICES = ["fallback", "loss", "deviceLoss", "selfTest", "arena", "dynamicOffsets", "lifecycle", "leftovers"];

/** Tests that could see a change of these files, the cheapest first. */
const FILES: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^webgpu\/(segments|windows|dispatches|plan|table|alignment|loopLimit)/, PLANS],
  [/^webgpu\/passes/, [...PLANS, ...STEPS]],
  [/^webgpu/, DEVICES],
  [/^overlaps/, ["overlaps", "windows", "errors"]],
  [/^(gradients|ranges|view|pieces|requirements|units|source)/, [...LISTS, ...PLANS]],
  [/^(methods|norms|rules|skips|options|check|floats)/, CALLS],
  [/^adapters\/(jax)/, ["jax", "jaxHandle", "jaxSkip", "adapterRefusals"]],
  [/^adapters\/(doppler)/, ["doppler", "adapterRefusals"]],
  [/^adapters/, ["tfjs", "tfjsHandle", "tfjsSkip", "goesOn", "adapterRefusals", "jax"]],
  [/./, [...STEPS, ...LISTS, ...CALLS]],
];
const names = FILES.find(([files]) => files.test(mutant.file))?.[1] ?? [];
const paths = names.map((name) => `test/${name}.test.ts`);
/** Opening the device that some files share takes as long as a small file of tests. */
const isOnDevice = paths.some((path) => readFileSync(path, "utf8").includes('"./support/bench.ts"'));

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
    include: paths,
    setupFiles: ["test/engines/pausedPolls.mjs", ...(isOnDevice ? ["test/support/hooks.ts"] : [])],
    fileParallelism: false,
    bail: 1,
    testTimeout: 120_000,
  },
});
