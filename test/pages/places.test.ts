/** Places that are unkind to libraries: strict policies, workers, frames, foreign realms, and globals that somebody has changed. */
import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../engines/chromium.mjs";
import type { Clipped } from "../places/clips.ts";
import { type Places, served } from "../support/places.ts";
import { newPage } from "./visit.ts";

const clip = (where: string) =>
  `import { clipHere } from "./clips.js";\nclipHere().then((done) => ${where}(done), (error) => ${where}(String(error)));`;
const page = (body: string, script = "page.js") =>
  `<!doctype html><meta charset="utf-8"><title>A place</title><script type="module" src="${script}"></script>${body}`;

// The addresses of workers are what Trusted Types guard; a page that has workers has a policy for them.
const TRUSTED = `const policy = trustedTypes.createPolicy("workers", { createScriptURL: (url) => url });
const trusted = (url) => policy.createScriptURL(url);
`;
const toPage = "((done) => { globalThis.done = done; })";

const FILES = {
  "index.html": page(""),
  "page.js": clip(toPage),
  "worker.html": page("", "worker-page.js"),
  "worker-page.js": `${TRUSTED}const worker = new Worker(trusted("worker.js"), { type: "module" });\nworker.onmessage = ({ data }) => { globalThis.done = data; };\nworker.onerror = ({ message }) => { globalThis.done = message; };`,
  "worker.js": clip("postMessage"),
  "shared.html": page("", "shared-page.js"),
  "shared-page.js": `${TRUSTED}const { port } = new SharedWorker(trusted("shared.js"), { type: "module" });\nport.onmessage = ({ data }) => { globalThis.done = data; };`,
  // The page's message may come before the answer: it waits in the port.
  "shared.js": `${clip("((done) => ports.then((port) => port.postMessage(done)))")}\nconst ports = new Promise((resolve) => { globalThis.onconnect = ({ ports: [port] }) => resolve(port); });`,
  "service.html": page("", "service-page.js"),
  "service-page.js": `${TRUSTED}await navigator.serviceWorker.register(trusted("service.js"), { type: "module" });
const { active } = await navigator.serviceWorker.ready;
navigator.serviceWorker.onmessage = ({ data }) => { globalThis.done = data; };
navigator.serviceWorker.startMessages();
active.postMessage("clip");`,
  "service.js": `import { clipHere } from "./clips.js";
addEventListener("message", (event) => event.waitUntil(clipHere().then((done) => event.source.postMessage(done), (error) => event.source.postMessage(String(error)))));`,
  "frame.html": page('<iframe sandbox="allow-scripts" src="framed.html"></iframe>', "frame-page.js"),
  "frame-page.js": "addEventListener('message', ({ data }) => { globalThis.done = data; });",
  "framed.html": page("", "framed.js"),
  "framed.js": clip("((done) => parent.postMessage(done, '*'))"),
  "realms.html": page('<iframe src="empty.html"></iframe>', "realms.js"),
  "empty.html": "<!doctype html><title>Another realm</title>",
  // The device, the buffer, the list, the view and the array are the frame's.
  "realms.js": `import { clipHere } from "./clips.js";
await new Promise((loaded) => { addEventListener("load", loaded); if (document.readyState === "complete") loaded(); });
const frame = document.querySelector("iframe").contentWindow;
globalThis.done = await clipHere(frame.navigator.gpu).catch(String);`,
  // In a frame, because the test's own calls into the page would trip over them.
  "polluted.html": page('<iframe src="pollutedFrame.html"></iframe>', "frame-page.js"),
  "pollutedFrame.html": page("", "polluted.js"),
  // What a careless script adds to every object: names of options, of views and of descriptors.
  "polluted.js": `for (const name of ["byteOffset", "length", "dtype", "into", "parameter", "name", "group", "shape", "maxNorm", "eps", "skip", "nonFinite", "apply", "gradScale", "totalNorm", "device", "backend", "signal", "axes", "members"]) {
  Object.defineProperty(Object.prototype, name, { value: "polluted", writable: true, configurable: true, enumerable: true });
}
Array.prototype.last = function () { return this[this.length - 1]; };
const { clipHere } = await import("./clips.js");
parent.postMessage(await clipHere().catch(String), "*");`,
  "frozen.html": page("", "frozen.js"),
  "frozen.js": `for (const shared of [Object, Function, Array, Map, Set, WeakMap, Promise, RegExp, Number, String, Error, Float32Array, Uint32Array, Uint8Array, DataView, ArrayBuffer, Math, JSON, Reflect]) {
  Object.freeze(shared);
  if (shared.prototype) Object.freeze(shared.prototype);
}
Object.freeze(navigator);
const { clipHere } = await import("./clips.js");
globalThis.done = await clipHere().catch(String);`,
};

