import { readFileSync } from "node:fs";
import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Digits } from "../../bench/training/digits.ts";
import { uniformNumbers } from "../../bench/training/random.ts";
import { defaultSettings } from "../../demo/engine/adamw.ts";
import { drawBatch } from "../../demo/engine/batch.ts";
import { initialWeights, widths } from "../../demo/engine/network.ts";
import { exampleCount } from "../../demo/engine/training.ts";
import { launchChromium } from "../engines/chromium.mjs";
import { largest } from "../support/largest.ts";
import { Perceptron } from "../support/perceptron.ts";
import { inkOf, text, untilState, untilText, type Visit, visit } from "./visit.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

function open(address: string, options?: Parameters<typeof visit>[2]): Promise<Visit> {
  return visit(browser, `engine.html${address}`, options);
}

async function untilStep(page: Page, step: number): Promise<void> {
  const isThere = (wanted: number) =>
    document.body.dataset.state === "failed" || (globalThis.gradclipEngine?.readings.at(-1)?.step ?? 0) >= wanted;
  await page.waitForFunction(isThere, { polling: 50 }, step);
  expect(await text(page, "#state")).not.toContain("Stopped");
}

function readingsOf(page: Page) {
  return page.evaluate(() => [...(globalThis.gradclipEngine?.readings ?? [])]);
}

/** The norms, bounds and flags of all steps so far. */
async function curveOf(page: Page) {
  const curve = await page.evaluate(() => globalThis.gradclipEngine?.curve);
  if (!curve) throw new Error("The page has no curve.");
  return curve;
}

async function press(page: Page, selector: string, key: "End" | "Home" | "Delete" | "Space"): Promise<void> {
  await page.focus(selector);
  await page.keyboard.press(key);
}

