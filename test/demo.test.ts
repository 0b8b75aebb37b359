/** Pieces of the site that need no page. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { onCpu } from "../bench/training/backend.ts";
import { Digits } from "../bench/training/digits.ts";
import { uploadSequence } from "../bench/training/rnn.ts";
import { written } from "../demo/shared/text.ts";
import { choices } from "../demo/train/choices.ts";
import { emptyHistories, note } from "../demo/train/history.ts";
import { methods } from "../demo/train/methods.ts";
import { Network } from "../demo/train/network.ts";
import { verdictOn } from "../demo/train/readout.ts";
import { Stopwatch } from "../demo/train/stopwatch.ts";
import { createClipper } from "../src/index.ts";

test("numbers: three digits, and no hyphen at which a line would break", () => {
  expect([0, 1, 0.12345, 1234.5, 65_536, -0.5].map(written)).toEqual(["0", "1", "0.123", "1235", "65536", "-0.5"]);
  expect(written(1.8e-5)).toBe("1.8e−5");
  expect(written(2.34e5)).toBe("2.3e5");
  expect(written(-7.6e-4)).toBe("−7.6e−4");
  expect([null, undefined, Number.NaN].map(written)).toEqual(["–", "–", "NaN"]);
});

test("the training page has words for every reason why a clipper uses the CPU", async () => {
  const source = readFileSync("src/clipper.ts", "utf8");
  const [listed = ""] = /Why the clipper uses the CPU: [^/]+/.exec(source) ?? [];
  const reasons = [...listed.matchAll(/"([a-z-]+)"/g)].map(([, reason = ""]) => reason);
  expect(reasons.length).toBe(8);
  for (const reason of reasons) expect((await onCpu(reason)).badge).not.toBe(`CPU (wasm): ${reason}`);
});

test("a stopwatch counts no time in which it is stopped", () => {
  let now = 100;
  const watch = new Stopwatch(() => now);
  const wait = (time: number) => {
    now += time;
    return watch.elapsed;
  };
  expect(wait(50)).toBe(0);
  watch.run(true);
  expect(wait(20)).toBe(20);
  watch.run(true);
  expect(wait(5)).toBe(25);
  watch.run(false);
  expect(wait(1000)).toBe(25);
  watch.run(true);
  expect(wait(10)).toBe(35);
  watch.reset();
  expect(wait(7)).toBe(7);
});

test("a verdict counts clipped steps, and says what became of the run without them", () => {
  const histories = emptyHistories();
  const step = (run: "none" | "chosen", norm: number, clipped = false) =>
    note(histories, { run, losses: [2], norms: [norm], clipped: [clipped] });
  for (const norm of [1, 2, Number.NaN]) step("none", norm);
  for (let at = 1; at <= 600; at++) step("chosen", 3, at === 62 || at === 63);
  expect(verdictOn("none", histories)).toBe("exploded at step 3");
  expect(verdictOn("chosen", histories)).toBe("2 of 600 steps clipped; without them: dead at step 3");
  expect(verdictOn("value", histories)).toBe("");
  histories.none = { ...histories.none, explodedAt: undefined };
  expect(verdictOn("chosen", histories)).toBe("2 of 600 steps clipped");
});

test.each(["autoClip", "zClip"] as const)("%s follows the norms at the page's usual bound", async (name) => {
  const clipper = await createClipper({ backend: "cpu" });
  const usual = choices.find((choice) => choice.name === name)?.usual ?? 1;
  const gradient = new Float32Array(1);
  const clip = clipper.prepare([gradient], methods[name](usual));
  // Norms as the training has them, with spikes.
  const norms = Array.from({ length: 200 }, (_, step) => 5 + Math.sin(step) + (step % 20 === 19 ? 20 : 0));
  let followed = 0;
  for (const norm of norms) {
    gradient[0] = norm;
    clip.run();
    if (Math.abs((gradient[0] as number) - Math.min(norm, usual)) > 0.5) followed++;
  }
  expect(followed).toBeGreaterThan(7);
});

test("what the presets of the training page say is so", async () => {
  await onCpu("requested");
  const digits = new Digits(readFileSync(new URL("../bench/training/digits8.bin", import.meta.url)));
  const exam = { inputs: uploadSequence(digits.heldOut()), labels: digits.heldOutLabels() };
  const run = async (name: "none" | "norm", learningRate: number, bound: number, seed = 8) => {
    const network = new Network(digits, { seed, learningRate }, methods[name](bound), 25);
    const histories = emptyHistories();
    while (histories.chosen.loss.length < 600 && !network.hasExploded) {
      for (let step = 0; step < 25; step++) await network.step();
      note(histories, { run: "chosen", ...(await network.read()) });
    }
    const [accuracy = 0] = (await network.examine(exam)).accuracy;
    network.dispose();
    const { clipped, explodedAt = 0 } = histories.chosen;
    return { clipped: clipped.filter(Boolean).length, diedAt: explodedAt, accuracy };
  };
  const [right, free] = [await run("norm", 0.1, 1), await run("none", 0.1, 1)];
  expect(right).toMatchObject({ clipped: 600, diedAt: 0 });
  expect(right.accuracy).toBeGreaterThan(0.55);
  expect(free.diedAt).toBeGreaterThan(30);
  const few = await run("norm", 0.1, 20);
  expect(few.diedAt).toBe(0);
  expect(few.clipped).toBeGreaterThan(0);
  expect(few.clipped).toBeLessThan(30);
  const loose = await run("norm", 0.1, 100);
  expect(loose.diedAt).toBe(0);
  // Better than the 10 % of guessing: it learns something.
  expect(loose.accuracy).toBeGreaterThan(0.15);
  expect(loose.accuracy).toBeLessThan(right.accuracy - 0.15);
  const [slow, slowFree] = [await run("norm", 0.01, 1), await run("none", 0.01, 1)];
  expect(slowFree.diedAt).toBe(0);
  expect(slow.accuracy).toBeLessThan(slowFree.accuracy);
  const fast = await run("norm", 1, 1);
  expect(fast.diedAt).toBe(0);
  expect(fast.accuracy).toBeLessThan(right.accuracy - 0.15);
  expect((await run("norm", 1, 0.1)).accuracy).toBeGreaterThan(0.5);
  expect((await run("none", 0.1, 1, 2)).diedAt).toBe(2);
});
