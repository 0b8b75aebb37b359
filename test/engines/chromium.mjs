// A headless Chromium with WebGPU, and a server for its pages: navigator.gpu exists in secure contexts only.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import puppeteer from "puppeteer";
import { preview } from "vite";
import { waitLimit } from "./limits.mjs";
import { isSoftware, packagedChromium } from "./packaged.mjs";

/** @returns {{ executablePath: string, env: Record<string, string> }} */
function findChromium() {
  const named = process.env.PUPPETEER_EXECUTABLE_PATH;
  if (named) return { executablePath: named, env: {} };
  try {
    return { executablePath: puppeteer.executablePath("chrome"), env: {} };
  } catch {}
  const installed = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => existsSync(path));
  return installed ? { executablePath: installed, env: {} } : packagedChromium();
}

const webGpuArguments = [
  "--enable-unsafe-webgpu",
  ...(isSoftware ? ["--use-webgpu-adapter=swiftshader"] : ["--enable-features=Vulkan"]),
];

/**
 * Close the browser when done with it. `args` adds to the command line. `locale` is the process's, which gives the pages
 * their language: "C" gives "en-US@posix", which is no language tag.
 * @param {{ args?: string[], hasWebGpu?: boolean, locale?: string }} [options]
 */
export async function launchChromium({ args = [], hasWebGpu = true, locale = "en_US.UTF-8" } = {}) {
  const { executablePath, env } = findChromium();
  return puppeteer.launch({
    executablePath,
    env: { ...process.env, LC_ALL: locale, ...env },
    headless: executablePath.endsWith("shell") || Object.keys(env).length > 0 ? "shell" : true,
    // With it, the adapter is null.
    ignoreDefaultArgs: ["--disable-gpu"],
    args: [
      "--no-sandbox",
      ...(hasWebGpu ? webGpuArguments : ["--disable-blink-features=WebGPU", "--disable-features=WebGPUService"]),
      ...args,
    ],
    // The browser ends with this process, however that ends.
    pipe: true,
    timeout: waitLimit,
    protocolTimeout: 0,
  });
}

/**
 * Serves a folder of built pages on a free port of this machine.
 * @param {string} folder
 * @param {Record<string, string>} [headers] with every answer
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function serveFolder(folder, headers = {}) {
  const server = await preview({
    configFile: false,
    appType: "mpa",
    logLevel: "warn",
    build: { outDir: resolve(folder) },
    preview: { host: "127.0.0.1", port: 0, open: false, headers },
  });
  const [url] = server.resolvedUrls?.local ?? [];
  if (!url) throw new Error(`Could not serve ${folder}`);
  return { url, close: () => server.close() };
}
