import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { expect, test } from "vitest";
import { strippedShaders } from "../vite.config.ts";

const budget = 30_000;

test(`the library stays within ${budget} bytes, minified and gzipped`, async () => {
  const { output } = (await build({
    configFile: false,
    root: fileURLToPath(new URL("..", import.meta.url)),
    mode: "production",
    logLevel: "warn",
    publicDir: false,
    plugins: [strippedShaders()],
    build: {
      write: false,
      target: "es2022",
      modulePreload: false,
      rolldownOptions: { input: "src/index.ts", preserveEntrySignatures: "strict", output: { minify: true } },
    },
  })) as Rolldown.RolldownOutput;
  const bytes = output.reduce((sum, chunk) => sum + (chunk.type === "chunk" ? gzipSync(chunk.code).length : 0), 0);
  expect(bytes).toBeGreaterThan(0);
  expect(bytes).toBeLessThanOrEqual(budget);
});
