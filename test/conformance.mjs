// npm run conformance -- --engine cpu|node|chromium|deno|bun|firefox|safari [--filter text] [--errors] [--times 200]
// Bundles test/conformance/index.ts, or test/bun/suite.ts, and runs it in one engine. An engine without its adapter is a failure. With --errors it
// prints the largest error of each method in each format, in ULP. --times: so often, each in a process or a browser of its own.

import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { build } from "vite";
import { bunPath } from "./engines/bun.mjs";
import { launchChromium, serveFolder } from "./engines/chromium.mjs";
import { denoArguments, denoEnvironment, denoPath } from "./engines/deno.mjs";
import { firefoxAdapter, firefoxAdapterName, launchFirefox } from "./engines/firefox.mjs";
import { limit, waitLimit } from "./engines/limits.mjs";
import { expectedAdapter, ownFolder, repository, roomyMemory, vulkanEnvironment } from "./engines/packaged.mjs";
import { runSuite } from "./engines/runSuite.mjs";
import { launchSafari } from "./engines/safari.mjs";

/** @typedef {import("./engines/runSuite.mjs").Message} Message */
/** @typedef {{ suite: string, engine: string, filter?: string, send: (message: Message) => void }} Run */

const silenceLimit = limit(60);

/** @typedef {(run: Run) => Promise<() => void | Promise<void>>} Engine starts the suite and returns how to stop it */
const engines = /** @type {Record<string, Engine>} */ ({
  cpu: runInProcess,
  node: runInProcess,
  deno: runInProcess,
  bun: runInProcess,
  chromium: async (run) => runInBrowser(await launchChromium(), run, inWorker),
  firefox: runInFirefox,
  safari: runInSafari,
});

/** @param {Run} run */
async function runInProcess({ suite, engine, filter, send }) {
  const script = [join(repository, "test/engines/runSuiteInProcess.mjs"), suite, engine, filter ?? ""];
  const env = { ...process.env, ...roomyMemory, ...(engine !== "cpu" && vulkanEnvironment()) };
  const child =
    engine === "deno"
      ? spawn(denoPath(), [...denoArguments, ...script], { env: { ...env, ...denoEnvironment }, stdio })
      : engine === "bun"
        ? spawn(bunPath(), script, { env, stdio })
        : spawn(process.execPath, [...roomyNursery, ...script], { env, stdio });
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith('{"')) send(JSON.parse(line));
    else console.log(line);
  });
  child.on("error", (error) => send({ crash: error.message }));
  child.on("close", (code, signal) => send({ crash: `the process ended with ${signal ?? code} before the suite did` }));
  return () => void child.kill("SIGKILL");
}

/** In MiB: most of what a case makes is garbage before so much is full, and is not copied. */
const roomyNursery = ["--min-semi-space-size=64", "--max-semi-space-size=64"];

/** @type {["ignore", "pipe", "inherit"]} */
const stdio = ["ignore", "pipe", "inherit"];

/** @param {Run} run */
async function runInFirefox(run) {
  const browser = await launchFirefox();
  const adapter = await firefoxAdapterName(browser);
  /** @param {Message} message */
  const send = (message) => run.send("adapter" in message ? { adapter } : message);
  return runInBrowser(browser, { ...run, send }, inPage);
}

/** @param {string} options of runSuite, as text */
function inPage(options) {
  return `(${runSuite})({ ...${options}, gpu: navigator.gpu, send })`;
}

/**
 * As the site's check page does: a worker has a smaller stack than a page.
 * @param {string} options of runSuite, as text
 */
function inWorker(options) {
  const source = `(${runSuite})({ ...${options}, gpu: navigator.gpu, send: (message) => postMessage(message) })`;
  return `{
    const worker = new Worker(URL.createObjectURL(new Blob([${JSON.stringify(source)}])));
    worker.onmessage = ({ data }) => send(data);
    worker.onerror = ({ message }) => send({ crash: message || "the worker did not start" });
  }`;
}

/**
 * @param {import("puppeteer").Browser} browser
 * @param {Run} run
 * @param {(options: string) => string} codeFor what the page evaluates
 */
async function runInBrowser(browser, { suite, engine, filter, send }, codeFor) {
  const server = await serveFolder(join(suite, ".."));
  browser.on("disconnected", () => send({ crash: "the browser ended before the suite did" }));
  const page = await browser.newPage();
  page.on("error", (error) => send({ crash: error.message }));
  page.on("pageerror", (error) => send({ crash: String(error) }));
  page.on("console", (message) => console.log(`[${message.type()}] ${message.text()}`));
  await page.exposeFunction("send", send);
  await page.goto(server.url);
  const options = JSON.stringify({ suite: new URL("suite.js", server.url).href, engine, filter });
  page.evaluate(codeFor(options)).catch((error) => send({ crash: error.message }));
  return async () => {
    // A browser that hangs does not close.
    await Promise.race([browser.close(), setTimeout(waitLimit)]);
    browser.process()?.kill("SIGKILL");
  };
}

