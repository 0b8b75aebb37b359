import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "puppeteer";
import { expect, inject } from "vitest";
import { waitLimit } from "../engines/limits.mjs";
import { cache } from "../engines/packaged.mjs";

export interface Visit {
  page: Page;
  /** The page's errors and warnings. */
  errors: string[];
}

interface Options {
  /** The address of the site; default: the built site. */
  site?: string;
  hasWebGpu?: boolean;
  width?: number;
  height?: number;
  scheme?: "light" | "dark";
  isCalm?: boolean;
  /** Runs in the page before its own scripts. */
  before?: () => void;
}

export async function newPage(browser: Browser): Promise<Page> {
  const page = await browser.newPage();
  page.setDefaultTimeout(waitLimit);
  return page;
}

/** Opens a page of the site. The address is the file's name with query and hash. */
export async function visit(browser: Browser, address: string, options: Options = {}): Promise<Visit> {
  const { site = inject("site"), hasWebGpu = true, width = 1280, height = 800 } = options;
  const { scheme = "light", isCalm = false, before } = options;
  const page = await newPage(browser);
  const errors: string[] = [];
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("error", (error) => errors.push(String(error)));
  page.on("requestfailed", (request) => errors.push(`${request.url()}: ${request.failure()?.errorText}`));
  page.on("response", (response) => {
    if (response.status() >= 400) errors.push(`${response.url()}: ${response.status()}`);
  });
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([
    { name: "prefers-color-scheme", value: scheme },
    { name: "prefers-reduced-motion", value: isCalm ? "reduce" : "no-preference" },
  ]);
  if (!hasWebGpu) await page.evaluateOnNewDocument("delete Navigator.prototype.gpu");
  if (before) await page.evaluateOnNewDocument(before);
  await page.goto(site + address);
  return { page, errors };
}

export function text(page: Page, selector: string): Promise<string> {
  return page.$eval(selector, (element) => element.textContent?.trim() ?? "");
}

/** Waits until the page's state, in body[data-state], is one of these, or the page gave up. */
export async function untilState(page: Page, ...states: string[]): Promise<void> {
  const found = (wanted: string[]) => wanted.find((state) => state === document.body.dataset.state);
  const state = await page.waitForFunction(found, { polling: 50 }, [...states, "failed"]);
  const isWanted = states.includes((await state.jsonValue()) as string);
  expect(isWanted, isWanted ? "" : await text(page, "#state")).toBe(true);
}

export async function untilText(page: Page, selector: string, wanted: string): Promise<void> {
  const isThere = (selector: string, wanted: string) =>
    document.querySelector(selector)?.textContent?.includes(wanted) ?? false;
  await page.waitForFunction(isThere, { polling: 50 }, selector, wanted);
}

/** Waits for a step of the runs, or for the page to give up. */
export async function untilStep(page: Page, step: number): Promise<void> {
  const isThere = (wanted: number) =>
    document.body.dataset.state === "failed" ||
    Number(/step (\d+)/.exec(document.querySelector("#speed")?.textContent ?? "")?.[1]) >= wanted;
  await page.waitForFunction(isThere, { polling: 50 }, step);
  expect(await text(page, "#state")).not.toContain("Stopped");
}

/** Into .cache/screenshots, to be looked at. */
export async function photograph(page: Page, name: string): Promise<void> {
  const folder = join(cache, "screenshots");
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true, optimizeForSpeed: true });
}

/** A digest of a canvas, to see that it changed. */
export function pictureOf(page: Page, selector: string): Promise<string> {
  return page.$eval(selector, (canvas) => (canvas as HTMLCanvasElement).toDataURL());
}

/** How many pixels of a canvas, or of its left columns, have a colour of the style sheet, within a rounding. */
export function inkOf(page: Page, selector: string, property: string, columns?: number): Promise<number> {
  return page.$eval(
    selector,
    (canvas, property, columns) => {
      const { width, height } = canvas as HTMLCanvasElement;
      const copy = Object.assign(document.createElement("canvas"), { width, height });
      const context = copy.getContext("2d", { willReadFrequently: true }) as CanvasRenderingContext2D;
      context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(property);
      const wanted = [1, 3, 5].map((at) => Number.parseInt(String(context.fillStyle).slice(at, at + 2), 16));
      context.drawImage(canvas as HTMLCanvasElement, 0, 0);
      const { data } = context.getImageData(0, 0, columns ?? width, height);
      let count = 0;
      for (let at = 0; at < data.length; at += 4) {
        if (wanted.every((value, channel) => Math.abs(value - (data[at + channel] as number)) <= 2)) count++;
      }
      return count;
    },
    property,
    columns,
  );
}

