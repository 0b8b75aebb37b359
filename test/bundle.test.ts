import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, type Plugin, type Rolldown } from "vite";
import { expect, test } from "vitest";
import { strippedShaders } from "../vite.config.ts";

const ENTRY = "virtual:entry";

/** The bytes of a page that says just this, minified and gzipped. */
async function bytesOf(code: string): Promise<number> {
  const entry: Plugin = {
    name: "entry",
    resolveId: (id) => (id === ENTRY ? id : undefined),
    load: (id) => (id === ENTRY ? code : undefined),
  };
  const { output } = (await build({
    configFile: false,
    root: fileURLToPath(new URL("..", import.meta.url)),
    mode: "production",
    logLevel: "warn",
    publicDir: false,
    plugins: [entry, strippedShaders()],
    build: {
      write: false,
      target: "es2022",
      modulePreload: false,
      rolldownOptions: { input: ENTRY, preserveEntrySignatures: "strict", output: { minify: true } },
    },
  })) as Rolldown.RolldownOutput;
  return output.reduce((sum, chunk) => sum + (chunk.type === "chunk" ? gzipSync(chunk.code).length : 0), 0);
}

const everything = 'export * from "/src/index.ts";';
const oneMethod = 'export { clipByGlobalNorm, createClipper } from "/src/index.ts";';

test.each([
  ["with every method", everything, 43 * 1024],
  ["with one method", oneMethod, 34 * 1024],
])("the library %s stays within its bytes, minified and gzipped", async (_, code, budget) => {
  const bytes = await bytesOf(code);
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThanOrEqual(budget);
});

test("a page ships the kernels of the methods that it names, and no others", async () => {
  expect(await bytesOf(oneMethod)).toBeLessThan(0.85 * (await bytesOf(everything)));
});
