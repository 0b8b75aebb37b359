import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { descend, type MethodName } from "../../demo/cliff/descent.ts";
import { countOf, descendFromAll, fieldStarts } from "../../demo/cliff/field.ts";
import { stepCount } from "../../demo/cliff/settings.ts";
import { errorAt, gradientAt, isInside } from "../../demo/cliff/surface.ts";
import { createClipper } from "../../src/index.ts";
import { launchChromium } from "../engines/chromium.mjs";
import {
  boxOf,
  countDrawing,
  dragByTouch,
  inkOf,
  photograph,
  pictureOf,
  swipe,
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
    ["right, the default", "norm", 1, 0.2, true, true],
    ["too loose", "norm", 50, 0.2, false, false],
    ["too tight", "norm", 0.02, 0.2, true, false],
    ["by value", "value", 1, 0.2, true, false],
    ["a smaller rate", "norm", 1, 0.05, true, true],
    ["not clipped", "none", 0.5, 0.2, false, false],
    ["not clipped, a smaller rate", "none", 0.5, 0.05, false, false],
  ])("preset %s does what its sentence says", async (_, method, bound, rate, staysOnMap, arrives) => {
    const clipper = await createClipper({ backend: "cpu" });
    const { w, b, error } = descend(clipper, { w: 5.5, b: -2.5 }, rate, method, bound, 300);
    expect(isInside({ w: w.at(-1) as number, b: b.at(-1) as number })).toBe(staysOnMap);
    expect((error.at(-1) as number) < 0.01).toBe(arrives);
  });

  it("from another start both arrive", async () => {
    const clipper = await createClipper({ backend: "cpu" });
    for (const method of ["none", "norm"] as const) {
      expect(descend(clipper, { w: 6, b: -2.6 }, 0.2, method, 1, 300).error.at(-1)).toBeLessThan(0.01);
    }
  });
});

describe("the field of starts", () => {
  it("ends where single descents end, each start clipped by its own norm", async () => {
    const clipper = await createClipper({ backend: "cpu" });
    for (const method of ["none", "norm", "value"] as const) {
      const field = descendFromAll(clipper, 0.2, method, 1, stepCount);
      const sample = fieldStarts().flatMap((start, index) =>
        index % 16 === 5 ? [{ start, ending: field[index] }] : [],
      );
      const agreeing = sample.filter(({ start, ending }) => {
        const { w, b, error } = descend(clipper, start, 0.2, method, 1, stepCount);
        if (!isInside({ w: w.at(-1) as number, b: b.at(-1) as number })) return ending === "thrown off";
        return ending === ((error.at(-1) as number) < 0.01 ? "arrived" : "under way");
      });
      expect(sample.length).toBe(24);
      expect(agreeing.length).toBe(24);
    }
  });

  it("shows that clipping helps from almost every start, at every rate of the page", async () => {
    const clipper = await createClipper({ backend: "cpu" });
    const arrivals = (rate: number, method: MethodName) =>
      countOf(descendFromAll(clipper, rate, method, 1, stepCount), "arrived");
    expect(arrivals(0.2, "norm")).toBeGreaterThan(370);
    expect(arrivals(0.2, "none")).toBeLessThan(160);
    for (const rate of [0.02, 0.05, 0.1, 0.5]) {
      expect(arrivals(rate, "norm")).toBeGreaterThan(arrivals(rate, "none"));
    }
  });
});

/** How many elements lie in the window, without scrolling. */
function seenOf(page: Page, selector: string): Promise<number> {
  return page.$$eval(
    selector,
    (all) =>
      all.filter((element) => {
        const { top, bottom, width } = element.getBoundingClientRect();
        return width > 0 && top >= 0 && bottom <= innerHeight;
      }).length,
  );
}

