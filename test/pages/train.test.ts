import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { written } from "../../demo/shared/text.ts";
import { choiceOf } from "../../demo/train/choices.ts";
import { type RunName, stepCount } from "../../demo/train/history.ts";
import { launchChromium } from "../engines/chromium.mjs";
import { isSoftware } from "../engines/packaged.mjs";
import {
  boxOf,
  countDrawing,
  inkOf,
  newPage,
  photograph,
  text,
  untilState,
  untilStep,
  untilText,
  type Visit,
  visit,
} from "./visit.ts";

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
    // Every step of the third run is clipped: each has a tick.
    expect(await inkOf(page, "#norm-curves canvas", "--clipped")).toBeGreaterThan(1000);
    // The star at step 2 leaves the labels of the axis free.
    expect(await inkOf(page, "#loss-curves canvas", "--unclipped")).toBeGreaterThan(100);
    expect(await inkOf(page, "#loss-curves canvas", "--unclipped", 45)).toBe(0);
    expect(await text(page, "#chosen .verdict")).toMatch(/^(\d+) of \1 steps clipped; without them: dead at step 2$/);
    await photograph(page, "train-desktop");
  });

  it("draws once a frame, each step of a run once, and nothing moves", async () => {
    await page.click("#restart");
    await untilStep(page, 1);
    const drawn = await countDrawing(page);
    await page.evaluate(() => {
      new PerformanceObserver((list) => performance.mark("shift", { detail: list.getEntries().length })).observe({
        type: "layout-shift",
      });
    });
    await page.waitForFunction(() => performance.getEntriesByName("draw").length > 10);
    const { frames, draws, drawsAFrame, calls, layouts } = await drawn();
    expect(drawsAFrame).toBe(1);
    expect(layouts).toBeLessThan(frames + draws);
    // Three runs and their means in two charts.
    expect(calls / draws).toBeGreaterThan(200);
    expect(calls / draws).toBeLessThan(14 * stepCount);
    expect(await page.evaluate(() => performance.getEntriesByName("shift").length)).toBe(0);
  });

  it("says which step the cursor is on, and shows only that step's numbers", async () => {
    await untilText(page, "#state", "Finished");
    const { x, y, width, height } = await boxOf(page, "#loss-curves .u-over");
    await page.mouse.move(x + 0.5 * width, y + 0.5 * height);
    await untilText(page, "#chosen .verdict", "at step");
    const step = Number((await text(page, "#chosen .verdict")).replace("at step ", ""));
    expect(Math.abs(step - stepCount / 2)).toBeLessThan(3);
    expect(await text(page, "#none .verdict")).toBe(`at step ${step}`);
    const history = await page.evaluate(() => globalThis.gradclipDemo?.histories.chosen);
    expect(await text(page, "#chosen [data-value=loss]")).toBe(written(history?.loss[step - 1]));
    expect(await text(page, "#chosen [data-value=norm]")).toBe(written(history?.norm[step - 1]));
    const exam = history?.exams.filter((each) => each.step <= step).at(-1);
    expect(step - (exam?.step ?? 0)).toBeLessThan(25);
    expect(await text(page, "#chosen [data-value=accuracy]")).toBe(`${Math.round(100 * (exam?.accuracy ?? 0))} %`);
    await page.mouse.move(0, 0);
    await untilText(page, "#chosen .verdict", "steps clipped");
  });

  it("keeps the run before, faint, and has its presets beside the controls and the cards", async () => {
    const before = await inkOf(page, "#loss-curves canvas", "--faint");
    for (const [width, height] of [
      [1280, 800],
      [360, 740],
    ] as const) {
      await page.setViewport({ width, height });
      await page.$eval("#presets", (presets) => presets.scrollIntoView({ block: "end" }));
      const inWindow = await page.$$eval(
        "#presets a, #norm-curves",
        (all) =>
          all.filter((element) => {
            const { top, bottom } = element.getBoundingClientRect();
            return top >= 0 && bottom <= innerHeight;
          }).length,
      );
      expect(inWindow).toBe(8);
    }
    await page.setViewport({ width: 1280, height: 800 });
    await page.$$eval("#presets a", (links) => (links[1] as HTMLElement).click());
    await untilText(page, "#presets p", "a few steps are clipped");
    expect(await page.$$eval("#presets [aria-current]", (all) => all.length)).toBe(1);
    expect(await page.$eval("#before", (note) => (note as HTMLElement).hidden)).toBe(false);
    await page.waitForFunction(() => (globalThis.gradclipDemo?.histories.chosen.loss.length ?? 0) > 5);
    await untilText(page, "#speed", "step");
    expect(await inkOf(page, "#loss-curves canvas", "--faint")).toBeGreaterThan(before + 100);
  });

  it("explains its dotted words on focus, and Escape hides the sentence", async () => {
    for (const term of ["norm", "bound", "value"]) {
      await page.focus(`dfn[data-term=${term}]`);
      expect((await text(page, "#says")).toLowerCase()).toContain(term);
      const { left, right } = await page.$eval("#says", (tip) => tip.getBoundingClientRect().toJSON());
      expect(left).toBeGreaterThanOrEqual(0);
      expect(right).toBeLessThanOrEqual(1280);
      await page.keyboard.press("Escape");
      expect(await page.$eval("#says", (tip) => (tip as HTMLElement).hidden)).toBe(true);
    }
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
      all.map(({ value }) => value as Parameters<typeof choiceOf>[0]),
    );
    expect(methods.length).toBe(6);
    for (const value of methods.reverse()) {
      await page.select("[name=method]", value);
      const { title, usual } = choiceOf(value);
      await untilText(page, "#chosen-title", `Clipped ${title}`);
      expect(await text(page, "[name=bound] + output, label:has([name=bound]) output")).toBe(String(usual));
      await untilState(page, "training");
      await page.waitForFunction(() => (globalThis.gradclipDemo?.histories.chosen.loss.length ?? 0) > 5);
      expect((await lossesOf(page, "chosen")).every((loss) => loss !== null)).toBe(true);
      await untilText(page, "#guesses tr:last-child th", title);
      expect(await page.evaluate(() => new URLSearchParams(location.hash.slice(1)).get("method"))).toBe(value);
    }
  });

  it("complains about nothing", () => {
    expect(visited.errors).toEqual([]);
  });
});

describe("a page that nobody looks at", () => {
  it("keeps no wild values in its address, and trains nothing until it is seen", async () => {
    const page = await newPage(browser);
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
