import { readFileSync } from "node:fs";
import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { Summary } from "../../bench/experiment/summary.ts";
import { launchChromium } from "../engines/chromium.mjs";
import { photograph, text, untilStep, untilText, type Visit, visit } from "./visit.ts";

const summary = JSON.parse(readFileSync(new URL("../../docs/experiment.json", import.meta.url), "utf8")) as Summary;

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

/** What the recording says about a lane, counted here from its outcomes. */
function recorded(mode: string, learningRate: number, step: number) {
  const { outcomes } = summary.cells.find(
    (cell) => cell.mode === mode && cell.learningRate === learningRate,
  ) as Summary["cells"][number];
  const exploded = outcomes.filter(({ explodedAt }) => explodedAt !== null && explodedAt <= step);
  const arrived = outcomes.filter(
    (outcome) => !exploded.includes(outcome) && outcome.stepsToGoal !== null && outcome.stepsToGoal <= step,
  );
  return { arrived: arrived.length, exploded: exploded.length, outcomes };
}

/** What the page shows of a lane: the counter, and the tiles in words. */
async function shown(page: Page, lane: string) {
  const count = async (name: string) => Number(await text(page, `#lane-${lane} [data-count=${name}]`));
  const tiles = await page.$$eval(`#lane-${lane} i`, (all) =>
    all.map((tile) => ({ state: tile.dataset.state, read: Number(tile.style.getPropertyValue("--read")) })),
  );
  return { arrived: await count("arrived"), exploded: await count("exploded"), tiles };
}

/** What the page says of the runs below the race: state, speed, and whether Pause is disabled. */
async function nowOf(page: Page) {
  const isDisabled = await page.$eval("#pause", (button) => (button as HTMLButtonElement).disabled);
  return [await text(page, "#state"), await text(page, "#speed"), isDisabled];
}

async function slide(page: Page, id: string, value: number): Promise<void> {
  await page.$eval(
    id,
    (slider, value) => {
      (slider as HTMLInputElement).valueAsNumber = value;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    },
    value,
  );
}

/** Before the page's own scripts: keeps the worker and its last report of the race. */
function keepReports(): void {
  const Original = Worker;
  globalThis.Worker = class extends Original {
    constructor(...values: ConstructorParameters<typeof Worker>) {
      super(...values);
      this.addEventListener("message", ({ data }) => {
        if ("race" in data) Object.assign(globalThis, { kept: { worker: this, data } });
      });
    }
  };
}

