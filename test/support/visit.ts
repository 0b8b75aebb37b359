/** A page of the site as a visitor sees it. */
import type { Browser, Page } from "puppeteer-core";

export interface Visit {
  page: Page;
  /** What the page complains about. */
  errors: string[];
}

export async function visit(
  browser: Browser,
  address: string,
  { hasWebGpu = true, width = 1280, height = 900 } = {},
): Promise<Visit> {
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.setViewport({ width, height });
  if (!hasWebGpu) await page.evaluateOnNewDocument("delete Navigator.prototype.gpu");
  await page.goto(address);
  return { page, errors };
}

export function textOf(page: Page, selector: string): Promise<string> {
  return page.$eval(selector, (element) => element.textContent?.trim() ?? "");
}