describe("the cliff's faults", () => {
  let visited: Visit;
  let page: Page;
  beforeAll(async () => {
    visited = await visit(browser, "index.html#w=1e9&b=-2.50001&rate=7e99&bound=1e-300&step=1e9&method=zap&x=1", {
      hasWebGpu: false,
    });
    page = visited.page;
    await untilState(page, "drawn");
  });
  afterAll(() => page?.close());

  it("keeps no wild values in the address", async () => {
    expect(await page.evaluate(() => location.hash)).toBe(
      "#w=6.15&b=-2.5&rate=0.5&method=norm&bound=0.01&step=300&starts=one",
    );
    expect(await page.$$eval("#rate option", (options) => options.length)).toBe(5);
  });

  it("shows red where it lies under blue", async () => {
    const same = await visit(browser, "index.html#w=6&b=-2.6&rate=0.2&method=none", { hasWebGpu: false });
    await untilState(same.page, "drawn");
    expect(await inkOf(same.page, "#paths", "--path-clipped")).toBeGreaterThan(300);
    expect(await inkOf(same.page, "#paths", "--path-unclipped")).toBeGreaterThan(300);
    await same.page.close();
  });

  it("has its four facts and the maps of both kinds in the first window, and every preset beside the map that it changes", async () => {
    for (const [width, height] of [
      [1280, 800],
      [360, 740],
    ] as const) {
      await page.setViewport({ width, height });
      await page.evaluate(() => scrollTo(0, 0));
      expect(await seenOf(page, ".facts li, #map")).toBe(5);
      await page.click("[name=starts][value=all]");
      await page.waitForFunction(() => document.body.dataset.starts === "all");
      expect(await seenOf(page, ".facts li, .field, .counts")).toBe(8);
      await page.click("[name=starts][value=one]");
      await page.waitForFunction(() => document.body.dataset.starts === "one");
      await page.$eval("#presets", (presets) => presets.scrollIntoView({ block: "end" }));
      expect(await seenOf(page, "#presets a, #map")).toBe(7);
    }
    const links = await page.$$("#presets a");
    for (const link of links) {
      const [before, address] = [await pictureOf(page, "#paths"), await page.evaluate(() => location.hash)];
      await link.evaluate((element) => (element as HTMLElement).click());
      await page.waitForFunction((before) => location.hash !== before, {}, address);
      await page.waitForFunction(
        (before) => (document.querySelector("#paths") as HTMLCanvasElement).toDataURL() !== before,
        {},
        before,
      );
      expect(await page.$$eval("#presets [aria-current]", (all) => all.length)).toBe(1);
      expect((await text(page, "#presets p")).length).toBeGreaterThan(20);
    }
  });

  it("scrolls under a finger, which moves the start or the bound only where it takes hold of them", async () => {
    await page.setViewport({ width: 360, height: 740, hasTouch: true });
    await page.evaluate(() => {
      location.hash = "w=5.5&b=-2.5&rate=0.2&method=norm&bound=1&step=121";
    });
    const setting = (name: string) =>
      page.evaluate((name) => Number(new URLSearchParams(location.hash.slice(1)).get(name)), name);
    const frame = () => page.evaluate(() => new Promise(requestAnimationFrame));
    const untilSetting = (name: string, least: number, most: number) =>
      page.waitForFunction(
        (name, least, most) => {
          const value = Number(new URLSearchParams(location.hash.slice(1)).get(name));
          return value > least && value < most;
        },
        { polling: 50 },
        name,
        least,
        most,
      );

    const map = await boxOf(page, "#map");
    expect(await swipe(page, map.x + 0.3 * map.width, map.y + 0.3 * map.height, -60)).toBeGreaterThan(0);
    await frame();
    expect([await setting("w"), await setting("b")]).toEqual([5.5, -2.5]);
    const again = await boxOf(page, "#map");
    // Not right after a drag: what follows it at once may only stop what it has thrown.
    await page.touchscreen.tap(again.x + 0.5 * again.width, again.y + 0.5 * again.height);
    await untilSetting("b", -2.4, -2.3);
    const start = await boxOf(page, "#start");
    await dragByTouch(page, start.x + 13, start.y + 13, 40);
    await untilSetting("b", -4, -2.5);

    const strip = await boxOf(page, "#norm .u-over");
    expect(await swipe(page, strip.x + 0.2 * strip.width, strip.y + 0.5 * strip.height, -150)).toBeGreaterThan(0);
    await frame();
    expect(await setting("bound")).toBe(1);
    const grip = await boxOf(page, "#norm .grip");
    await dragByTouch(page, grip.x + grip.width / 2, grip.y + grip.height / 2, 25);
    await untilSetting("bound", 0, 0.5);
  });

  it("complains about nothing", () => {
    expect(visited.errors).toEqual([]);
  });
});

