// A block of code on a page runs when pasted, or says that it is an excerpt.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "puppeteer";
import { afterAll, beforeAll, expect, it } from "vitest";
import { launchChromium } from "../engines/chromium.mjs";
import { repository } from "../engines/packaged.mjs";
import { visit } from "./visit.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

const pages = readdirSync(join(repository, "demo")).filter((file) => file.endsWith(".html"));

it.each(pages)("%s imports from packages alone, or says that it is an excerpt", async (file) => {
  const { page } = await visit(browser, file);
  await page.waitForSelector(".code button");
  await page.waitForFunction(() => document.body.dataset.state !== "loading");
  const blocks = await page.$$eval(".code", (containers) =>
    containers.map((container) => ({
      code: container.querySelector("code")?.textContent ?? "",
      around: container.closest("section, main")?.textContent ?? "",
    })),
  );
  expect(blocks.length).toBeGreaterThan(0);
  for (const { code, around } of blocks) {
    const isExcerpt = /from "\.|import "\./.test(code);
    expect([code.slice(0, 60), isExcerpt && !/excerpt/i.test(around)]).toEqual([code.slice(0, 60), false]);
  }
  await page.close();
});
