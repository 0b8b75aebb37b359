import type { Browser, Page } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { launchChromium } from "../engines/chromium.mjs";
import { isSoftware } from "../engines/packaged.mjs";

const chance = Math.log(10);

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

interface Visit {
  page: Page;
  errors: string[];
}

/** Opens the page and collects what it complains about. */
async function visit(address: string, { hasWebGpu = true, width = 1280, height = 800 } = {}): Promise<Visit> {
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.setViewport({ width, height });
  if (!hasWebGpu) await page.evaluateOnNewDocument("delete Navigator.prototype.gpu");
  await page.goto(`${inject("site")}train.html${address}`);
  return { page, errors };
}

function text(page: Page, selector: string): Promise<string> {
  return page.$eval(selector, (element) => element.textContent?.trim() ?? "");
}

/** Waits for a step of the run with `seed`, or for the page to give up. */
async function untilStep(page: Page, step: number): Promise<void> {
  const isThere = (wanted: number) =>
    document.body.dataset.state === "failed" ||
    Number(/step (\d+)/.exec(document.querySelector("#speed")?.textContent ?? "")?.[1]) >= wanted;
  await page.waitForFunction(isThere, { timeout: 170_000, polling: 100 }, step);
  expect(await text(page, "#state")).not.toContain("Stopped");
}

async function untilText(page: Page, selector: string, wanted: string): Promise<void> {
  const isThere = (selector: string, wanted: string) =>
    document.querySelector(selector)?.textContent?.includes(wanted) ?? false;
  await page.waitForFunction(isThere, { timeout: 170_000, polling: 100 }, selector, wanted);
}

function lossesOf(page: Page, run: "clipped" | "unclipped"): Promise<(number | null)[]> {
  return page.evaluate((run) => globalThis.gradclipDemo?.histories[run].loss ?? [], run);
}

function mean(values: (number | null)[]): number {
  return values.reduce<number>((sum, value) => sum + (value ?? Number.NaN), 0) / values.length;
}

/** How many pixels of a chart have the colour of the clipped run's mean. */
function inkOf(page: Page, chart: string): Promise<number> {
  return page.$eval(`${chart} canvas`, (canvas) => {
    const context = (canvas as HTMLCanvasElement).getContext("2d") as CanvasRenderingContext2D;
    context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--clipped");
    const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(String(context.fillStyle).slice(at, at + 2), 16));
    const { data } = context.getImageData(0, 0, context.canvas.width, context.canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) count++;
    }
    return count;
  });
}

describe("the training page on WebGPU", () => {
  let visited: Visit;
  beforeAll(async () => {
    visited = await visit("?backend=webgpu#rate=0.1&bound=1&seed=8");
    await untilStep(visited.page, 100);
  });
  afterAll(() => visited?.page.close());

  it("names its adapter", async () => {
    expect(await text(visited.page, "#backend")).toMatch(/^WebGPU · ./);
  });

  it("learns with clipping", async () => {
    const losses = await lossesOf(visited.page, "clipped");
    expect(mean(losses.slice(-20))).toBeLessThan(mean(losses.slice(0, 20)) - 0.25);
    expect(mean(losses.slice(-20))).toBeLessThan(chance - 0.25);
    expect(await text(visited.page, "#clipped .verdict")).toMatch(/^\d+ % of steps clipped$/);
  });

  it("draws a value for every step", async () => {
    const { clipped } = await visited.page.evaluate(() => globalThis.gradclipDemo?.histories ?? ({} as never));
    expect(clipped.norm.length).toBe(clipped.loss.length);
    expect(clipped.norm.every((norm) => norm !== null && norm > 0)).toBe(true);
    expect(await inkOf(visited.page, "#loss-curves")).toBeGreaterThan(50);
    expect(await inkOf(visited.page, "#norm-curves")).toBeGreaterThan(50);
  });

  it("pauses and resumes", async () => {
    const { page } = visited;
    await page.click("#pause");
    await untilText(page, "#state", "Paused");
    const paused = await text(page, "#speed");
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await text(page, "#speed")).toBe(paused);
    await page.click("#pause");
    await untilText(page, "#state", "Training");
  });

  it("shows the explosion without clipping", async () => {
    const { page } = visited;
    await page.evaluate(() => {
      location.hash = "rate=0.1&bound=1&seed=2";
    });
    await untilText(page, "#unclipped .verdict", "exploded at step 2");
    await untilStep(page, 6);
    // Not the loss: in WGSL max(NaN, 0) may be 0.
    expect(await text(page, "#unclipped [data-value=norm]")).toBe("NaN");
    expect((await lossesOf(page, "clipped")).every((loss) => loss !== null)).toBe(true);
  });

  it("complains about nothing", () => {
    expect(visited.errors).toEqual([]);
  });
});

describe("the training page without WebGPU", () => {
  it("says why, and trains to the end on the CPU", async () => {
    const { page, errors } = await visit("#rate=0.1&bound=1&seed=2", { hasWebGpu: false });
    await untilText(page, "#state", "Finished");
    expect(await text(page, "#backend")).toBe("CPU (wasm): this browser has no WebGPU");
    expect(await text(page, "#unclipped .verdict")).toBe("exploded at step 2: 1450 gradients not finite");
    expect(await text(page, "#unclipped [data-value=loss]")).toBe("NaN");
    const losses = await lossesOf(page, "clipped");
    expect(losses.length).toBe(600);
    expect(mean(losses.slice(-50))).toBeLessThan(chance - 0.8);
    expect(Number.parseInt(await text(page, "#clipped [data-value=accuracy]"), 10)).toBeGreaterThan(40);
    expect(errors).toEqual([]);
    await page.close();
  });

  it.runIf(isSoftware)("does not take an emulated GPU unasked", async () => {
    const { page, errors } = await visit("");
    await untilStep(page, 5);
    expect(await text(page, "#backend")).toBe("CPU (wasm): WebGPU is emulated in software here");
    expect(errors).toEqual([]);
    await page.close();
  });

  it("fits a phone and obeys the keyboard", async () => {
    const { page, errors } = await visit("?backend=cpu#rate=0.1&bound=1&seed=2", { width: 360, height: 740 });
    await untilStep(page, 5);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await page.focus("[name=rate]");
    await page.keyboard.press("ArrowLeft");
    expect(await page.evaluate(() => location.hash)).toBe("#rate=0.05&bound=1&seed=2");
    await untilText(page, "#state", "Finished");
    expect(errors).toEqual([]);
    await page.close();
  });
});
