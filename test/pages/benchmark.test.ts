import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { Results } from "../../bench/benchmark.ts";
import { launchChromium } from "../engines/chromium.mjs";
import { expectedAdapter } from "../engines/packaged.mjs";
import { newPage, photograph, text, untilState, type Visit, visit } from "./visit.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium({
    args: ["--disable-gpu-process-crash-limit", "--disable-domain-blocking-for-3d-apis"],
  });
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
    expect(environment).toMatch(/clock ?in steps of [\d.]+ (ns|µs|ms)/);
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
      for (const { answer } of rows) expect(answer).toMatch(/^(exact|correct \(error \de-\d+\))$/);
    }
  });

  it("plots the bandwidth, with the copy as its ceiling", async () => {
    const points = await visited.page.$$eval("#plot .wide polyline:not(.other)", (lines) =>
      lines.map((line) => [line.getAttribute("class"), line.getAttribute("points")?.split(" ").length]),
    );
    expect(points).toEqual(["copy", "read", "write", "kept", "clipped"].map((name) => [name, 2]));
    expect(await text(visited.page, "#source")).toBe("This machine, just measured.");
    // Emulated in software, its speed says nothing.
    const sentence = await text(visited.page, "#sentence");
    if (results.environment.isSoftware) expect(sentence).toBe("");
    else expect(sentence).toMatch(/^Clipping runs at \d+ % of this GPU's copy speed/);
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

  it("has units that a person reads", async () => {
    const shown = await visited.page.$$eval("#tables .time, #tables .alone, #tables h2", (cells) =>
      cells.map(({ textContent }) => textContent ?? ""),
    );
    expect(shown).toContain("One gradient of 65,536 values");
    const times = shown.filter((cell) => /\d (?:µs|ms|s)$/.test(cell));
    expect(times.length).toBeGreaterThan(20);
    for (const cell of shown) expect(cell).not.toMatch(/e[+-]\d|\d{4}/);
  });

  it("makes a file of the form that bench/results takes", async () => {
    const { page } = visited;
    const [name, address] = await page.$eval("#download", (link) => {
      const { download, href } = link as HTMLAnchorElement;
      return [download, href];
    });
    expect([name, address]).toEqual([expect.stringMatching(/\.json$/), expect.stringMatching(/^blob:/)]);
  });

  it("makes a link that shows the same run, and takes nothing but text from it", async () => {
    const { page } = visited;
    await page.bringToFront();
    await page.evaluate(() => {
      navigator.clipboard.writeText = async (copied) => {
        document.title = copied;
      };
    });
    await page.click("#copy-link");
    await page.waitForFunction(() => document.title.includes("#results="));
    const link = await page.title();
    expect(link.length).toBeLessThan(16_000);
    const there = await visit(browser, link.slice(inject("site").length));
    await untilState(there.page, "ready");
    expect(await text(there.page, "#source")).toMatch(/^From a link: measured on /);
    const timesOf = (page: Page) =>
      page.$$eval("#tables .time", (cells) => cells.map(({ textContent }) => textContent).sort());
    expect(await timesOf(there.page)).toEqual(await timesOf(page));
    expect(await there.page.$$eval("#plot .wide polyline:not(.other)", (lines) => lines.length)).toBe(5);
    expect(there.errors).toEqual([]);
    await there.page.close();

    const shown = await shownWith({
      workload: "<img src=x>",
      contestant: "<b>b</b>",
      bytes: 1,
      verdict: "right",
      error: 0,
    });
    expect(shown).toContain("<b>b</b>");
    const broken = await visit(browser, "benchmark.html#results=AAAA");
    await untilState(broken.page, "ready");
    expect(await text(broken.page, "#sentence")).toMatch(/^The results in this link cannot be read/);
    await broken.page.close();
  });

  /** The text of the tables of a link with this row. */
  async function shownWith(row: object): Promise<string> {
    const { page, errors } = await visit(browser, "benchmark.html");
    await untilState(page, "ready");
    await page.evaluate(async (row) => {
      const environment = { adapter: "<i>card</i>", agent: "a", engine: "browser", isSoftware: false };
      const workloads = [{ name: "<img src=x>", dtype: "f32", isArena: false, tensors: 1, elements: 1 }];
      const bytes = new TextEncoder().encode(JSON.stringify({ environment, workloads, rows: [row] }));
      const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate-raw"));
      const text = String.fromCharCode(...new Uint8Array(await new Response(packed).arrayBuffer()));
      location.hash = `results=${btoa(text).replaceAll("+", "-").replaceAll("/", "_")}`;
    }, row);
    await page.waitForSelector("#tables section");
    expect(await page.$$eval("#tables img, #tables b, #source i", (elements) => elements.length)).toBe(0);
    expect(errors).toEqual([]);
    const shown = await text(page, "#tables");
    await page.close();
    return shown;
  }

  it("complains about nothing", () => {
    expect(visited.errors).toEqual([]);
  });
});

describe.each(["site", "npmStart"] as const)("the benchmark page before a run, %s", (name) => {
  it("opens with a recorded run and its machine, without a script", async () => {
    const page = await newPage(browser);
    await page.setJavaScriptEnabled(false);
    await page.goto(`${inject(name)}benchmark.html`);
    expect(await page.$$eval("#plot .wide .clipped", (lines) => lines.length)).toBeGreaterThan(2);
    expect(await page.$eval("#plot-note", (note) => note.checkVisibility())).toBe(true);
    expect(await text(page, "#source")).toMatch(/^Recorded on \S.*, \d{4}-\d\d-\d\d\./);
    await page.close();
  });

  it("has the tables of the recorded run in a fold", async () => {
    const { page, errors } = await visit(browser, "benchmark.html", { site: inject(name), width: 360, height: 740 });
    await untilState(page, "ready");
    await page.click("#recorded-tables summary");
    await page.waitForSelector("#recorded-tables section");
    expect(await page.$$eval("#recorded-tables section", (sections) => sections.length)).toBeGreaterThan(5);
    // On a phone nothing scrolls sideways.
    const widths = await page.$$eval("#recorded-tables section > .scroll", (tables) =>
      tables.map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth),
    );
    expect(Math.max(...widths)).toBe(0);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await photograph(page, `benchmark-phone-${name}`);
    expect(errors).toEqual([]);
    await page.close();
  });
});

