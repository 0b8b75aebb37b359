import type { Browser } from "puppeteer";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { launchChromium } from "../engines/chromium.mjs";
import { isSoftware } from "../engines/packaged.mjs";
import { photograph, text, untilState, untilText, visit } from "./visit.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium({
    args: ["--disable-gpu-process-crash-limit", "--disable-domain-blocking-for-3d-apis"],
  });
});
afterAll(() => browser?.close());

const report = (page: import("puppeteer").Page) =>
  page.$eval("#report", (element) => (element as HTMLTextAreaElement).value);

type Page = import("puppeteer").Page;

/** Workers that do nothing by themselves: a test says what they send. */
function fakeWorkers(): void {
  const workers: EventTarget[] = [];
  class FakeWorker extends EventTarget {
    constructor() {
      super();
      workers.push(this);
    }
    postMessage() {}
    terminate() {}
  }
  Object.assign(globalThis, { Worker: FakeWorker, workers });
}

/** From the worker of a run, the first or a later one. */
function sends(page: Page, data: unknown, run = 0): Promise<void> {
  return page.evaluate(
    (data, run) => {
      const { workers } = globalThis as unknown as { workers: EventTarget[] };
      workers[run]?.dispatchEvent(new MessageEvent("message", { data }));
    },
    data,
    run,
  );
}

async function startWithFakes(page: Page): Promise<void> {
  await untilState(page, "idle");
  await page.click("#start");
  await page.waitForFunction(() => (globalThis as unknown as { workers: unknown[] }).workers.length > 0);
}

