// A headless Firefox with WebGPU: wgpu and naga behind a browser's own validation.

import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import puppeteer from "puppeteer";
import { waitLimit } from "./limits.mjs";
import { cache } from "./packaged.mjs";

const places = [
  "/usr/bin/firefox-esr",
  // Not /usr/bin/firefox, which may start a snap: that one cannot read the profile that it is given.
  "/usr/lib/firefox/firefox",
  "/usr/lib64/firefox/firefox",
  "/Applications/Firefox.app/Contents/MacOS/firefox",
  "C:/Program Files/Mozilla Firefox/firefox.exe",
];

/** Where Firefox is installed, if it is. */
export function findFirefox() {
  return places.find((path) => existsSync(path));
}

/** Part of the adapter's name: on Linux Mesa's software driver, lavapipe, unless GRADCLIP_ADAPTER names another. */
export const firefoxAdapter = process.env.GRADCLIP_ADAPTER ?? (process.platform === "linux" ? "llvmpipe" : "");

/** @returns {Record<string, string>} */
function driver() {
  if (firefoxAdapter !== "llvmpipe") return {};
  const folder = "/usr/share/vulkan/icd.d";
  const lavapipe = existsSync(folder) && readdirSync(folder).find((file) => file.startsWith("lvp_icd"));
  if (!lavapipe) throw new Error(`${folder} has no lavapipe for Firefox; install mesa-vulkan-drivers.`);
  return { VK_ICD_FILENAMES: join(folder, lavapipe) };
}

/** Close the browser when done with it. */
export async function launchFirefox() {
  const executablePath = findFirefox();
  if (!executablePath) throw new Error("Firefox is not installed; install firefox-esr and mesa-vulkan-drivers.");
  // Firefox refuses to start as root in the home of another user.
  const HOME = join(cache, "firefox");
  mkdirSync(HOME, { recursive: true });
  return puppeteer.launch({
    browser: "firefox",
    executablePath,
    env: { ...process.env, HOME, MOZ_CRASHREPORTER_DISABLE: "1", ...driver() },
    extraPrefsFirefox: { "dom.webgpu.enabled": true, "gfx.webgpu.ignore-blocklist": true },
    args: ["--remote-allow-system-access"],
    timeout: waitLimit,
    protocolTimeout: 0,
  });
}

/**
 * The default adapter's name, which Firefox keeps from pages; its own windows may read it.
 * @param {import("puppeteer").Browser} browser
 * @returns {Promise<string>}
 */
export async function firefoxAdapterName(browser) {
  // Puppeteer has pages of the content only; the protocol below it reaches the rest.
  const { connection } = /** @type {any} */ (browser);
  const tree = await connection.send("browsingContext.getTree", { "moz:scope": "chrome", maxDepth: 0 });
  const { result } = await connection.send("script.evaluate", {
    expression: "navigator.gpu.requestAdapter().then((adapter) => adapter?.info.wgpuName)",
    target: { context: tree.result.contexts[0].context },
    awaitPromise: true,
  });
  return result.result?.value ?? "none";
}