describe("the benchmark page, interrupted", () => {
  const rowsOf = (page: Page) => page.$$eval("#tables section > .scroll tbody tr", (rows) => rows.length);
  const barOf = (page: Page) => page.$eval("#progress", (bar) => (bar as HTMLProgressElement).value);

  async function untilRows(page: Page): Promise<void> {
    const areThere = () =>
      document.body.dataset.state === "failed" || document.querySelectorAll("#tables tbody tr").length > 1;
    await page.waitForFunction(areThere, { polling: 50 }).catch(async (cause) => {
      throw new Error(`no row came: ${await text(page, "#state")}, ${await text(page, "#turn")}`, { cause });
    });
    expect(await text(page, "#state")).not.toContain("Stopped");
  }

  it("stays cancelled, and keeps the rows that have come", async () => {
    const { page, errors } = await visit(browser, "benchmark.html?run=1&preset=quick");
    await untilRows(page);
    expect(await barOf(page)).toBeGreaterThan(0);
    await page.click("#cancel");
    await untilState(page, "cancelled");
    expect(await text(page, "#state")).toBe("Cancelled. What was measured until then is below.");
    const { rows, stopped } = await resultsOf(page);
    expect(stopped).toBe("Cancelled.");
    // No plot, and nothing that explains one.
    expect(await text(page, "#source")).toBe("This machine, just measured. Too few sizes ran for the plot.");
    const isSeen = (element: Element) => element.checkVisibility();
    expect([await page.$eval("#plot", isSeen), await page.$eval("#plot-note", isSeen)]).toEqual([false, false]);
    expect(rows.length).toBeGreaterThan(1);
    expect(await rowsOf(page)).toBeGreaterThan(0);
    // What was under way ends on its own: it changes nothing.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(await page.evaluate(() => document.body.dataset.state)).toBe("cancelled");
    expect((await resultsOf(page)).rows.length).toBe(rows.length);
    expect(await page.$eval("#run", (button) => (button as HTMLButtonElement).disabled)).toBe(false);
    expect(errors).toEqual([]);
    await page.close();
  });

  it("says that the GPU was lost, keeps the rows, and measures again on a new device", async () => {
    const { page } = await visit(browser, "benchmark.html?run=1&preset=quick");
    await untilRows(page);
    const session = await browser.target().createCDPSession();
    await session.send("Browser.crashGpuProcess").catch(() => {});
    await page.waitForFunction(() => document.body.dataset.state === "failed");
    expect(await text(page, "#state")).toMatch(/^The GPU was lost: .+ What was measured until then is below\.$/);
    const { rows } = await resultsOf(page);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.map(({ verdict }) => verdict)).toEqual(rows.map(() => "right"));
    await page.click("#run");
    await untilState(page, "finished");
    const again = await resultsOf(page);
    expect(again.rows.filter(({ contestant }) => contestant === "gradclip").map(({ verdict }) => verdict)).toEqual(
      again.workloads.map(() => "right"),
    );
    expect(again.absent.map(({ reason }) => reason)).toEqual([expect.stringContaining("reload the page")]);
    await page.close();
  });

  it("says what to do where the network went after the page came", async () => {
    const { page } = await visit(browser, "benchmark.html", { hasWebGpu: false });
    await untilState(page, "ready");
    await page.setOfflineMode(true);
    await page.click("#run");
    await page.waitForFunction(() => document.body.dataset.state === "failed");
    const sentence = "Stopped: the contestants could not be loaded. Reload the page to try again.";
    expect(await text(page, "#state")).toBe(sentence);
    await page.close();
  });

  it("says what could not run where WebAssembly is blocked", async () => {
    const before = () => {
      const blocked = () => Promise.reject(new WebAssembly.CompileError("blocked by the policy"));
      Object.assign(WebAssembly, { instantiate: blocked, instantiateStreaming: blocked, compile: blocked });
    };
    const { page } = await visit(browser, "benchmark.html?preset=quick&run=1", { hasWebGpu: false, before });
    await untilState(page, "finished");
    const { rows } = await resultsOf(page);
    const wasm = rows.filter(({ contestant }) => contestant.includes("wasm"));
    expect(wasm.length).toBeGreaterThan(0);
    for (const { verdict, reason } of wasm) expect([verdict, reason]).toEqual(["failed", expect.stringMatching(/\w/)]);
    expect(rows.some(({ verdict }) => verdict === "right")).toBe(true);
    await page.close();
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
