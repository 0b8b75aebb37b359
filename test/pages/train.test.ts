import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type RunName, stepCount } from "../../demo/train/history.ts";
import { launchChromium } from "../engines/chromium.mjs";
import { isSoftware } from "../engines/packaged.mjs";
import { countDrawing, inkOf, photograph, text, untilState, untilStep, untilText, type Visit, visit } from "./visit.ts";

const chance = Math.log(10);

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium({
    args: ["--disable-gpu-process-crash-limit", "--disable-domain-blocking-for-3d-apis"],
  });
});
afterAll(() => browser?.close());

function lossesOf(page: Page, run: RunName): Promise<(number | null)[]> {
  return page.evaluate((run) => globalThis.gradclipDemo?.histories[run].loss ?? [], run);
}

/** Waits until no more steps come in, and counts those that have. */
async function restOf(page: Page): Promise<number> {
  let [before, now] = [-1, 0];
  while (now !== before) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    [before, now] = [now, (await lossesOf(page, "chosen")).length];
  }
  return now;
}

function mean(values: (number | null)[]): number {
  return values.reduce<number>((sum, value) => sum + (value ?? Number.NaN), 0) / values.length;
}

describe("the training page on the CPU", () => {
  let visited: Visit;
  let page: Page;
  beforeAll(async () => {
    visited = await visit(browser, "train.html?backend=cpu#rate=0.1&bound=1&value=0.1&seed=2");
    page = visited.page;
    await untilStep(page, 200);
  });
  afterAll(() => page?.close());

  it("shows the explosion without clipping", async () => {
    expect(await text(page, "#none .verdict")).toBe("exploded at step 2");
    expect(await text(page, "#none [data-value=norm]")).toBe("NaN");
  });

  it.each(["value", "chosen"] as const)("learns when clipped: %s", async (run) => {
    const losses = await lossesOf(page, run);
    expect(losses.every((loss) => loss !== null)).toBe(true);
    expect(mean(losses.slice(-30))).toBeLessThan(mean(losses.slice(0, 20)) - 0.25);
    expect(mean(losses.slice(-30))).toBeLessThan(chance - 0.25);
  });

  it("draws the runs in their colours", async () => {
    expect(await inkOf(page, "#loss-curves canvas", "--clipped")).toBeGreaterThan(50);
    expect(await inkOf(page, "#norm-curves canvas", "--value")).toBeGreaterThan(50);
    await photograph(page, "train-desktop");
  });

  it("draws once a frame, each step of a run once, and nothing moves", async () => {
    await page.click("#restart");
    await untilStep(page, 50);
    const drawn = await countDrawing(page);
    await page.evaluate(() => {
      new PerformanceObserver((list) => performance.mark("shift", { detail: list.getEntries().length })).observe({
        type: "layout-shift",
      });
    });
    await page.waitForFunction(() => performance.getEntriesByName("draw").length > 10);
    const { draws, drawsAFrame, calls, layouts } = await drawn();
    expect(drawsAFrame).toBe(1);
    expect(layouts).toBeLessThan(2 * draws);
    // Three runs and their means in two charts.
    expect(calls / draws).toBeGreaterThan(200);
    expect(calls / draws).toBeLessThan(14 * stepCount);
    expect(await page.evaluate(() => performance.getEntriesByName("shift").length)).toBe(0);
  });

  it("pauses and resumes", async () => {
    await page.click("#restart");
    await untilStep(page, 5);
    await page.click("#pause");
    await untilState(page, "paused");
    const paused = await restOf(page);
    expect(paused).toBeLessThan(stepCount);
    await page.click("#pause");
    await untilState(page, "training", "finished");
    await untilStep(page, paused + 1);
  });

  it("pauses while nobody looks", async () => {
    const look = (isHidden: boolean) =>
      page.evaluate((isHidden) => {
        Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, isHidden);
    await page.click("#restart");
    await untilStep(page, 5);
    await look(true);
    const before = await restOf(page);
    expect(before).toBeLessThan(stepCount);
    await look(false);
    await untilStep(page, before + 3);
  });

  it("takes every other method for the third run", async () => {
    const methods = await page.$$eval("[name=method] option", (all) =>
      all.map(({ value, label }) => ({ value, label })),
    );
    expect(methods.length).toBe(6);
    for (const { value, label } of methods.reverse()) {
      await page.select("[name=method]", value);
      await untilText(page, "#chosen-title", value === "norm" ? "Clipped by norm" : label.replace(/:.*/, ""));
      await untilState(page, "training");
      await page.waitForFunction(() => (globalThis.gradclipDemo?.histories.chosen.loss.length ?? 0) > 5);
      expect((await lossesOf(page, "chosen")).every((loss) => loss !== null)).toBe(true);
      expect(await page.evaluate(() => new URLSearchParams(location.hash.slice(1)).get("method"))).toBe(value);
    }
  });

  it("complains about nothing", () => {
    expect(visited.errors).toEqual([]);
  });
});

describe("a page that nobody looks at", () => {
  it("keeps no wild values in its address, and trains nothing until it is seen", async () => {
    const page = await browser.newPage();
    await page.evaluateOnNewDocument(() => {
      Object.defineProperty(document, "hidden", { value: true, configurable: true });
    });
    await page.goto(`${inject("site")}train.html?backend=cpu#rate=7e99&bound=0&value=zap&seed=1e300&x=1`);
    expect(await page.evaluate(() => location.hash)).toBe("#rate=1&bound=0.01&value=0.1&seed=999999");
    await untilState(page, "training");
    expect(await restOf(page)).toBe(0);
    await page.evaluate(() => {
      location.hash = "rate=0.05&bound=1&value=0.1&seed=3";
    });
    await untilState(page, "training");
    expect(await restOf(page)).toBe(0);
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { value: false });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await untilStep(page, 3);
    await page.close();
  });
});

