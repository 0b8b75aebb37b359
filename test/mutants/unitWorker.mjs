// Runs files of unit tests for Vitest, one after the other, in one process: see units.mjs.

import process from "node:process";
import { init, runBaseTests, setupEnvironment } from "vitest/worker";

// While tests run, Vitest puts another one in its place.
const exit = process.exit.bind(process);

/** The first is for Vitest's requests. Each start adds one, which ends with it. @type {((message: any) => void)[]} */
const listeners = [];

init({
  post: (message) => process.send?.(message),
  on(callback) {
    listeners.push(callback);
    process.on("message", callback);
  },
  off: (callback) => process.off("message", callback),
  teardown() {
    for (const callback of listeners.splice(1)) process.off("message", callback);
  },
  runTests: (state, traces) => runBaseTests("run", state, traces),
  collectTests: (state, traces) => runBaseTests("collect", state, traces),
  setup: setupEnvironment,
});
process.on("disconnect", () => exit(0));
