/** Before each file of unit tests: what one left behind that failed is gone, and those that share a device have one. */
import { readFileSync } from "node:fs";
import { expect, vi } from "vitest";

vi.useRealTimers();
vi.unstubAllGlobals();
vi.restoreAllMocks();

const { testPath = "" } = expect.getState();
if (readFileSync(testPath, "utf8").includes('"./support/bench.ts"')) await import("../support/hooks.ts");