describe("the engine's page", () => {
  it("has the weights of the float64 reference after 20 steps", async () => {
    const { page, errors } = await open("#seed=2&bound=1&steps=20");
    await untilState(page, "finished");
    const digits = new Digits(readFileSync(new URL("../../bench/training/digits8.bin", import.meta.url)));
    const uniform = uniformNumbers(2);
    const reference = new Perceptron(widths, initialWeights(uniform), { ...defaultSettings, maxNorm: 1 });
    const norms = Array.from({ length: 20 }, () => reference.step(drawBatch(digits, exampleCount, uniform)).norm);
    const readings = await readingsOf(page);
    const curve = await curveOf(page);
    expect(readings.map(({ step }) => step)).toEqual(norms.flatMap((_, i) => (i % 2 === 1 ? [i + 1] : [])));
    expect(curve.steps).toEqual(norms.map((_, i) => i + 1));
    expect(curve.flags).toEqual(norms.map((norm) => Number(norm > 1)));
    expect(curve.flags).toContain(1);
    expect(largest(norms.map((norm, i) => norm - (curve.norms[i] ?? Number.NaN)))).toBeLessThan(1e-5);
    const weights = await page.evaluate(() => globalThis.gradclipEngine?.weights());
    const differences = reference.weights.flatMap((layer, i) =>
      [...layer].map((weight, k) => weight - (weights?.[i]?.[k] ?? Number.NaN)),
    );
    expect(differences.length).toBe(6570);
    expect(largest(differences)).toBeLessThan(1e-5);
    expect(errors).toEqual([]);
    await page.close();
  });

  describe("in use", () => {
    let visited: Visit;
    beforeAll(async () => {
      visited = await open("#seed=8&bound=1");
      await untilStep(visited.page, 120);
    });
    afterAll(() => visited?.page.close());

    it("learns, and says what a step costs", async () => {
      const { page } = visited;
      expect(await text(page, "#backend")).toMatch(/^WebGPU · ./);
      const losses = (await readingsOf(page)).map(({ loss }) => loss);
      const mean = (values: number[]) => values.reduce((sum, value) => sum + value) / values.length;
      expect(mean(losses.slice(0, 5))).toBeGreaterThan(2);
      expect(mean(losses.slice(-10))).toBeLessThan(0.7);
      expect(Number.parseInt(await text(page, "#accuracy"), 10)).toBeGreaterThan(75);
      expect(await text(page, "#clipped")).toMatch(/^\d+ %$/);
      expect(await page.$$eval("#kernels li", (items) => items.length)).toBe(16);
      expect(await page.$$eval("#kernels .clip", (items) => items.length)).toBe(3);
      expect(await text(page, "#costs")).toContain(
        "16 dispatches, 3 of them gradclip's, in 1 pass and 1 submit. 9,472 bytes",
      );
      expect(await text(page, "#adamw-code")).toContain("// AdamW (Loshchilov and Hutter, 2019)");
    });

    it("draws the norm of every step from one copy of gradclip's for two steps, and asks for no report", async () => {
      const { page } = visited;
      const counted = await page.evaluate(async () => {
        const { createBuffer } = GPUDevice.prototype;
        const sizes: number[] = [];
        GPUDevice.prototype.createBuffer = function (descriptor) {
          if (descriptor.label?.endsWith("read-back")) sizes.push(descriptor.size);
          return createBuffer.call(this, descriptor);
        };
        const readings = () => globalThis.gradclipEngine?.readings.length ?? 0;
        const first = readings();
        while (readings() < first + 10) await new Promise(requestAnimationFrame);
        GPUDevice.prototype.createBuffer = createBuffer;
        return { sizes, readings: readings() - first };
      });
      // A reading may have begun before, and the next one may be on its way.
      expect(counted.readings).toBeGreaterThanOrEqual(10);
      expect(Math.abs(counted.sizes.length - counted.readings)).toBeLessThanOrEqual(1);
      expect(new Set(counted.sizes)).toEqual(new Set([2 * 32]));
      const { steps, norms } = await curveOf(page);
      expect(steps).toEqual(norms.map((_, i) => i + 1));
      expect(norms.length).toBeGreaterThanOrEqual(140);
    });

    it("moves the bound while it trains, by keyboard", async () => {
      const { page } = visited;
      await press(page, "#bound", "End");
      const off = (await curveOf(page)).steps.length;
      await untilStep(page, off + 20);
      const free = await curveOf(page);
      // The next two steps may have been on their way.
      expect(free.flags.slice(off + 2)).toEqual(free.flags.slice(off + 2).map(() => 0));
      expect(free.bounds.at(-1), "Infinity, as JSON has it").toBeNull();
      await press(page, "#bound", "Home");
      const tight = (await curveOf(page)).steps.length;
      await untilStep(page, tight + 20);
      const held = await curveOf(page);
      expect(held.flags.slice(tight + 2)).toEqual(held.flags.slice(tight + 2).map(() => 1));
      expect(held.bounds.at(-1)).toBe(Math.fround(0.01));
      expect(await page.evaluate(() => location.hash)).toBe("#seed=8&bound=0.01");
    });

    it("skips the step with a NaN and clips the one that is wild", async () => {
      const { page } = visited;
      await page.click("#nan");
      await page.waitForFunction(() => document.querySelector("#fault")?.textContent?.includes("were not finite"));
      // A loss beyond the axis is written beside its mark.
      await page.evaluate(() => {
        const drawn: string[] = [];
        const { fillText, stroke } = CanvasRenderingContext2D.prototype;
        CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
          drawn.push(text);
          return fillText.call(this, text, ...place);
        };
        CanvasRenderingContext2D.prototype.stroke = function (path?: Path2D) {
          drawn.push("a line");
          Reflect.apply(stroke, this, path ? [path] : []);
        };
        Object.assign(globalThis, { drawn });
      });
      await page.click("#wild");
      await page.waitForFunction(() =>
        document.querySelector("#fault")?.textContent?.includes("reached the optimizer"),
      );
      await page.waitForFunction(() =>
        (globalThis as unknown as { drawn: string[] }).drawn.some((label) => /^wild batch: \d+ ↑$/.test(label)),
      );
      const drawn = await page.evaluate(() => (globalThis as unknown as { drawn: string[] }).drawn);
      // Its norm is inside the axis, and written too. No line crosses a label that was drawn before it.
      const norm = drawn.filter((text) => /^wild batch: [\d.e]+$/.test(text)).at(-1) ?? "";
      expect(drawn[drawn.lastIndexOf(norm) - 1]).toBe("NaN");
      const faults = (await readingsOf(page)).filter(({ fault }) => fault !== undefined);
      const { flags, norms } = await curveOf(page);
      // Skipped for a NaN, and clipped.
      expect(faults.map(({ fault, step }) => [fault, flags[step - 1]])).toEqual([
        ["nan", 2 | 4],
        ["wild", 1],
      ]);
      expect(faults[0]?.nonFinite).toBeGreaterThan(0);
      expect(norms[(faults[1]?.step ?? 0) - 1]).toBeGreaterThan(20);
      expect(await text(page, "#skipped")).toBe("1");
      const weights = await page.evaluate(() => globalThis.gradclipEngine?.weights());
      expect(weights?.flat().every(Number.isFinite)).toBe(true);
    });

    it("pauses, reads what is drawn by keyboard, resumes and begins anew", async () => {
      const { page } = visited;
      await page.click("#pause");
      await untilState(page, "paused");
      const step = (await readingsOf(page)).at(-1)?.step;
      await page.click("#clear");
      const blank = await text(page, "#answer");
      await press(page, "#pad", "Space");
      for (const key of ["ArrowDown", "Space", "ArrowDown", "Space"] as const) await page.keyboard.press(key);
      await page.waitForFunction((blank) => document.querySelector("#answer")?.textContent !== blank, {}, blank);
      await page.focus("#restart");
      const ink = await page.$eval("#pad", (canvas) => {
        const context = (canvas as HTMLCanvasElement).getContext("2d") as CanvasRenderingContext2D;
        return context.getImageData(0, 0, 8, 8).data.filter((value, at) => at % 4 === 3 && value === 255).length;
      });
      expect(ink).toBe(3);
      expect((await readingsOf(page)).at(-1)?.step).toBe(step);
      await page.click("#pause");
      await untilState(page, "training");
      await page.click("#restart");
      await page.waitForFunction(
        (step) => (globalThis.gradclipEngine?.readings.at(-1)?.step ?? 0) < step,
        {},
        step ?? 0,
      );
      await untilStep(page, 4);
    });

    it("complains about nothing", () => {
      expect(visited.errors).toEqual([]);
    });
  });

  it("says that it cannot run without WebGPU, and shows its code", async () => {
    const { page, errors } = await open("", { hasWebGpu: false });
    await untilState(page, "unsupported");
    expect(await text(page, "#unsupported")).toBe(
      "This engine is nothing but WebGPU shaders, and this browser has no WebGPU: it cannot run here. Its code is below.",
    );
    expect(await page.$eval(".live", (element) => getComputedStyle(element).display)).toBe("none");
    expect(await text(page, "#trainer-code")).toContain("export class Trainer");
    expect(errors).toEqual([]);
    await page.close();
  });

  it("keeps its curves after the GPU is lost, says so, and restarts on a new device", async () => {
    const crashing = await launchChromium({ args: ["--disable-gpu-process-crash-limit"] });
    const { page } = await visit(crashing, "engine.html#steps=400");
    await untilStep(page, 20);
    const session = await crashing.target().createCDPSession();
    await session.send("Browser.crashGpuProcess").catch(() => {});
    await untilText(page, "#state", "The GPU was lost.");
    for (const [canvas, property] of [
      ["#loss-chart canvas", "--clipped"],
      ["#norm-chart canvas", "--clipped"],
    ] as const) {
      await expect.poll(() => inkOf(page, canvas, property)).toBeGreaterThan(20);
    }
    expect(await text(page, "#state")).toBe("The GPU was lost. Restart begins anew, on a new device.");
    await Promise.all([page.waitForNavigation(), page.click("#restart")]);
    await untilStep(page, 4);
    await crashing.close();
  });

  describe("on a phone, from a wild address", () => {
    let visited: Visit;
    beforeAll(async () => {
      visited = await open("#seed=1e300&bound=1e-9&steps=4.7&x=1", { width: 360, height: 740 });
      await untilState(visited.page, "finished");
    });
    afterAll(() => visited?.page.close());

    it("keeps no wild values in the address", async () => {
      expect(await visited.page.evaluate(() => location.hash)).toBe("#seed=999999&bound=0.01&steps=4");
    });

    it("fits", async () => {
      expect(await visited.page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
      expect(visited.errors).toEqual([]);
    });
  });
});