// Nothing but scripts of this address; no text becomes code or HTML.
const STRICT = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; worker-src 'self'; frame-src 'self'; require-trusted-types-for 'script'; trusted-types workers",
};
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

let browser: Browser;
let places: Places;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

async function doneAt(address: string): Promise<{ done: Clipped | string; page: Page; errors: string[] }> {
  const page = await newPage(browser);
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    // Chromium asks for an icon that no page here has.
    if (message.type() === "error" && !message.location().url?.endsWith("favicon.ico")) errors.push(message.text());
  });
  await page.goto(places.url + address);
  const handle = await page.waitForFunction(() => (globalThis as { done?: unknown }).done, { polling: 50 });
  return { done: (await handle.jsonValue()) as Clipped | string, page, errors };
}

async function expectClipped(address: string, backend = "webgpu"): Promise<Page> {
  const { done, page, errors } = await doneAt(address);
  const clipped = [0.6, 0.8].map(Math.fround);
  expect(done).toEqual({ backend, norm: 5, array: clipped, values: backend === "cpu" ? [] : clipped });
  expect(errors).toEqual([]);
  return page;
}

describe("under a strict policy with Trusted Types", () => {
  beforeAll(async () => {
    places = await served("places", "places/clips.ts", FILES, STRICT);
  });
  afterAll(() => places.close());

  test.each([
    "index.html",
    "worker.html",
    "shared.html",
    "service.html",
    "realms.html",
    "polluted.html",
    "frozen.html",
  ])("%s clips on the GPU and on the CPU", async (address) => {
    await (await expectClipped(address)).close();
  });
});

test("a page that comes back from the background, from a freeze and from another address goes on", async () => {
  places = await served("places", "places/clips.ts", FILES, STRICT);
  const page = await expectClipped("index.html");
  const again = () => page.evaluate(`import("./clips.js").then(({ clipHere }) => clipHere())`);
  const wanted = {
    backend: "webgpu",
    norm: 5,
    array: [0.6, 0.8].map(Math.fround),
    values: [0.6, 0.8].map(Math.fround),
  };
  const other = await newPage(browser);
  await other.bringToFront();
  expect(await again()).toEqual(wanted);
  const session = await page.createCDPSession();
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  await session.send("Page.setWebLifecycleState", { state: "active" });
  await page.bringToFront();
  expect(await again()).toEqual(wanted);
  await page.goto(`${places.url}empty.html`);
  await page.goBack();
  expect(await again()).toEqual(wanted);
  await Promise.all([page.close(), other.close(), places.close()]);
});

describe("in a page that is isolated from other origins", () => {
  beforeAll(async () => {
    places = await served("places", "places/clips.ts", FILES, ISOLATED);
  });
  afterAll(() => places.close());

  test.each(["index.html", "worker.html"])("%s clips on the GPU and on the CPU", async (address) => {
    const page = await expectClipped(address);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    await page.close();
  });
});

describe("in a frame in a sandbox, whose origin is nobody's", () => {
  beforeAll(async () => {
    places = await served("places", "places/clips.ts", FILES, { "Access-Control-Allow-Origin": "*" });
  });
  afterAll(() => places.close());

  test("clips on the GPU and on the CPU", async () => {
    await (await expectClipped("frame.html")).close();
  });
});