describe("all starts", () => {
  it("draws both fields, counts them, follows bound and rate, and takes a start by a click", async () => {
    const { page, errors } = await visit(browser, "index.html#starts=all", { hasWebGpu: false });
    await untilText(page, "#field-unclipped .arrived", "of 384 arrive");
    await untilText(page, "#field-clipped .arrived", "of 384 arrive");
    const count = async (selector: string) => Number.parseInt(await text(page, selector), 10);
    expect(await count("#field-clipped .arrived")).toBeGreaterThan(370);
    expect(await count("#field-unclipped .thrown")).toBeGreaterThan(200);
    // A cell is about 20 pixels wide.
    const [red, dark] = [
      await inkOf(page, "#field-unclipped canvas", "--path-unclipped"),
      await inkOf(page, "#field-clipped canvas", "--arrived"),
    ];
    expect(red).toBeGreaterThan(200 * 200);
    expect(dark).toBeGreaterThan(370 * 200);
    expect(await seenOf(page, ".fields canvas, .counts")).toBe(4);

    const before = [await text(page, "#field-unclipped .counts"), await text(page, "#field-clipped .counts")];
    await page.select("#rate", "0.02");
    for (const [index, name] of ["unclipped", "clipped"].entries()) {
      const changed = (name: string, before?: string) =>
        document.querySelector(`#field-${name} .counts`)?.textContent !== before;
      await page.waitForFunction(changed, {}, name, before[index]);
    }
    const atRate = await text(page, "#field-clipped .counts");
    await page.focus("#bound");
    await page.keyboard.press("Home");
    await page.waitForFunction(
      (before) => document.querySelector("#field-clipped .counts")?.textContent !== before,
      {},
      atRate,
    );
    await photograph(page, "index-all");

    const { x, y, width, height } = await boxOf(page, "#field-clipped canvas");
    await page.mouse.click(x + 0.5 * width, y + 0.5 * height);
    await untilState(page, "drawn");
    await page.waitForFunction(() => document.body.dataset.starts === "one");
    expect(await page.evaluate(() => location.hash)).toContain("#w=5.0");
    await page.waitForFunction(() => (document.querySelector("#surface") as HTMLCanvasElement).width > 400);
    expect(errors).toEqual([]);
    await page.close();
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
    await page.waitForFunction(
      (before) => (document.querySelector("#paths") as HTMLCanvasElement).toDataURL() !== before,
      {},
      before,
    );
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
    const clipper = await createClipper({ backend: "cpu" });
    const { w, b } = descend(clipper, { w: 5.5, b: -2.5 }, 0.2, "norm", 0.5, 103);
    await page.evaluate(() => {
      location.hash = "w=5.5&b=-2.5&rate=0.2&method=norm&bound=0.5&step=103";
    });
    // What stood there before may say that the direction stays, too.
    await untilText(page, "#sentences", `At w = ${w[103]?.toFixed(2)}, b = ${b[103]?.toFixed(2)} the gradient`);
    expect(await text(page, "#sentences")).toContain("The direction stays");
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
    const { frames, draws, drawsAFrame, calls, pixelCalls, layouts } = await drawn();
    expect(drawsAFrame).toBe(1);
    expect(layouts).toBeLessThan(frames + draws);
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
