import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { descend, type MethodName } from "../../demo/cliff/descent.ts";
import { stepCount } from "../../demo/cliff/settings.ts";
import { errorAt, gradientAt } from "../../demo/cliff/surface.ts";
import { createClipper } from "../../src/index.ts";
import { launchChromium } from "../engines/chromium.mjs";
import {
  boxOf,
  countDrawing,
  inkOf,
  photograph,
  pictureOf,
  text,
  untilState,
  untilText,
  type Visit,
  visit,
} from "./visit.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

describe("the surface", () => {
  it("has the derivatives that differences show", () => {
    const step = 1e-6;
    for (const [w, b] of [
      [5.5, -2.5],
      [4.5, -2],
      [6, -2.6],
      [4.2, -2.9],
    ] as const) {
      const { error, byW, byB } = gradientAt({ w, b });
      expect(error).toBe(errorAt(w, b));
      expect(byW).toBeCloseTo((errorAt(w + step, b) - errorAt(w - step, b)) / (2 * step), 6);
      expect(byB).toBeCloseTo((errorAt(w, b + step) - errorAt(w, b - step)) / (2 * step), 6);
    }
  });

  // Paths near the wall are chaotic: the claims of the presets are loose, and must hold.
  it.each<[string, MethodName, number, number, boolean, boolean]>([
    ["right", "norm", 0.5, 0.2, true, true],
    ["too loose", "norm", 50, 0.2, false, false],
    ["too tight", "norm", 0.02, 0.2, true, false],
    ["by value", "value", 0.5, 0.2, true, false],
    ["a smaller rate", "norm", 0.5, 0.05, true, true],
    ["not clipped", "none", 0.5, 0.2, false, false],
    ["not clipped, a smaller rate", "none", 0.5, 0.05, false, false],
  ])("preset %s does what its sentence says", async (_, method, bound, rate, staysOnMap, arrives) => {
    const clipper = await createClipper({ backend: "cpu" });
    const { w, b, error } = descend(clipper, { w: 5.5, b: -2.5 }, rate, method, bound, 300);
    const [endW, endB] = [w.at(-1) as number, b.at(-1) as number];
    expect(endW > 3.9 && endW < 6.15 && endB > -3.1 && endB < -1.6).toBe(staysOnMap);
    expect((error.at(-1) as number) < 0.01).toBe(arrives);
  });
});

