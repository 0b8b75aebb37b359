/** "Across machines" of docs/engines.md: two browsers that share nothing but the network train one model. */
import type { AddressInfo, Server } from "node:net";
import { networkInterfaces } from "node:os";
import { PeerServer } from "peer";
import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../engines/chromium.mjs";
import { waitLimit } from "../engines/limits.mjs";
import type { Examples, Result, Started } from "../peers/page.ts";
import { steps, train64 } from "../peers/task.ts";
import { bodiesOf } from "../support/examples.ts";
import { largest } from "../support/largest.ts";
import { BARE_PAGE, type Places, served } from "../support/places.ts";
import { newPage } from "./visit.ts";

const [channel, dataParallel, sharded] = bodiesOf("docs/engines.md", "Across machines") as [string, string, string];
const examples: Examples = { channel, dataParallel, sharded };
const ways = ["data-parallel", "sharded"] as const;

interface Opened {
  browser: Browser;
  page: Page;
}

let site: Places;
let signalling: Server;
/** Who is known to the server. */
const known = new Set<string>();
/** Each is opened once, and anew where a test has killed it. */
const opened: (Opened | undefined)[] = [];
const reference = train64();
let alone: Result;

beforeAll(async () => {
  const others = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  if (others.every(({ internal }) => internal)) {
    throw new Error(
      "This machine has no network interface but the loopback, over which Chromium opens no data channel.",
    );
  }
  site = await served("peers", "peers/page.ts", { "index.html": BARE_PAGE });
  signalling = await new Promise((resolve) => {
    const server = PeerServer({ host: "127.0.0.1", port: 0, path: "/" }, resolve);
    server.on("connection", (client) => known.add(client.getId()));
  });
  const { page } = await open(0);
  alone = await page.evaluate(() => globalThis.peersInPage?.trainAlone() as Promise<Result>);
});
afterAll(async () => {
  await Promise.all(opened.map((each) => each?.browser.close()));
  signalling?.close();
  await site?.close();
});

/** A page in a process of its own. */
async function open(which: 0 | 1): Promise<Opened> {
  const before = opened[which];
  if (before) return before;
  const browser = await launchChromium();
  const page = await newPage(browser);
  opened[which] = { browser, page };
  await page.goto(site.url);
  await page.waitForFunction(() => globalThis.peersInPage !== undefined);
  return { browser, page };
}

async function openTwo(patience: number, stopsIn?: number) {
  const [first, second] = await Promise.all([open(0), open(1)]);
  const { port } = signalling.address() as AddressInfo;
  const names = ["a", "b"].map((letter) => `${letter}${Date.now()}`) as [string, string];
  const connect = ({ page }: Opened, started: Started) =>
    page.evaluate((examples, started) => globalThis.peersInPage?.connect(examples, started), examples, started);
  const answers = connect(first, { name: names[0], port, patience });
  // It has to be known before it is called.
  await expect.poll(() => known.has(names[0])).toBe(true);
  await Promise.all([answers, connect(second, { name: names[1], other: names[0], port, patience, stopsIn })]);
  return [first, second] as const;
}

function train(page: Page, way: (typeof ways)[number], part: 0 | 1): Promise<Result> {
  return page.evaluate(
    async (way, body, part) => {
      const { trainInParallel, trainSharded } = globalThis.peersInPage as NonNullable<typeof globalThis.peersInPage>;
      return way === "sharded" ? trainSharded(body, part) : trainInParallel(body, part);
    },
    way,
    way === "sharded" ? sharded : dataParallel,
    part,
  );
}

function furthest(a: Result, b: { weights: number[][] }): number {
  const [left, right] = [a.weights.flat(), b.weights.flat()];
  expect(left.length).toBe(right.length);
  return largest(left.map((value, i) => value - (right[i] as number)));
}

describe.each(ways)("%s", (way) => {
  test("ends at the weights of one browser that does everything", async () => {
    const [first, second] = await openTwo(waitLimit / 2);
    const results = await Promise.all([train(first.page, way, 0), train(second.page, way, 1)]);
    const { clippedSteps } = reference;
    expect(clippedSteps).toBeGreaterThan(5);
    expect(clippedSteps).toBeLessThan(steps - 5);
    expect(furthest(alone, reference)).toBeLessThan(1e-5);
    for (const result of results) {
      expect(result.error).toBeUndefined();
      expect(result.report).toMatchObject({ steps, clippedSteps, nonFinite: 0 });
      expect(furthest(result, alone)).toBeLessThan(1e-6);
    }
    expect(results[0].weights).toEqual(results[1].weights);
  });

  test("a browser that is killed in a step ends that step in the other one, and the weights stay as they were", async () => {
    const [stopsIn, patience] = [7, Math.round(waitLimit / 6)];
    const [first, second] = await openTwo(patience, stopsIn);
    const results = [train(first.page, way, 0), train(second.page, way, 1)] as const;
    results[1].catch(() => {});
    await second.page.waitForFunction(() => document.title === "stopped");
    // What the second sent before may still be under way.
    await first.page.waitForFunction((step) => document.title === `step ${step}`, {}, stopsIn);
    second.browser.process()?.kill("SIGKILL");
    opened[1] = undefined;
    const result = await results[0];
    expect(result.error).toMatch(
      new RegExp(`^Error: The other browser sent \\d+ of \\d+ values in ${patience} ms; the step was not taken\\.$`),
    );
    expect(result.weights).toEqual(result.before);
    expect(furthest(result, train64(stopsIn))).toBeLessThan(1e-5);
    expect(furthest(result, train64(stopsIn + 1))).toBeGreaterThan(1e-3);
  });
});
