// Tests that hold for every page of the site.

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { launchChromium, serveFolder } from "../engines/chromium.mjs";
import { repository } from "../engines/packaged.mjs";
import { newPage, photograph, text, untilState, untilStep, untilText, visit } from "./visit.ts";

const site = join(repository, "dist/site");
const own = readdirSync(join(repository, "demo")).filter((file) => file.endsWith(".html"));
// One text and one API stand for the pages of the documentation, which docs.test.ts compares with one another.
const pages = [...own, "docs/record.html", "docs/api.html"];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

it("works under any path", async () => {
  const server = await serveFolder(join(repository, "dist"));
  const { page, errors } = await visit(browser, "site/index.html", { site: server.url });
  await untilState(page, "drawn");
  await page.click("nav a[href='./train.html']");
  await untilStep(page, 1);
  expect(errors).toEqual([]);
  await page.close();
  await server.close();
});

/** Before the page's own scripts: remembers how far it moves. */
function watchShifts(): void {
  const shifts: number[] = [];
  Object.assign(globalThis, { shifts });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) shifts.push((entry as unknown as { value: number }).value);
  }).observe({ type: "layout-shift", buffered: true });
}

describe("where the browser never answers that a page asks for the GPU", () => {
  /** Silent are the requests that `silent` in the address names. The patience of a page ends with each of them, at once, and only so. */
  const before = () => {
    const { setTimeout } = globalThis;
    let patience: (() => void)[] = [];
    const timeoutOf = (callback: () => void, ms = 0) => {
      if (ms < 30_000) return setTimeout(callback, ms);
      patience.push(callback);
      return 0;
    };
    const requestSilently = () => {
      performance.mark("silent request");
      setTimeout(() => {
        for (const end of patience) end();
        patience = [];
      });
      return new Promise<never>(() => {});
    };
    const silence = (what: string | null) => {
      if (what === "adapter") GPU.prototype.requestAdapter = requestSilently;
      if (what === "device") GPUAdapter.prototype.requestDevice = requestSilently;
    };
    silence(new URLSearchParams(location.search).get("silent"));
    Object.assign(globalThis, { silence, setTimeout: timeoutOf });
  };
  const untilIn = (page: Page, state: string) =>
    page.waitForFunction((wanted) => document.body.dataset.state === wanted, { polling: 50 }, state);
  const isDisabled = (page: Page, selector: string) =>
    page.$eval(selector, (button) => (button as HTMLButtonElement).disabled);

  describe.each(["adapter", "device"])("for the %s", (silent) => {
    const sentence = `The browser gave no ${silent} within 30 s`;
    async function pageAt(file: string, state: string): Promise<Page> {
      const { page } = await visit(browser, `${file}&silent=${silent}`, { before });
      await untilIn(page, state);
      await photograph(page, `silent-${silent}-${file.replace(/\..*/, "")}`);
      return page;
    }

    it("the cliff says so", async () => {
      const page = await pageAt("index.html?backend=webgpu", "drawn");
      await untilText(page, "#backend", sentence);
      await page.close();
    });

    it("the check page says so, and checks the CPU path without another look", async () => {
      const page = await pageAt("check.html?filter=no+gradients", "idle");
      expect(await text(page, "#state")).toContain(
        `${sentence}; reload the page, or use the CPU. The suite can run on`,
      );
      await page.click("#start");
      await untilState(page, "finished");
      expect(await text(page, "#state")).toBe("Every case passed, on the CPU.");
      expect(await page.evaluate(() => performance.getEntriesByName("silent request").length)).toBe(1);
      await page.close();
    });

    it("the engine says so, and that it needs WebGPU", async () => {
      const page = await pageAt("engine.html?", "failed");
      expect(await text(page, "#state")).toBe(`Stopped: ${sentence}; reload the page, as this engine needs WebGPU.`);
      expect(await text(page, "#backend")).toBe("no WebGPU");
      await page.close();
    });

    it("the benchmark says so, and measures the CPU's contestants", async () => {
      const page = await pageAt("benchmark.html?preset=quick", "ready");
      expect(await text(page, "#backend")).toContain(sentence);
      expect(await text(page, "#backend")).toContain("The CPU's contestants run instead.");
      await page.click("#run");
      await page.waitForSelector("#tables tbody tr");
      await page.click("#cancel");
      await untilState(page, "cancelled");
      expect(await isDisabled(page, "#run")).toBe(false);
      await page.close();
    });

    it("the benchmark stops with a sentence if that begins after the page has found a GPU", async () => {
      const { page } = await visit(browser, "benchmark.html?preset=quick", { before });
      await untilState(page, "ready");
      await page.evaluate((what) => (globalThis as unknown as { silence(what: string): void }).silence(what), silent);
      await page.click("#run");
      await untilIn(page, "failed");
      expect(await text(page, "#state")).toContain(`Stopped: ${sentence}`);
      expect(await isDisabled(page, "#run")).toBe(false);
      await page.close();
    });
  });

  it("the cliff is drawn by the CPU and says what it waits for, until the GPU's picture takes its place", async () => {
    const { page } = await visit(browser, "index.html?backend=webgpu", {
      width: 800,
      before: () => {
        const { requestAdapter } = GPU.prototype;
        GPU.prototype.requestAdapter = async function () {
          await new Promise<void>((answer) => Object.assign(globalThis, { answer }));
          return requestAdapter.call(this);
        };
      },
    });
    const width = () => page.$eval("#surface", (canvas) => (canvas as HTMLCanvasElement).width);
    await untilText(page, "#backend", "Looking for a GPU…");
    // The widest picture that the CPU draws.
    await expect.poll(width).toBe(600);
    await photograph(page, "silent-cliff-waits");
    await page.evaluate(() => (globalThis as unknown as { answer(): void }).answer());
    await untilText(page, "#backend", "Surface: WebGPU");
    expect(await width()).toBeGreaterThan(600);
    await page.close();
  });
});