describe("the cliff on WebGPU", () => {
  let visited: Visit;
  let page: Page;
  beforeAll(async () => {
    visited = await visit(browser, "index.html?backend=webgpu");
    page = visited.page;
    await untilState(page, "drawn");
    await untilText(page, "#backend", "Surface");
  });
  afterAll(() => page?.close());

  it("draws the surface with the GPU, as errorAt has it", async () => {
    expect(await text(page, "#backend")).toMatch(/^Surface: WebGPU · ./);
    // Dark where the error is low, bright where it is high: along a line through the valley.
    const brightness = await page.$eval("#surface", (canvas) => {
      const { width, height } = canvas as HTMLCanvasElement;
      const { data } = ((canvas as HTMLCanvasElement).getContext("2d") as CanvasRenderingContext2D).getImageData(
        0,
        0,
        width,
        height,
      );
      return [0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95].map(
        (y) => data[4 * (Math.floor(y * height) * width + Math.floor(0.1 * width))] as number,
      );
    });
    const errors = [0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95].map((y) => errorAt(3.9 + 0.1 * 2.25, -1.6 - 1.5 * y));
    const order = (values: number[]) =>
      values.map((_, index) => index).sort((i, j) => (values[i] as number) - (values[j] as number));
    expect(order(brightness)).toEqual(order(errors));
  });

  it("shows both paths, and where the unclipped one went", async () => {
    expect(await inkOf(page, "#paths", "--path-clipped")).toBeGreaterThan(300);
    expect(await inkOf(page, "#paths", "--path-unclipped")).toBeGreaterThan(300);
    expect(await text(page, "#unclipped-end")).toMatch(/^thrown off the map, to \(/);
    expect(await text(page, "#clipped-end")).toMatch(/^arrives/);
    await photograph(page, "index-desktop");
  });

  it("follows the start that is dragged", async () => {
    const before = await pictureOf(page, "#paths");
    const { x, y, width, height } = await boxOf(page, "#map");
    await page.mouse.move(x + 0.7 * width, y + 0.6 * height);
    await page.mouse.down();
    await page.mouse.move(x + 0.5 * width, y + 0.3 * height, { steps: 8 });
    await page.mouse.up();
    await page.waitForFunction(() => !location.hash.startsWith("#w=5.5&"));
    const start = new URLSearchParams(await page.evaluate(() => location.hash.slice(1)));
    expect(Number(start.get("w"))).toBeCloseTo(3.9 + 0.5 * 2.25, 1);
    expect(Number(start.get("b"))).toBeCloseTo(-1.6 - 0.3 * 1.5, 1);
    expect(await pictureOf(page, "#paths")).not.toBe(before);
  });

  it("follows the bound that is dragged in its strip", async () => {
    const before = await pictureOf(page, "#paths");
    const { x, y, width, height } = await boxOf(page, "#norm .u-over");
    await page.mouse.move(x + 0.5 * width, y + 0.6 * height);
    await page.mouse.down();
    await page.mouse.move(x + 0.5 * width, y + 0.75 * height, { steps: 5 });
    await page.mouse.up();
    await page.waitForFunction(() => Number(/bound=([\d.]+)/.exec(location.hash)?.[1]) < 0.1);
    await page.waitForFunction(
      (before) => (document.querySelector("#paths") as HTMLCanvasElement).toDataURL() !== before,
      {},
      before,
    );
  });

  it("shows one step as vectors, and its direction kept", async () => {
    await page.evaluate(() => {
      location.hash = "w=5.5&b=-2.5&rate=0.2&method=norm&bound=0.5&step=103";
    });
    await untilText(page, "#sentences", "The direction stays");
    const tips = await page.$$eval("#vectors .before, #vectors .after", (paths) =>
      paths.map((path) => (/^M0 0L(\S+) (\S+?)M/.exec(path.getAttribute("d") ?? "") ?? []).slice(1).map(Number)),
    );
    const [before, after] = tips.map(([x = 0, y = 0]) => ({ angle: Math.atan2(y, x), length: Math.hypot(x, y) }));
    expect(after?.angle).toBeCloseTo(before?.angle as number, 5);
    expect(after?.length).toBeLessThan(before?.length as number);
    await page.click("#play");
    await page.waitForSelector("#sentences .current");
  });

  it("draws once a frame, the paths alone, and lays nothing out twice", async () => {
    const drawn = await countDrawing(page);
    const { x, y, width, height } = await boxOf(page, "#map");
    const moveTo = (part: number) => page.mouse.move(x + part * width, y + 0.4 * height, { steps: 5 });
    await moveTo(0.5);
    await page.mouse.down();
    for (let part = 0.5; (await drawn()).draws <= 10; part = 1.2 - part) await moveTo(part);
    await page.mouse.up();
    const { draws, drawsAFrame, calls, pixelCalls, layouts } = await drawn();
    expect(drawsAFrame).toBe(1);
    expect(layouts).toBeLessThan(2 * draws);
    // Two paths on the map and in each of three strips.
    expect(calls / draws).toBeGreaterThan(stepCount);
    expect(calls / draws).toBeLessThan(10 * stepCount);
    // The surface stays as it is.
    expect(pixelCalls).toBe(0);
  });

  it("complains about nothing", () => {
    expect(visited.errors).toEqual([]);
  });
});

describe("the cliff without WebGPU, on a phone, by keyboard", () => {
  it("draws everything on the CPU and obeys the arrow keys", async () => {
    const { page, errors } = await visit(browser, "index.html", {
      hasWebGpu: false,
      width: 360,
      height: 740,
      isCalm: true,
    });
    await untilState(page, "drawn");
    await untilText(page, "#backend", "this browser has no WebGPU");
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await page.waitForFunction(() => (document.querySelector("#surface") as HTMLCanvasElement).width > 250);
    await page.focus("#start");
    await page.keyboard.press("ArrowLeft");
    await page.waitForFunction(() => location.hash.startsWith("#w=5.48&b=-2.5"));
    await page.focus("#bound");
    const bound = await text(page, "#bound-output");
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction((before) => document.querySelector("#bound-output")?.textContent !== before, {}, bound);
    await photograph(page, "index-phone");
    expect(errors).toEqual([]);
    await page.close();
  });
});