describe("the race", () => {
  let visited: Visit;
  let page: Page;
  beforeAll(async () => {
    visited = await visit(browser, "train.html?backend=cpu", { before: keepReports });
    page = visited.page;
    await page.waitForFunction(() => document.body.dataset.race === "recorded");
  });
  afterAll(() => page?.close());

  it("marks the preset that it opens with", async () => {
    expect(await page.$$eval("#presets [aria-current]", (links) => links.map((link) => link.textContent))).toEqual([
      "Bound 1: right",
    ]);
    expect(await text(page, "#presets p")).toContain("A bound of 1 is right");
  });

  it("has its headline and its lanes in the page as it arrives, with the numbers of the recording", async () => {
    const html = (await (await fetch(`${inject("site")}train.html`)).text()).replaceAll(/<\/?em>/g, "");
    expect(html).toContain("Clipped, 17 of 20 networks read 70 % of the digits at step 900, and none exploded.");
    expect(html).toContain("Not clipped, at its best rate: 1 of 20, and 7 exploded.");
    expect(recorded("norm", summary.findings.norm.bestRate, 900)).toMatchObject({ arrived: 17, exploded: 0 });
    expect(recorded("none", summary.findings.none.bestRate, 900)).toMatchObject({ arrived: 1, exploded: 7 });
    expect(html.match(/<i><\/i>/g)?.length).toBe(4 * 20);
  });

  it("replays by itself, says that it is a recording, and moves nothing else", async () => {
    expect(await text(page, "#race-state")).toMatch(/^Recorded: .* Nothing trains here yet\.$/);
    await page.evaluate(() => {
      new PerformanceObserver((list) => performance.mark("shift", { detail: list.getEntries().length })).observe({
        type: "layout-shift",
        buffered: true,
      });
    });
    await page.waitForFunction(() => Number(document.querySelector("#race-step-output")?.textContent) > 300);
    await page.waitForFunction(() => Number(document.querySelector("#race-step-output")?.textContent) === 1500);
    expect(await text(page, "#race-play")).toBe("Replay");
    expect(await page.evaluate(() => performance.getEntriesByName("shift").length)).toBe(0);
    await photograph(page, "train-race");
  });

  it("shows each network at each step as it was recorded", async () => {
    for (const step of [0, 2, 3, 64, 900, 1499]) {
      await slide(page, "#race-step", step);
      for (const [lane, mode, rate] of [
        ["none", "none", 0.1],
        ["best", "none", 0.0046],
        ["norm", "norm", 0.1],
        ["value", "value", 0.0215],
      ] as const) {
        const { tiles, ...counts } = await shown(page, lane);
        const { outcomes, ...wanted } = recorded(mode, rate, step);
        expect([step, lane, counts]).toEqual([step, lane, wanted]);
        expect(tiles.filter(({ state }) => state === "exploded").length).toBe(wanted.exploded);
        expect(tiles.filter(({ state }) => state === "arrived").length).toBe(wanted.arrived);
        const read = outcomes.map(({ accuracy }) => accuracy[Math.floor(step / 50) - 1] ?? 0);
        tiles.forEach(({ read: share }, index) => {
          expect(Math.abs(share - (read[index] as number))).toBeLessThan(0.0051);
        });
      }
    }
  });

  it("takes the experiment's five rates: to the right the unclipped lane goes out, the clipped one stays whole", async () => {
    await slide(page, "#race-step", 1500);
    const exploded: number[] = [];
    await page.focus("#race-rate");
    await page.keyboard.press("Home");
    for (const rate of summary.configuration.learningRates) {
      expect(await text(page, "#lane-none output")).toBe(String(rate));
      const [none, best, norm] = [await shown(page, "none"), await shown(page, "best"), await shown(page, "norm")];
      const cell = (mode: string) => summary.cells.find((cell) => cell.mode === mode && cell.learningRate === rate);
      expect(none.exploded).toBe(cell("none")?.exploded);
      expect(best.exploded).toBe(8);
      expect(norm).toMatchObject({ exploded: 0, arrived: cell("norm")?.arrived });
      exploded.push(none.exploded);
      await page.keyboard.press("ArrowRight");
    }
    expect(exploded).toEqual([...exploded].sort((a, b) => a - b));
    expect(exploded.at(-1)).toBe(19);
  });

  it("has its rate and its step in the address, beside the settings of the runs", async () => {
    const address = () => page.evaluate(() => Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
    await page.focus("#race-rate");
    await page.keyboard.press("Home");
    await slide(page, "#race-step", 900);
    expect(await address()).toEqual({ raceRate: "0.001", raceStep: "900" });
    // A link to settings of the runs leaves the race as it is.
    await page.$$eval("#presets a", (links) => (links[1] as HTMLElement).click());
    await page.waitForFunction(() => location.hash.includes("raceStep"));
    expect(await address()).toMatchObject({ bound: "20", raceRate: "0.001", raceStep: "900" });
    await page.evaluate(() => {
      location.hash = "raceRate=0.02&raceStep=64.9";
    });
    await untilText(page, "#race-rate-output", "0.0215");
    expect(await text(page, "#race-step-output")).toBe("64");
    expect(await address()).toMatchObject({ raceRate: "0.0215", raceStep: "64", bound: "1" });
    // A replay has no step of its own; where it is paused is one.
    await page.click("#race-play");
    expect(await address()).not.toHaveProperty("raceStep");
    await page.click("#race-play");
    expect((await address()).raceStep).toBe(await text(page, "#race-step-output"));
    await page.focus("#race-rate");
    await page.keyboard.press("End");
    expect((await address()).raceRate).toBe("0.46");
  });

  it.each([
    ["#raceRate=7e99&raceStep=1e9", "#raceRate=0.46&raceStep=1500", "1500"],
    ["#raceRate=-1&raceStep=-5&x=1", "#raceRate=0.001&raceStep=0", "0"],
    ["#raceRate=zap&raceStep=300", "#raceStep=300", "300"],
  ])("keeps no wild values of %s", async (wild, taken, step) => {
    const linked = await visit(browser, `train.html?backend=cpu${wild}`);
    await linked.page.waitForFunction(() => document.body.dataset.race === "recorded");
    expect(await linked.page.evaluate(() => location.hash)).toBe(taken);
    expect(await text(linked.page, "#race-step-output")).toBe(step);
    expect(await text(linked.page, "#race-play")).toBe("Replay");
    await linked.page.close();
  });

  it("trains the same lanes here, and stays cancelled when a report comes late", async () => {
    await page.click("#restart");
    await untilStep(page, 1);
    await page.evaluate(() => {
      const state = document.querySelector("#race-state") as HTMLElement;
      const said: string[] = [];
      new MutationObserver(() => said.push(state.textContent ?? "")).observe(state, { childList: true });
      Object.assign(globalThis, { said });
    });
    await page.click("#race-train");
    await untilText(page, "#race-state", "Training here, on this machine: step 3");
    // The first step's time holds the compiling.
    const progress = (await page.evaluate(() => (globalThis as unknown as { said: string[] }).said)).slice(1, 4);
    expect(progress[0]).toBe("Training here, on this machine: step 1 of 1500.");
    expect(progress[1]).toMatch(/: step 2 of 1500, (\d+ min )?\d+ s to go\.$/);
    expect(await nowOf(page)).toEqual(["Waiting for the race above", "", true]);
    // The recording's rate is 0.46: there most networks explode at once, without clipping.
    await page.waitForFunction(() => document.querySelectorAll("#lane-none [data-state=exploded]").length > 10);
    expect((await shown(page, "norm")).exploded).toBe(0);
    expect(await page.$eval("#race-rate", (slider) => (slider as HTMLInputElement).disabled)).toBe(true);
    await page.click("#race-cancel");
    const said = await text(page, "#race-state");
    expect(said).toMatch(/^Cancelled at step \d+\./);
    // What the race interrupted goes on.
    const before = await page.evaluate(() => globalThis.gradclipDemo?.histories.chosen.loss.length ?? 0);
    await untilStep(page, Math.min(600, before + 5));
    expect(await text(page, "#race-state")).toBe(said);
    expect(await nowOf(page)).toEqual(["Training", expect.stringMatching(/^· step \d+ of 600/), false]);
  });

  it("a report that comes after Cancel changes nothing", async () => {
    const said = await text(page, "#race-state");
    expect(said).toMatch(/^Cancelled/);
    await page.evaluate(() => {
      const { kept } = globalThis as unknown as { kept: { worker: Worker; data: unknown } };
      kept.worker.dispatchEvent(new MessageEvent("message", { data: kept.data }));
    });
    expect(await text(page, "#race-state")).toBe(said);
  });

  it("goes back to the recording", async () => {
    await page.click("#race-play");
    await untilText(page, "#race-state", "Recorded");
    expect(await page.evaluate(() => document.body.dataset.race)).toBe("recorded");
  });

  it("complains about nothing", () => {
    expect(visited.errors).toEqual([]);
  });
});

it("with reduced motion the race stands at its end, on a phone too, and a slider leads over its steps", async () => {
  const { page, errors } = await visit(browser, "train.html?backend=cpu", { width: 360, height: 740, isCalm: true });
  await page.waitForFunction(() => document.querySelector("#race-step-output")?.textContent === "1500");
  expect(await shown(page, "norm")).toMatchObject({ arrived: 20, exploded: 0 });
  // The counters stand below the headings.
  const indents = await page.$$eval("main > .race > .lane", (lanes) =>
    lanes.map((lane) => {
      const counter = lane.querySelector(".counter b") as Element;
      return counter.getBoundingClientRect().left - lane.getBoundingClientRect().left;
    }),
  );
  expect(indents.map(Math.round)).toEqual([0, 0, 0]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
  await page.focus("#race-step");
  await page.keyboard.press("Home");
  expect(await text(page, "#race-step-output")).toBe("0");
  expect(await shown(page, "norm")).toMatchObject({ arrived: 0, exploded: 0 });
  await photograph(page, "train-race-phone");
  expect(errors).toEqual([]);
  await page.close();
});

it("keeps its tiles where a system forces colours of its own", async () => {
  const { page } = await visit(browser, "train.html?backend=cpu", { isCalm: true });
  await page.waitForFunction(() => document.querySelector("#race-step-output")?.textContent === "1500");
  const lane = await page.waitForSelector(".tiles");
  const picture = async () => Buffer.from((await lane?.screenshot()) as Uint8Array).toString("base64");
  const before = await picture();
  const session = await page.createCDPSession();
  const forced = [{ name: "forced-colors", value: "active" }];
  await session.send("Emulation.setEmulatedMedia", {
    features: [...forced, { name: "prefers-reduced-motion", value: "reduce" }],
  });
  expect(await page.evaluate(() => matchMedia("(forced-colors: active)").matches)).toBe(true);
  expect(await page.$eval("body", (body) => getComputedStyle(body).backgroundColor)).not.toBe("rgb(251, 250, 248)");
  const tile = () => getComputedStyle(document.querySelector(".tiles i") as Element).forcedColorAdjust;
  expect(await page.evaluate(tile)).toBe("none");
  expect((await picture()).length).toBeGreaterThan(before.length / 2);
  await page.close();
});