interface Drawing {
  /** Those of the window: a slow one has frames without a draw. */
  frames: number;
  draws: number;
  /** The most of them in one frame. */
  drawsAFrame: number;
  /** The number of calls of its canvases. */
  calls: number;
  /** Those among the calls that move pixels. */
  pixelCalls: number;
  layouts: number;
}

/** Starts to count the page's drawing. Returns a function that reads the counts. */
export async function countDrawing(page: Page): Promise<() => Promise<Drawing>> {
  await page.evaluate(() => {
    const counts = { frames: 0, draws: 0, drawsAFrame: 0, calls: 0, pixelCalls: 0 };
    for (const prototype of [CanvasRenderingContext2D.prototype, Path2D.prototype]) {
      for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
        if (typeof value !== "function" || name === "constructor") continue;
        const counted = function (this: unknown, ...values: unknown[]) {
          counts.calls++;
          if (/image/i.test(name)) counts.pixelCalls++;
          return value.apply(this, values);
        };
        Object.defineProperty(prototype, name, { value: counted });
      }
    }
    performance.clearMarks("draw");
    const countDraws = () => {
      const { length } = performance.getEntriesByName("draw");
      counts.drawsAFrame = Math.max(counts.drawsAFrame, length - counts.draws);
      counts.draws = length;
      counts.frames++;
      requestAnimationFrame(countDraws);
    };
    requestAnimationFrame(countDraws);
    Object.assign(globalThis, { drawing: counts });
  });
  const { LayoutCount: before = 0 } = await page.metrics();
  return async () => {
    const counts = await page.evaluate(() => {
      const { drawing } = globalThis as unknown as { drawing: Omit<Drawing, "layouts"> };
      return { ...drawing, draws: performance.getEntriesByName("draw").length };
    });
    const { LayoutCount: after = 0 } = await page.metrics();
    return { ...counts, layouts: after - before };
  };
}

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Where an element is in the window, scrolled into it, as soon as it is there for two frames: what moves is missed by who aims at it. */
export async function boxOf(page: Page, selector: string): Promise<Box> {
  const element = await page.waitForSelector(selector);
  if (!element) throw new Error(`${selector} is not on the page.`);
  await element.scrollIntoView();
  return element.evaluate(async (element) => {
    const afterFrame = () => new Promise<Box>((resolve) => requestAnimationFrame(() => resolve(now())));
    const now = (): Box => {
      const { x, y, width, height } = element.getBoundingClientRect();
      return { x, y, width, height };
    };
    let [before, box] = [now(), await afterFrame()];
    while (JSON.stringify(box) !== JSON.stringify(before)) [before, box] = [box, await afterFrame()];
    return box;
  });
}

/** Swipes by so many pixels, and waits until the page rests: it goes on by itself after the finger. Returns how far it scrolled. */
export async function swipe(page: Page, x: number, y: number, by: number): Promise<number> {
  const before = await page.evaluate(() => {
    document.addEventListener("scrollend", () => performance.mark("rest"), { once: true });
    performance.clearMarks("rest");
    return scrollY;
  });
  await dragByTouch(page, x, y, by);
  await page.waitForFunction(() => performance.getEntriesByName("rest").length > 0, { polling: 50 });
  return (await page.evaluate(() => scrollY)) - before;
}

/** For what moves under a finger while the page stays. */
export async function dragByTouch(page: Page, x: number, y: number, by: number): Promise<void> {
  await page.touchscreen.touchStart(x, y);
  for (let moved = 1; moved <= 6; moved++) await page.touchscreen.touchMove(x, y + (by * moved) / 6);
  await page.touchscreen.touchEnd();
}