describe.each(["site", "npmStart"] as const)("the check page with workers of the test, %s", (name) => {
  const options = { before: fakeWorkers, hasWebGpu: false, site: inject(name) };

  it("says how many cases there are before the first, and moves its bar with them", async () => {
    const { page, errors } = await visit(browser, "check.html", options);
    await startWithFakes(page);
    await sends(page, { count: 1200 });
    await untilText(page, "#verdict", "0 of 1,200 cases");
    for (let i = 0; i < 300; i++) await sends(page, { name: `group: case ${i}` });
    await untilText(page, "#verdict", "300 of 1,200 cases");
    expect(await page.$eval("#progress", (bar) => (bar as HTMLProgressElement).value)).toBe(0.25);
    expect(errors).toEqual([]);
    await page.close();
  });

  it("has a verdict for right and for wrong, and the first reason stands", async () => {
    const { page } = await visit(browser, "check.html", options);
    await startWithFakes(page);
    await sends(page, { count: 2 });
    await sends(page, { name: "a: b" });
    await sends(page, { name: "a: c", error: "off by 1" });
    await sends(page, { adapter: "a card", passed: 1, failed: 1 });
    await untilState(page, "finished");
    expect(await text(page, "#verdict")).toBe("Wrong: 1 of 2 cases failed");
    expect(await page.$$eval(".card.wrong", (cards) => cards.length)).toBe(1);
    await sends(page, { crash: "later" });
    expect(await text(page, "#state")).toBe("1 of the cases failed, on a card.");
    await page.click("#start");
    await page.waitForFunction(() => (globalThis as unknown as { workers: unknown[] }).workers.length > 1);
    await sends(page, { name: "of the run before" }, 0);
    await sends(page, { count: 1 }, 1);
    await sends(page, { name: "a: b" }, 1);
    await sends(page, { adapter: "cpu", passed: 1, failed: 0 }, 1);
    await untilText(page, "#verdict", "Right: all 1 cases passed");
    expect(await page.$$eval(".card.right", (cards) => cards.length)).toBe(1);
    await page.close();
  });

  it("stays cancelled, whatever the worker still sends", async () => {
    const { page } = await visit(browser, "check.html", options);
    await startWithFakes(page);
    await sends(page, { count: 2 });
    await sends(page, { name: "a: b" });
    await page.click("#cancel");
    for (const late of [{ name: "a: c" }, { crash: "x" }, { adapter: "cpu", passed: 2, failed: 0 }, { lost: "x" }]) {
      await sends(page, late);
    }
    await page.evaluate(() => new Promise(requestAnimationFrame));
    expect(await text(page, "#state")).toBe("Cancelled after 1 case.");
    expect(await text(page, "#verdict")).toBe("No verdict: cancelled");
    expect(await text(page, "#counts")).toBe("1 passed, 0 failed");
    await page.close();
  });

  it("takes a lost GPU for no verdict", async () => {
    const { page } = await visit(browser, "check.html", options);
    await startWithFakes(page);
    await sends(page, { count: 2 });
    await sends(page, { lost: "the driver restarted" });
    expect(await text(page, "#verdict")).toBe("No verdict: the GPU was lost");
    expect(await text(page, "#state")).toBe("The GPU was lost after 0 cases: the driver restarted");
    expect(await page.$eval("#start", (button) => (button as HTMLButtonElement).disabled)).toBe(false);
    await page.close();
  });

  it("ends in a sentence where no worker starts", async () => {
    for (const isThrown of [true, false]) {
      const { page } = await visit(browser, "check.html", options);
      await untilState(page, "idle");
      if (isThrown) {
        await page.evaluate(() => {
          globalThis.Worker = class {
            constructor() {
              throw new DOMException("blocked", "SecurityError");
            }
          } as unknown as typeof Worker;
        });
        await page.click("#start");
      } else {
        await startWithFakes(page);
        await page.evaluate(() => {
          const { workers } = globalThis as unknown as { workers: EventTarget[] };
          workers[0]?.dispatchEvent(new Event("error"));
        });
      }
      await page.waitForFunction(() => document.body.dataset.state === "failed");
      expect(await text(page, "#state")).toMatch(/^The check could not start, because .*\. Reload the page; .*\.$/);
      await page.close();
    }
  });

  it("offers an issue with the report filled in, where the repository's address is known", async () => {
    const { page } = await visit(browser, "check.html", options);
    for (const isKnown of [false, true]) {
      if (isKnown) {
        await page.evaluate(() => {
          const link = Object.assign(document.createElement("a"), {
            id: "repository",
            href: "https://example.org/a/b",
          });
          document.querySelector("#repository")?.remove();
          document.querySelector("footer")?.append(link);
        });
      } else await page.evaluate(() => document.querySelector("#repository")?.remove());
      const run = isKnown ? 1 : 0;
      await untilState(page, "idle", "finished");
      await page.click("#start");
      await page.waitForFunction(
        (run) => (globalThis as unknown as { workers: unknown[] }).workers.length > run,
        {},
        run,
      );
      await sends(page, { name: "a: c", error: `off by 1 & more ${"x".repeat(9000)}` }, run);
      await sends(page, { name: "a: d", error: "off by 2" }, run);
      await sends(page, { adapter: "a card", passed: 0, failed: 2 }, run);
      const address = await page.$eval("#send", (link) => (link as HTMLAnchorElement).href);
      expect(await page.$eval("#send", (link) => (link as HTMLElement).hidden)).toBe(!isKnown);
      if (!isKnown) continue;
      const { origin, pathname, searchParams } = new URL(address);
      expect([origin, pathname]).toEqual(["https://example.org", "/a/b/issues/new"]);
      expect(searchParams.get("title")).toBe("Wrong: 2 of 2 cases failed");
      expect(searchParams.get("body")).toContain("gradclip check: 0 passed, 2 failed");
      expect(searchParams.get("body")).toContain('"browser"');
      expect(address.length).toBeLessThan(7000);
    }
    await page.close();
  });
});

function untilFirstCase(page: Page) {
  const isThere = () => Number(/^\d+/.exec(document.querySelector("#counts")?.textContent ?? "")?.[0]) > 0;
  return page.waitForFunction(isThere, { polling: 50 });
}

describe("the check page", () => {
  it("runs the suite on the GPU, lists every case and writes a report", async () => {
    const { page, errors } = await visit(browser, "check.html?filter=boundary");
    await untilState(page, "idle");
    if (isSoftware) {
      expect((await text(page, "#device")).toLowerCase()).toContain("swiftshader");
      expect(await text(page, "#state")).toBe("Ready. It takes several minutes: WebGPU is emulated in software here.");
    }
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
    await untilFirstCase(page);
    await page.click("#cancel");
    await untilState(page, "cancelled");
    expect(await text(page, "#state")).toMatch(/^Cancelled after \d+ cases?\.$/);
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
    await untilFirstCase(page);
    const session = await browser.target().createCDPSession();
    await session.send("Browser.crashGpuProcess").catch(() => {});
    await untilState(page, "failed");
    expect(await text(page, "#state")).toMatch(/^The GPU was lost after \d+ cases: ./);
    expect(await report(page)).toContain("(The GPU was lost after");
    expect(await text(page, "#verdict")).toBe("No verdict: the GPU was lost");
    // On a new device, where there is one again.
    await page.click("#start");
    await untilFirstCase(page);
    expect(await text(page, "#counts")).toMatch(/^\d+ passed, 0 failed$/);
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
