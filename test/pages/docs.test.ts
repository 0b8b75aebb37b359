// The documentation in the site: every text is a page, the same as built and under `npm start`, and every link leads somewhere.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import type { Browser } from "puppeteer";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { launchChromium } from "../engines/chromium.mjs";
import { repository } from "../engines/packaged.mjs";
import { text, visit } from "./visit.ts";

const site = join(repository, "dist/site");
const htmlOf = (file: string) => readFileSync(join(site, file), "utf8");
const docs = () => readdirSync(join(site, "docs")).map((file) => `docs/${file}`);
const pages = () => [...readdirSync(site).filter((file) => file.endsWith(".html")), ...docs()];

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

it("has a page for README, for each text in docs and for each entry of the API", () => {
  const texts = readdirSync(join(repository, "docs")).filter((file) => file.endsWith(".md"));
  expect(texts.length).toBeGreaterThan(5);
  const wanted = ["index", "api", "api-shaders", "api-tfjs", "api-jax", ...texts.map((file) => file.slice(0, -3))];
  expect(docs()).toEqual(expect.arrayContaining(wanted.map((name) => `docs/${name}.html`)));
  const { exports } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
  expect(docs().filter((file) => file.startsWith("docs/api")).length).toBe(Object.keys(exports).length - 3);
});

it("has everything that the package exports, with its TSDoc", async () => {
  const names = [
    ...readFileSync(join(repository, "src/everyEntry.ts"), "utf8").matchAll(/export (?:type )?\{([^}]+)\}/g),
  ]
    .flatMap(([, list = ""]) => list.split(","))
    .map((name) => name.replace("type", "").trim());
  expect(names.length).toBeGreaterThan(20);
  const html = htmlOf("docs/api.html");
  const ids = new Set(idsOf(html));
  expect(names.filter((name) => !ids.has(name.toLowerCase()))).toEqual([]);
});

const idsOf = (html: string) => [...html.matchAll(/\sid="([^"]+)"/g)].map(([, id = ""]) => id);

it("has no link that leads nowhere", () => {
  const dead: string[] = [];
  let count = 0;
  for (const file of pages()) {
    for (const [, address = ""] of htmlOf(file).matchAll(/<a\s[^>]*?href="([^"]+)"/g)) {
      if (/^[a-z]+:/.test(address)) continue;
      count++;
      const [path = "", hash = ""] = address.split("#");
      const target = path ? posix.normalize(posix.join(posix.dirname(file), path)) : file;
      // After `#`, the pages of the cliff and of training have settings.
      const isSetting = hash.includes("=");
      if (!existsSync(join(site, target))) dead.push(`${file}: ${address}`);
      else if (hash && !isSetting && !idsOf(htmlOf(target)).includes(decodeURIComponent(hash))) {
        dead.push(`${file}: ${address}`);
      }
    }
  }
  expect(dead).toEqual([]);
  expect(count).toBeGreaterThan(200);
});

it("is the same under `npm start`", async () => {
  const shown = (html: string) =>
    (/<article>([\s\S]*)<\/article>/.exec(html)?.[1] ?? "").replace(/(src|href)="[^"]*"/g, "").trim();
  for (const file of docs()) {
    const answer = await fetch(inject("npmStart") + file);
    expect([file, answer.status]).toEqual([file, 200]);
    const article = shown(await answer.text());
    expect(article.length).toBeGreaterThan(200);
    expect(article).toBe(shown(htmlOf(file)));
  }
});

describe.each(["site", "npmStart"] as const)("%s", (name) => {
  it("shows its pictures, and colours its code", async () => {
    const { page, errors } = await visit(browser, "docs/index.html", { site: inject(name) });
    const sizes = await page.$$eval("article img", async (images) => {
      await Promise.all(images.map((image) => image.decode()));
      return images.map((image) => image.naturalWidth);
    });
    expect(sizes.length).toBeGreaterThan(0);
    expect(Math.min(...sizes)).toBeGreaterThan(100);
    const colors = await page.evaluate(() =>
      ["pre", ".hljs-keyword"].map((selector) => {
        const element = document.querySelector(selector);
        return element && getComputedStyle(element).color;
      }),
    );
    expect(colors[0]).not.toBe(colors[1]);
    expect(errors).toEqual([]);
    await page.close();
  });

  it("finds a word by keyboard alone, and leads to it", async () => {
    const { page, errors } = await visit(browser, "docs/methods.html", { site: inject(name) });
    await page.focus("#query");
    await page.keyboard.type("skipSpikes");
    await page.waitForSelector("#found a");
    expect(await text(page, "#count")).toMatch(/^\d+ found, the first 8:$/);
    expect(await page.$$eval("#found a", (links) => links.length)).toBe(8);
    await page.keyboard.press("Tab");
    const found = await page.evaluate(() => document.activeElement?.getAttribute("href") ?? "");
    expect(found).toContain("#");
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
    expect(page.url()).toContain(found.slice(2));
    expect(await page.$eval(page.url().replace(/^[^#]*/, ""), ({ localName }) => localName)).toMatch(/^h[1-6]$/);
    await page.focus("#query");
    await page.keyboard.type("qqqqzzzz");
    await page.waitForFunction(() => document.querySelector("#count")?.textContent === "nothing found");
    expect(errors).toEqual([]);
    await page.close();
  });
});

it("fits a phone on every page, the text before the lists", async () => {
  for (const file of docs()) {
    const { page, errors } = await visit(browser, file, { width: 360, height: 740 });
    expect([file, await page.evaluate(() => document.documentElement.scrollWidth)]).toEqual([file, 360]);
    const top = await page.$eval("article h1", (heading) => heading.getBoundingClientRect().top);
    expect([file, top < 740]).toEqual([file, true]);
    expect(errors).toEqual([]);
    await page.close();
  }
});

it("shows the second column of a table on a phone, and leads a picture through by keyboard", async () => {
  for (const name of ["coming-from", "methods"]) {
    const { page } = await visit(browser, `docs/${name}.html`, { width: 360, height: 740 });
    const edge = await page.$eval("article table td:nth-child(2)", (cell) => cell.getBoundingClientRect().right);
    expect([name, edge < 260]).toEqual([name, true]);
    await page.close();
  }
  const { page } = await visit(browser, "docs/index.html", { width: 360, height: 740 });
  const picture = await page.waitForSelector("article p > img");
  expect((await picture?.boundingBox())?.width).toBe(46 * 16);
  await page.focus("article p:has(> img)");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => (document.activeElement?.scrollLeft ?? 0) > 0);
  await page.close();
});

it("shows the whole ring of the search that has the focus", async () => {
  const { page } = await visit(browser, "docs/index.html");
  await page.focus("#query");
  const room = await page.$eval("#query", (query) => {
    const { outlineOffset, outlineWidth } = getComputedStyle(query);
    const ring = Number.parseFloat(outlineOffset) + Number.parseFloat(outlineWidth);
    const [inner, outer] = [query, query.closest("aside") as Element].map((each) => each.getBoundingClientRect());
    return [(inner?.left ?? 0) - ring - (outer?.left ?? 0), (outer?.right ?? 0) - (inner?.right ?? 0) - ring];
  });
  expect(Math.min(...room)).toBeGreaterThanOrEqual(0);
  await page.close();
});
