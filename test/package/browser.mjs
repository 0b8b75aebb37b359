// The package in a browser without a bundler, in a worker, and under a strict policy.

import { launchChromium, serveFolder } from "../engines/chromium.mjs";
import { waitLimit } from "../engines/limits.mjs";
import { project } from "./project.mjs";

/** Nothing but the site's own files; strings that become code only as trusted types, and no policy may make any. */
const strict = "default-src 'none'; script-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'";

/** @param {string} page @param {Record<string, string>} [headers] */
async function visit(page, headers = {}) {
  const server = await serveFolder(project(), headers);
  const browser = await launchChromium();
  try {
    const tab = await browser.newPage();
    /** @type {string[]} */
    const errors = [];
    tab.on("pageerror", (error) => errors.push(String(error)));
    tab.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    await tab.goto(new URL(page, server.url).href);
    await tab.waitForFunction(() => document.title !== "waiting", { timeout: waitLimit }).catch(() => {});
    const title = await tab.title();
    if (title !== "5 0.6000" || errors.length > 0)
      throw new Error(`The page ended with ${title}: ${errors.join("; ")}`);
  } finally {
    await browser.close();
    await server.close();
  }
}

/** @type {import("./tarball.mjs").Check[]} */
export const browserChecks = [
  { name: "browser: a page without a bundler, by an import map", run: () => visit("importMap.html") },
  { name: "browser: a module worker", run: () => visit("worker.html") },
  {
    name: "browser: a policy without eval, with Trusted Types",
    run: () => visit("strict.html", { "Content-Security-Policy": strict }),
  },
];
