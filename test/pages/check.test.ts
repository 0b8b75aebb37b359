import type { Browser } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium } from "../engines/chromium.mjs";
import { isSoftware } from "../engines/packaged.mjs";
import { photograph, text, untilState, visit } from "./visit.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium({
    args: ["--disable-gpu-process-crash-limit", "--disable-domain-blocking-for-3d-apis"],
  });
});
afterAll(() => browser?.close());

const report = (page: import("puppeteer").Page) =>
  page.$eval("#report", (element) => (element as HTMLTextAreaElement).value);

describe("the check page", () => {
  it("runs the suite on the GPU, lists every case and writes a report", async () => {
    const { page, errors } = await visit(browser, "check.html?filter=boundary");
    await untilState(page, "idle");
    if (isSoftware) expect((await text(page, "#device")).toLowerCase()).toContain("swiftshader");
    await page.click("#start");
    await untilState(page, "finished");
    expect(await text(page, "#state")).toMatch(/^Every case passed, on .*[^U]\.$/);
    const [, passed, failed] = /^(\d+) passed, (\d+) failed$/.exec(await text(page, "#counts")) ?? [];
    expect(Number(passed)).toBeGreaterThan(3);
    expect(failed).toBe("0");
    expect(await page.$$eval("#groups li", (lines) => lines.length)).toBe(Number(passed));
    const lines = (await report(page)).split("\n");
    expect(lines[0]).toContain(`${passed} passed, 0 failed`);
    const facts = JSON.parse(lines.at(-1) ?? "");
    expect(facts.limits.maxStorageBuffersPerShaderStage).toBeGreaterThanOrEqual(8);
    expect(facts.browser).toContain("Chrome");
    await photograph(page, "check-desktop");
    expect(errors).toEqual([]);
    await page.close();
  });

  it("says what was found until it was cancelled", async () => {
    const { page, errors } = await visit(browser, "check.html", { width: 360, height: 740 });
    await untilState(page, "idle");
    await page.click("#start");
    await page.waitForFunction(
      () => Number(/^\d+/.exec(document.querySelector("#counts")?.textContent ?? "")?.[0]) > 3,
    );
    await page.click("#cancel");
    await untilState(page, "cancelled");
    expect(await text(page, "#state")).toMatch(/^Cancelled after \d+ cases\.$/);
    expect(await report(page)).toContain("(Cancelled after");
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await photograph(page, "check-phone");
    expect(errors).toEqual([]);
    await page.close();
  });

  it("ends with a sentence when the GPU process does", async () => {
    const { page } = await visit(browser, "check.html");
    await untilState(page, "idle");
    await page.click("#start");
    await page.waitForFunction(
      () => Number(/^\d+/.exec(document.querySelector("#counts")?.textContent ?? "")?.[0]) > 3,
    );
    const session = await browser.target().createCDPSession();
    await session.send("Browser.crashGpuProcess").catch(() => {});
    await untilState(page, "failed");
    expect(await text(page, "#state")).toMatch(/^The GPU was lost after \d+ cases: ./);
    expect(await report(page)).toContain("(The GPU was lost after");
    expect(await page.$eval("#start", (button) => (button as HTMLButtonElement).disabled)).toBe(false);
    await page.close();
  });

  it("checks the CPU path where there is no WebGPU, and says so", async () => {
    const { page, errors } = await visit(browser, "check.html?filter=boundary", { hasWebGpu: false });
    await untilState(page, "idle");
    expect(await text(page, "#state")).toContain("This browser has no WebGPU.");
    expect(errors).toEqual([]);
    await page.close();
  });
});
