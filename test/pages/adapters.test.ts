import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "puppeteer";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { strippedShaders } from "../../vite.config.ts";
import { expectTraining } from "../adapters/expect.ts";
import { launchChromium, serveFolder } from "../engines/chromium.mjs";
import { cache, isSoftware, repository } from "../engines/packaged.mjs";

const steps = 20;

let browser: Browser;
let server: Awaited<ReturnType<typeof serveFolder>>;
let page: Page;
const errors: string[] = [];

beforeAll(async () => {
  const folder = join(cache, "adapters");
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "index.html"),
    '<!doctype html><title>adapters</title><link rel=icon href=data:,><script type="module" src="page.js"></script>',
  );
  await build({
    configFile: false,
    root: repository,
    logLevel: "warn",
    publicDir: false,
    plugins: [strippedShaders()],
    build: {
      lib: { entry: join(repository, "test/adapters/page.ts"), formats: ["es"], fileName: "page" },
      outDir: folder,
      emptyOutDir: false,
      target: "es2022",
    },
  });
  server = await serveFolder(folder);
  // WebGL without a GPU has to be asked for.
  browser = await launchChromium({
    args: isSoftware ? ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"] : [],
  });
  page = await browser.newPage();
  page.setDefaultTimeout(120_000);
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(server.url);
  await page.waitForFunction(() => globalThis.adaptersInPage !== undefined);
});

afterAll(async () => {
  await browser?.close();
  await server?.close();
});

test.each(["webgpu", "webgl", "cpu"])("TensorFlow.js trains on %s as with its own operations", async (backend) => {
  const train = (backend: string, steps: number) => globalThis.adaptersInPage?.trainOnTfjs(backend, steps);
  expectTraining((await page.evaluate(train, backend, steps)) as never, steps);
});

test("TensorFlow.js submits nothing more for it", async () => {
  const counts = await page.evaluate(() => globalThis.adaptersInPage?.countSteps());
  const { gradclip, none } = counts as NonNullable<typeof counts>;
  expect(gradclip).toEqual({ ...none, dispatches: none.dispatches + 5, bindGroups: gradclip.bindGroups });
});

test.each(["webgpu", "wasm"] as const)("jax-js trains on %s as with its own operations", async (backend) => {
  const train = (backend: "webgpu" | "wasm", steps: number) => globalThis.adaptersInPage?.trainOnJax(backend, steps);
  expectTraining((await page.evaluate(train, backend, steps)) as never, steps);
});

test("nothing was complained about", () => {
  expect(errors).toEqual([]);
});
