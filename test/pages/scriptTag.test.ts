/** "TensorFlow.js from a script tag" of docs/engines.md, without a bundler: the built package, and TensorFlow.js's own files for browsers. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "puppeteer";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchChromium, serveFolder } from "../engines/chromium.mjs";
import { repository } from "../engines/packaged.mjs";
import { builtPackage } from "../support/package.ts";
import type { Places } from "../support/places.ts";
import { newPage } from "./visit.ts";

const page = readFileSync(join(repository, "docs/engines.md"), "utf8");
const [, example = ""] = page.match(/```html\n([\s\S]*?)```/) ?? [];
const [, cdn = ""] = example.match(/<script src="(.*?)"><\/script>/) ?? [];
const [, module_ = ""] = page.match(/maps the name to `(.*?)`/) ?? [];

/** What the reader does next. */
const step = (backend: string) => `
const isOn = await tf.setBackend("${backend}");
const w = tf.variable(tf.tensor([3, 4]));
optimizer.applyGradients([{ name: w.name, tensor: tf.tensor([3, 4]) }]); // the core has no derivatives by itself
const { norm, clipped } = await optimizer.clip.report();
const moved = Array.from(await w.data(), (value, i) => [3, 4][i] - value);
globalThis.done = { version: tf.version_core ?? tf.version.tfjs, isOn, norm, clipped, moved };
`;

let site: Places;
let browser: Browser;

beforeAll(async () => {
  const root = join(await builtPackage("scriptTag"), "../..");
  const copy = (name: string, suffix: string) => {
    copyFileSync(
      join(repository, `node_modules/@tensorflow/tfjs-${name}/dist/tf-${name}.${suffix}`),
      join(root, `${name}.${suffix}`),
    );
    return `./${name}.${suffix}`;
  };
  const html = (text: string) => `<!doctype html><title>A page</title><link rel="icon" href="data:,">${text}`;
  const write = (name: string, text: string) => writeFileSync(join(root, `${name}.html`), html(text));

  // The CDN's file has the core and the backends in one.
  const scripts = ["core", "backend-cpu", "backend-webgpu"].map(
    (name) => `<script src="${copy(name, "min.js")}"></script>`,
  );
  const tag = example.replace(`<script src="${cdn}"></script>`, scripts.join("")).replace("adam(1e-3)", "sgd(1)");
  for (const backend of ["cpu", "webgpu"]) write(`tag-${backend}`, tag.replace(/(?=<\/script>\n$)/, step(backend)));

  const modules = example
    .replace(`<script src="${cdn}"></script>\n`, "")
    .replace('"data:text/javascript,"', JSON.stringify(copy("core", "fesm.min.js")))
    .replace("{ tf }", "{}")
    .replace("adam(1e-3)", "sgd(1)")
    .replace(
      "import { clipBy",
      `import * as tf from "@tensorflow/tfjs-core";\nimport "${copy("backend-webgpu", "fesm.min.js")}";\nimport { clipBy`,
    )
    .replace(/(?=<\/script>\n$)/, step("webgpu"));
  write("modules", modules);
  site = await serveFolder(root);
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await site?.close();
});

test("the addresses are those of the version that is tested", () => {
  const { version } = JSON.parse(
    readFileSync(join(repository, "node_modules/@tensorflow/tfjs-core/package.json"), "utf8"),
  );
  expect(cdn).toBe(`https://cdn.jsdelivr.net/npm/@tensorflow/tfjs@${version}/dist/tf.min.js`);
  expect(module_).toBe(`https://cdn.jsdelivr.net/npm/@tensorflow/tfjs-core@${version}/dist/tf-core.fesm.min.js`);
});

test.each(["tag-cpu", "tag-webgpu", "modules"])("%s: a step is clipped", async (name) => {
  const opened = await newPage(browser);
  const errors: string[] = [];
  opened.on("pageerror", (error) => errors.push(String(error)));
  const failed = new Promise<undefined>((resolve) => opened.once("pageerror", () => resolve(undefined)));
  await opened.goto(new URL(`${name}.html`, site.url).href);
  const done = await Promise.race([opened.waitForFunction(() => (globalThis as { done?: object }).done), failed]);
  expect(errors).toEqual([]);
  expect(await done?.jsonValue()).toEqual({
    version: "4.22.0",
    isOn: true,
    norm: 5,
    clipped: true,
    moved: [expect.closeTo(0.6, 5), expect.closeTo(0.8, 5)],
  });
  await opened.close();
});
