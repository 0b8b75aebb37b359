/** The GPU process ends while a clip is under way: everything settles, with the error that says what is known. */
import type { Browser, Page } from "puppeteer";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { launchChromium } from "../engines/chromium.mjs";
import { isSoftware } from "../engines/packaged.mjs";
import { type Places, served } from "../support/places.ts";
import { newPage } from "./visit.ts";

declare global {
  var clips: typeof import("../places/clips.ts");
  var victim: import("../places/clips.ts").Victim;
}

const FILES = {
  "index.html":
    '<!doctype html><meta charset="utf-8"><title>Crashes</title><script type="module" src="page.js"></script>',
  "page.js": 'globalThis.clips = await import("./clips.js");',
};

let places: Places;
let browser: Browser;
let page: Page;
const unhandled: string[] = [];

beforeAll(async () => {
  places = await served("places-crash", "places/clips.ts", FILES);
});
afterAll(() => places.close());

// A browser of its own for each: after a second crash within minutes Chromium gives no adapter any more.
beforeEach(async () => {
  unhandled.length = 0;
  browser = await launchChromium();
  page = await newPage(browser);
  page.on("pageerror", (error) => unhandled.push(String(error)));
  await page.goto(places.url);
  await page.waitForFunction(() => globalThis.clips !== undefined);
});
afterEach(async () => {
  await browser.close();
  expect(unhandled).toEqual([]);
});

async function crash(): Promise<void> {
  const session = await browser.target().createCDPSession();
  await session.send("Browser.crashGpuProcess").catch(() => {});
  await session.detach().catch(() => {});
}

async function prepared(isCompiled: boolean): Promise<void> {
  await page.evaluate(async (isCompiled) => {
    globalThis.victim = await globalThis.clips.Victim.prepared(isCompiled);
  }, isCompiled);
}

const ends = () => page.evaluate(() => globalThis.victim.ends());
const LOST = { name: "DeviceLostError", gradientsState: "unknown" };

test("between encode and submit: the report says that the device was lost", async () => {
  await prepared(true);
  await page.evaluate(() => globalThis.victim.encode());
  await crash();
  await page.evaluate(() => {
    globalThis.victim.submit();
    globalThis.victim.report();
  });
  expect((await ends()).map(({ name }) => name)).toEqual(["DeviceLostError"]);
});

// Hardware may compile them before the crash: here the software adapter takes seconds.
test.runIf(isSoftware)("while pipelines compile: ready says it, and so does a report", async () => {
  await prepared(false);
  await crash();
  expect((await ends()).map(({ name }) => name)).toEqual(["DeviceLostError"]);
  await page.evaluate(() => globalThis.victim.report());
  expect((await ends()).at(-1)?.name).toBe("DeviceLostError");
});

test("with reports in flight: those that have not come say that the gradients may have been clipped", async () => {
  await prepared(true);
  await page.evaluate(() => {
    for (let i = 0; i < 20; i++) {
      globalThis.victim.run();
      globalThis.victim.report();
    }
  });
  await crash();
  const all = await ends();
  expect(all).toHaveLength(20);
  for (const end of all) expect([LOST, { name: "resolved" }]).toContainEqual(end);
  expect(all.at(-1)).toEqual(LOST);
});

test("once: a new clipper has the GPU; twice: the CPU, and who insists on the GPU is told", async () => {
  const clipperFor = (backend: "webgpu" | "auto") =>
    page.evaluate((backend) => globalThis.clips.clipperFor(backend), backend);
  expect(await clipperFor("webgpu")).toBe("webgpu");
  await crash();
  expect(await clipperFor("webgpu")).toBe("webgpu");
  await crash();
  expect(await clipperFor("auto")).toBe("cpu");
  expect(await clipperFor("webgpu")).toBe("no-adapter");
});
