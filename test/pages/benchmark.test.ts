import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Results } from "../../bench/benchmark.ts";
import { launchChromium } from "../engines/chromium.mjs";
import { expectedAdapter } from "../engines/packaged.mjs";
import { text, untilState, type Visit, visit } from "./visit.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

function resultsOf(page: Page): Promise<Results> {
  return page.evaluate(() => globalThis.gradclipBenchmark as Results);
}

describe("the benchmark page on WebGPU, unattended and quick", () => {
  let visited: Visit;
  let results: Results;
  beforeAll(async () => {
    visited = await visit(browser, "benchmark.html?run=1&preset=quick");
    await untilState(visited.page, "finished");
    results = await resultsOf(visited.page);
  });
  afterAll(() => visited?.page.close());

  it("names adapter, browser, limits and timers", async () => {
    expect((await text(visited.page, "#backend")).toLowerCase()).toContain(expectedAdapter.toLowerCase());
    const environment = await text(visited.page, "#environment");
    expect(environment).toMatch(/Chrome\/\d+/);
    expect(environment).toMatch(/maxStorageBuffersPerShaderStage \d+/);
    expect(environment).toMatch(/clock ?in steps of [\d,]+ ns/);
  });

  it("verified and timed every contestant", () => {
    const names = new Set(results.rows.map(({ contestant }) => contestant));
    for (const name of [
      "gradclip",
      "TensorFlow.js operations",
      "jax-js, jit",
      "one reduction and one scale a tensor",
    ]) {
      expect(names).toContain(name);
    }
    for (const { workload, contestant, verdict, reason, throughput } of results.rows) {
      expect([workload, contestant, verdict, reason]).toEqual([workload, contestant, "right", undefined]);
      expect(Math.min(...(throughput?.clock ?? [0]))).toBeGreaterThan(0);
    }
    expect(results.absent).toEqual([]);
  });

  it("shows a table for each workload, sorted, with answers and bars", async () => {
    const tables = await visited.page.$$eval("#tables > section > .scroll", (sections) =>
      sections.map((section) =>
        [...section.querySelectorAll("tbody tr")].map((row) => ({
          name: row.querySelector("th")?.textContent,
          answer: row.children[1]?.textContent,
          bar: row.querySelector<HTMLElement>(".bar div")?.style.width,
        })),
      ),
    );
    expect(tables.length).toBe(3);
    for (const rows of tables) {
      expect(rows.length).toBe(8);
      const bars = rows.map(({ bar }) => Number.parseFloat(bar ?? ""));
      expect(bars).toEqual([...bars].sort((a, b) => a - b));
      expect(bars.at(-1)).toBe(100);
      for (const { answer } of rows) expect(answer).toMatch(/^(exact|right to \de-\d+)$/);
    }
  });

  it("plots the bandwidth, with the copy as its ceiling", async () => {
    const points = await visited.page.$$eval("#plot polyline", (lines) =>
      lines.map((line) => [line.getAttribute("class"), line.getAttribute("points")?.split(" ").length]),
    );
    expect(points).toEqual(["copy", "read", "write", "kept", "clipped"].map((name) => [name, 2]));
    expect(await text(visited.page, "#headline")).toMatch(/\d+ %of the bandwidth/);
  });

  it("copies the results", async () => {
    const { page } = visited;
    await page.evaluate(() => {
      navigator.clipboard.writeText = async (copied) => {
        document.title = copied;
      };
    });
    await page.click("#copy-json");
    expect(JSON.parse(await page.title()).rows.length).toBe(results.rows.length);
    await page.click("#copy-markdown");
    expect(await page.title()).toContain("| gradclip |");
  });

  it("complains about nothing", () => {
    expect(visited.errors).toEqual([]);
  });
});

describe("the benchmark page without WebGPU, on a phone", () => {
  it("runs the contestants on the CPU when asked to", async () => {
    const { page, errors } = await visit(browser, "benchmark.html?preset=quick", { hasWebGpu: false, width: 360 });
    await untilState(page, "ready");
    expect(await text(page, "#backend")).toContain("no WebGPU here");
    await page.click("#run");
    await untilState(page, "finished");
    const { rows } = await resultsOf(page);
    expect(rows.map(({ verdict }) => verdict)).toEqual(rows.map(() => "right"));
    expect(rows.map(({ contestant }) => contestant)).toContain("TensorFlow.js wasm, clip");
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    expect(errors).toEqual([]);
    await page.close();
  });
});