describe("the training page on WebGPU", () => {
  it("names its adapter, trains, and survives the end of the GPU process with a sentence", async () => {
    const { page } = await visit(browser, "train.html?backend=webgpu#rate=0.1&bound=1&value=0.1&seed=2");
    await untilStep(page, 4);
    expect(await text(page, "#backend")).toMatch(/^WebGPU · ./);
    expect(await text(page, "#none .verdict")).toBe("exploded at step 2");
    const session = await browser.target().createCDPSession();
    await session.send("Browser.crashGpuProcess").catch(() => {});
    await untilText(page, "#notice", "The GPU was lost at step");
    await untilText(page, "#backend", "CPU");
    await untilStep(page, 20);
    expect((await lossesOf(page, "chosen")).every((loss) => loss !== null)).toBe(true);
    await page.close();
  });
});

describe("the training page elsewhere", () => {
  it.runIf(isSoftware)("does not take an emulated GPU unasked", async () => {
    const { page, errors } = await visit(browser, "train.html");
    await untilStep(page, 3);
    expect(await text(page, "#backend")).toBe("CPU (wasm): WebGPU is emulated in software here");
    expect(errors).toEqual([]);
    await page.close();
  });

  it("fits a phone, obeys the keyboard and says that there is no adapter", async () => {
    const bare = await launchChromium({ hasWebGpu: false });
    const options = { width: 360, height: 740, scheme: "dark", isCalm: true } as const;
    const { page, errors } = await visit(bare, "train.html#rate=0.1&bound=1&value=0.1&seed=2", options);
    await untilStep(page, 5);
    expect(await text(page, "#backend")).toBe("CPU (wasm): this browser offers no graphics adapter to WebGPU");
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await page.focus("[name=rate]");
    await page.keyboard.press("ArrowLeft");
    expect(await page.evaluate(() => location.hash)).toContain("rate=0.05&bound=1");
    await photograph(page, "train-phone-dark");
    // Chromium's own note about the adapter that it does not have.
    expect(errors.filter((error) => !error.includes("No available adapters"))).toEqual([]);
    await bare.close();
  });
});