/** WebDriver cannot call back from a page: the page keeps its messages until they are asked for. @param {Run} run */
async function runInSafari({ suite, engine, filter, send }) {
  const server = await serveFolder(join(suite, ".."));
  const driver = await launchSafari();
  await driver.get(server.url);
  const options = JSON.stringify({ suite: new URL("suite.js", server.url).href, engine, filter });
  await driver.executeScript(`messages = []; send = (message) => messages.push(message); ${inWorker(options)}`);
  /** @returns {Promise<void>} */
  const takeMessages = async () => {
    /** @type {Message[]} */
    const messages = await driver.executeAsyncScript(
      "const take = () => (messages.length ? arguments[0](messages.splice(0)) : setTimeout(take, 100)); take();",
    );
    messages.forEach(send);
    return takeMessages();
  };
  takeMessages().catch((error) => send({ crash: error.message }));
  return () => driver.quit();
}

/** Other suites than the project's own. @type {Record<string, string>} */
const suites = { bun: "test/bun/suite.ts" };

/** @param {string | undefined} entry another suite than the project's */
async function bundle(entry) {
  const output = await build({
    root: repository,
    mode: "conformance",
    define: { "import.meta.env.SEEDS": JSON.stringify(values.seeds) ?? "undefined" },
    logLevel: "warn",
    build: { write: false, ...(entry && { lib: { entry: resolve(entry), formats: ["es"] } }) },
  });
  const [result] = /** @type {import("vite").Rolldown.RolldownOutput[]} */ ([output].flat());
  if (!result) throw new Error("Vite built nothing.");
  const folder = ownFolder("conformance");
  writeFileSync(join(folder, "index.html"), "<!doctype html><title>conformance</title><link rel=icon href=data:,>");
  const suite = join(folder, "suite.js");
  writeFileSync(suite, result.output[0].code);
  return suite;
}

/**
 * @param {{ engine: string, suite: string, filter?: string }} options
 * @param {Engine} start
 * @returns {Promise<{ passed: number, failed: number }>}
 */
function runIn({ engine, suite, filter }, start) {
  let passed = 0;
  let failed = 0;
  let last = "";
  return new Promise((finish) => {
    /** @type {NodeJS.Timeout | undefined} */
    let silence;
    /** @type {() => void | Promise<void>} */
    let stop = () => {};
    let ended = false;
    /** @param {{ passed: number, failed: number }} counts */
    const end = async (counts) => {
      ended = true;
      clearTimeout(silence);
      await stop();
      finish(counts);
    };
    /** @param {string} reason */
    const crash = (reason) => {
      console.log(`FAILED ${engine}: ${reason}${last && `\n  the last case that ended was ${last}`}`);
      end({ passed, failed: failed + 1 });
    };
    const listen = () => {
      clearTimeout(silence);
      silence = globalThis.setTimeout(() => crash(`no result for ${silenceLimit / 1000} seconds`), silenceLimit);
    };
    /** @param {Message} message */
    const send = (message) => {
      if (ended) return;
      listen();
      if ("crash" in message) {
        crash(message.crash);
      } else if ("adapter" in message) {
        console.log(`${engine}: adapter ${message.adapter}`);
        const expected = engine === "firefox" ? firefoxAdapter : expectedAdapter;
        if (engine !== "cpu" && !message.adapter.toLowerCase().includes(expected.toLowerCase())) {
          crash(`expected an adapter with "${expected}" in its name (set GRADCLIP_ADAPTER to expect another)`);
        }
      } else if ("name" in message) {
        last = message.name;
        if (message.error === undefined) {
          passed++;
        } else {
          failed++;
          console.log(`FAILED ${message.name}: ${message.error}`);
        }
      } else if (message.passed + message.failed === 0) {
        crash(filter ? `no case matches "${filter}"` : "the suite has no cases");
      } else {
        if (values.errors) printErrors(message.largestErrors ?? {});
        end({ passed: message.passed, failed: message.failed });
      }
    };
    listen();
    start({ suite, engine, filter, send }).then(
      (stopEngine) => {
        if (ended) stopEngine();
        else stop = stopEngine;
      },
      (error) => crash(error.message),
    );
  });
}

/** @param {import("./engines/runSuite.mjs").Errors} errors */
function printErrors(errors) {
  for (const [name, { value, norm }] of Object.entries(errors)) {
    console.log(`${name.padEnd(52)} values ${value.toFixed(2).padStart(6)}  norm ${norm.toFixed(2).padStart(6)}`);
  }
}

const { values } = parseArgs({
  options: {
    engine: { type: "string" },
    filter: { type: "string" },
    suite: { type: "string" },
    errors: { type: "boolean" },
    seeds: { type: "string" },
    times: { type: "string", default: "1" },
  },
});
const engine = values.engine ?? "";
const start = engines[engine];
if (!start) {
  console.error(`--engine must be one of ${Object.keys(engines).join(", ")}.`);
  process.exit(2);
}

const counts = { passed: 0, failed: 0 };
try {
  const suite = await bundle(values.suite ?? suites[engine]);
  for (let run = 1; run <= Number(values.times); run++) {
    const { passed, failed } = await runIn({ engine, suite, filter: values.filter }, start);
    counts.passed += passed;
    counts.failed += failed;
  }
} catch (error) {
  console.log(`FAILED ${engine}: ${error instanceof Error ? error.message : error}`);
  counts.failed += 1;
}
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed || !counts.passed ? 1 : 0);