describe.each(pages)("%s", (file) => {
  // Two visits for all of it: a desktop's, and a phone's.
  const widths = [1280, 360] as const;
  const at = new Map<number, Page>();
  beforeAll(async () => {
    for (const width of widths) {
      const { page } = await visit(browser, file, { width, height: width === 360 ? 740 : 800, before: watchShifts });
      at.set(width, page);
      await page.waitForSelector(".code button");
      await page.waitForFunction(() => document.body.dataset.state !== "loading");
      // A page that trains would take the processor from the checks.
      await page.evaluate(() => document.querySelector<HTMLButtonElement>("#pause")?.click());
    }
  });
  afterAll(() => Promise.all([...at.values()].map((page) => page.close())));
  async function pageAt(width: (typeof widths)[number]): Promise<Page> {
    const page = at.get(width) as Page;
    await page.bringToFront();
    return page;
  }

  const html = () => readFileSync(join(site, file), "utf8");

  it("has a policy without eval of text and without anything inline", () => {
    const policy =
      /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(html())?.[1]?.replaceAll("&#39;", "'") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe-inline|'unsafe-eval'|https?:|\*/);
    expect(html()).not.toMatch(/<script(?![^>]* src=)|<style|\sstyle="|\son[a-z]+="/);
  });

  it("lets no string become HTML or a script", async () => {
    const page = await pageAt(1280);
    const refused = await page.evaluate(() => {
      const attempts: Record<string, () => unknown> = {
        html: () => document.createElement("p").setHTMLUnsafe("<b>bold</b>"),
        script: () => Object.assign(document.createElement("script"), { src: "https://elsewhere.invalid/a.js" }),
        worker: () => new Worker("https://elsewhere.invalid/a.js"),
        policy: () => trustedTypes?.createPolicy("another", {}),
      };
      return Object.entries(attempts).flatMap(([name, attempt]) => {
        try {
          attempt();
          return [];
        } catch (error) {
          return error instanceof TypeError ? [name] : [];
        }
      });
    });
    expect(refused).toEqual(["html", "script", "worker", "policy"]);
  });

  it("loads less than 60 kB of script, compressed, before it is asked to train", () => {
    // The page's own script and whatever it loads at once: workers and the training library come on their own.
    const files = [...html().matchAll(/(?:src|href)="\.\.?\/(assets\/[^"]+\.js)"/g)].map(([, name]) => name as string);
    expect(files.length).toBeGreaterThan(0);
    const bytes = files.reduce((sum, name) => sum + gzipSync(readFileSync(join(site, name))).byteLength, 0);
    expect(bytes).toBeLessThan(60_000);
  });

  it.each(widths)("does not move while it loads, %i pixels wide", async (width) => {
    const page = await pageAt(width);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    const shifts = await page.evaluate(() => (globalThis as unknown as { shifts: number[] }).shifts);
    // A tenth is where a page counts as one that moves.
    expect(shifts.reduce((sum, shift) => sum + shift, 0)).toBeLessThan(0.1);
  });

  it.each(["light", "dark"] as const)("has nothing that axe finds serious, %s", async (scheme) => {
    const page = await pageAt(1280);
    // A network that explodes flashes for a moment, in which its words have less contrast.
    const features = { "prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce" };
    await page.emulateMediaFeatures(Object.entries(features).map(([name, value]) => ({ name, value })));
    await page.evaluate(axe);
    const violations = await page.evaluate(async () => {
      const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
      const { violations } = await axe.run({ resultTypes: ["violations"] });
      return violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`);
    });
    expect(violations).toEqual([]);
  });

  it("shows code, and copies it", async () => {
    const context = browser.defaultBrowserContext();
    await context.overridePermissions(inject("site"), [
      "clipboard-read",
      "clipboard-write",
      "clipboard-sanitized-write",
    ]);
    const page = await pageAt(1280);
    const button = await page.waitForSelector(".code button");
    const shown = await page.$eval(".code code", (code) => code.textContent ?? "");
    expect(shown.length).toBeGreaterThan(15);
    // The button says so for a moment only.
    const said = button?.evaluate((element) => {
      const change = new Promise<string | null>((resolve) => {
        new MutationObserver(() => resolve(element.textContent)).observe(element, { childList: true });
      });
      (element as HTMLElement).click();
      return change;
    });
    expect(await said).toBe("Copied");
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(shown);
  });

  // A block of code on a page runs when pasted, or says that it is an excerpt.
  if (own.includes(file)) {
    it("imports from packages alone, or says that it is an excerpt", async () => {
      const blocks = await (await pageAt(1280)).$$eval(".code", (containers) =>
        containers.map((container) => ({
          code: container.querySelector("code")?.textContent ?? "",
          around: container.closest("section, main")?.textContent ?? "",
        })),
      );
      expect(blocks.length).toBeGreaterThan(0);
      for (const { code, around } of blocks) {
        const isExcerpt = /from "\.|import "\./.test(code);
        expect([code.slice(0, 60), isExcerpt && !/excerpt/i.test(around)]).toEqual([code.slice(0, 60), false]);
      }
    });
  }

  it("fits a phone, and has its picture taken", async () => {
    const page = await pageAt(360);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    const name = file.replace("/", "-");
    await photograph(page, `first-look-phone-${name}`);
    await page.setViewport({ width: 1280, height: 800 });
    await photograph(page, `first-look-desktop-${name}`);
  });

  it("says what the library is, how big and under which licence, how to get it and which version this is", async () => {
    const page = await pageAt(1280);
    const { version, description, license } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
    expect(await text(page, ".pitch")).toMatch(/ \d+ kB gzipped, MIT\.$/);
    expect(await text(page, ".pitch")).toContain(description);
    const foot = await text(page, "footer");
    for (const part of [version, license, "npm install gradclip"]) expect(foot).toContain(part);
    const icon = await page.$eval("link[rel=icon]", (link) => (link as HTMLLinkElement).href);
    expect((await fetch(icon)).headers.get("content-type")).toContain("image/svg+xml");
    const said = (selector: string) => page.$eval(selector, (meta) => (meta as HTMLMetaElement).content);
    expect((await said("meta[name=description]")).length).toBeGreaterThan(40);
    expect(await said("meta[property='og:description']")).toBe(await said("meta[name=description]"));
    const picture = await page.$eval("meta[property='og:image']", (meta) => (meta as HTMLMetaElement).content);
    expect((await fetch(new URL(picture, page.url()))).headers.get("content-type")).toBe("image/jpeg");
  });

  it("paints without a script, from few bytes, and names itself in the navigation", async () => {
    const page = await newPage(browser);
    await page.setJavaScriptEnabled(false);
    await page.goto(inject("site") + file);
    const paints = () => page.evaluate(() => performance.getEntriesByName("first-contentful-paint").length);
    await expect.poll(paints).toBe(1);
    expect(await page.$$eval("nav [aria-current=page]", (links) => links.length)).toBe(1);
    const blocking = await page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .filter((entry) => (entry as unknown as { renderBlockingStatus: string }).renderBlockingStatus === "blocking")
        .map(({ name }) => new URL(name).pathname),
    );
    // Any other script would stop the page while it loads.
    expect(html()).not.toMatch(/<script(?![^>]* type="module")/);
    expect(blocking.filter((name) => !name.endsWith(".css"))).toEqual([]);
    const bytes = [`/${file}`, ...blocking].map((name) => gzipSync(readFileSync(join(site, name))).byteLength);
    expect(bytes.length).toBeLessThanOrEqual(4);
    // The reference of everything that the package exports is a long text.
    expect(bytes.reduce((sum, size) => sum + size)).toBeLessThan(file === "docs/api.html" ? 30_000 : 10_000);
    await page.close();
  });
});
