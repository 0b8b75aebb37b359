// Every page once, as it is built and as `npm start` serves it, in a browser whose language is no language tag.

import { readFileSync } from "node:fs";
import type { Browser } from "puppeteer";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { launchChromium } from "../engines/chromium.mjs";
import { isPackaged } from "../engines/packaged.mjs";
import { inkOf, newPage, text, untilState, untilStep, untilText, visit } from "./visit.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium({ locale: "C" });
});
afterAll(() => browser?.close());

it.runIf(isPackaged)("the browser's language is no language tag", async () => {
  const page = await newPage(browser);
  expect(await page.evaluate(() => navigator.language)).toBe("en-US@posix");
  await page.close();
});

describe.each(["site", "npmStart"] as const)("%s", (name) => {
  const site = inject(name);

  it("draws the cliff", async () => {
    const { page, errors } = await visit(browser, "", { site });
    await untilState(page, "drawn");
    await untilText(page, "#backend", "Surface");
    expect(await inkOf(page, "#paths", "--path-clipped")).toBeGreaterThan(300);
    await page.waitForSelector("#norm canvas");
    // A link that is followed after a change, and before its frame wrote the address.
    await page.evaluate(() => {
      requestAnimationFrame(() => {
        location.hash = "w=5&b=-2";
      });
      document.querySelector<HTMLElement>("#next")?.click();
    });
    await page.waitForFunction(() => location.hash.startsWith("#w=5&b=-2&rate="));
    expect(errors).toEqual([]);
    await page.close();
  });

  it("trains, and shows the experiment's figure", async () => {
    const { page, errors } = await visit(browser, "train.html", { site });
    await untilStep(page, 4);
    const figure = await page.$eval("img.experiment", async (image) => {
      // Rejects where it is no picture.
      await (image as HTMLImageElement).decode();
      return (image as HTMLImageElement).src;
    });
    const drawn = readFileSync(new URL("../../docs/experiment.svg", import.meta.url), "utf8");
    expect(await (await fetch(figure)).text()).toBe(drawn);
    expect(await page.$$eval("#numbers tbody tr", (rows) => rows.length)).toBeGreaterThan(10);
    expect(errors).toEqual([]);
    await page.close();
  });

  it("trains in the engine", async () => {
    const { page, errors } = await visit(browser, "engine.html#steps=10", { site });
    await untilState(page, "finished");
    expect(await page.evaluate(() => globalThis.gradclipEngine?.readings.at(-1)?.step)).toBe(10);
    expect(errors).toEqual([]);
    await page.close();
  });

  it("is ready to measure", async () => {
    const { page, errors } = await visit(browser, "benchmark.html", { site });
    await untilState(page, "ready");
    expect(await text(page, "#state")).toMatch(/^Ready/);
    expect(errors).toEqual([]);
    await page.close();
  });

  it("checks the GPU", async () => {
    const { page, errors } = await visit(browser, "check.html?filter=values:%203-4-5", { site });
    await untilState(page, "idle");
    await page.click("#start");
    await untilState(page, "finished");
    expect(await text(page, "#state")).toMatch(/^Every case passed, on ./);
    expect(errors).toEqual([]);
    await page.close();
  });

  it("answers 404 where nothing is, as a static host does", async () => {
    // As a browser asks for a page: a server may answer that with a page of its own.
    const headers = { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
    for (const address of ["nowhere.html", "nowhere", "a/b", "docs/nowhere.html", "train/nowhere.ts"]) {
      expect([address, (await fetch(site + address, { headers })).status]).toEqual([address, 404]);
    }
    expect((await fetch(`${site}docs/experiment.svg`)).status).toBe(404);
  });
});
