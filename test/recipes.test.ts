/** Runs the examples of docs/recipes.md. */
import { expect, test } from "vitest";
import * as gradclip from "../src/index.ts";
import { clippedGradient } from "../src/shaders.ts";
import { bench } from "./support/bench.ts";
import { examplesOf } from "./support/examples.ts";
import { COPY_DST, COPY_SRC, STORAGE } from "./support/workbench.ts";

const usage = STORAGE | COPY_SRC | COPY_DST;

function run(section: string, context: Record<string, unknown>, result = "undefined", number = 0): Promise<unknown> {
  const example = examplesOf("docs/recipes.md", {}, section)[number];
  if (!example) return expect.fail(`the page has no example ${number} under ${section}`);
  return example({ ...gradclip, device: bench.device, clipper: bench.clipper, ...context }, result);
}

function close(values: readonly number[]): unknown[] {
  return values.map((value) => expect.closeTo(value, 6));
}

test("these are all examples of the page", () => {
  expect(examplesOf("docs/recipes.md").length).toBe(12);
});

test("an update is bounded by its root mean square, as in Adafactor", async () => {
  const update = bench.buffer([3, 4, 12, 0]);
  await run("Clip the update, not the gradient", { update });
  expect(await bench.values(update)).toEqual(close([3 / 6.5, 4 / 6.5, 12 / 6.5, 0]));
  const small = bench.buffer([0.3, -0.4]);
  await run("Clip the update, not the gradient", { update: small });
  expect(await bench.values(small)).toEqual([0.3, -0.4].map(Math.fround));
});

test("a learning rate is divided by the same, as in StableAdamW, and nothing is written", async () => {
  const ratio = bench.buffer([3, 4, 12, 0]);
  const rate = (await run("Clip the update, not the gradient", { ratio }, "rate", 1)) as gradclip.Clip;
  const [first = 0, second = 0] = await bench.values(rate.scales as GPUBuffer);
  expect(first * second).toBeCloseTo(1 / 6.5, 7);
  expect(await bench.values(ratio)).toEqual([3, 4, 12, 0]);
});

test("a spike of the loss skips the step, and a step like the others is clipped", async () => {
  const [loss, gradient] = [bench.buffer([0], { usage }), bench.buffer([3, 4], { usage })];
  const clip = (await run("Skip a step on a spike", { gradient, loss }, "clip")) as gradclip.Clip;
  const { queue } = bench.device;
  for (let step = 1; step < 70; step++) {
    queue.writeBuffer(loss, 0, Float32Array.of(step === 69 ? 5 : step % 2));
    queue.writeBuffer(gradient, 0, Float32Array.of(3, 4 + 0.01 * (step % 3)));
    clip.run();
  }
  expect(await bench.values(gradient)).toEqual([0, 0]);
  expect(await clip.report()).toMatchObject({ spikeSteps: 1, skippedSteps: 1, clippedSteps: 69 });
});

test("norms are logged while steps go on", async () => {
  const gradient = bench.buffer([0], { usage });
  const lines: unknown[] = [];
  let seenBefore = 0;
  const backward = async (step: number) => {
    await bench.device.queue.onSubmittedWorkDone();
    bench.device.queue.writeBuffer(gradient, 0, Float32Array.of(step < 150 ? 0.5 : 3));
    if (step === 199) seenBefore = lines.length;
  };
  const failures: unknown[] = [];
  const context = {
    gradient,
    backward,
    steps: 200,
    log: (...line: unknown[]) => lines.push(line),
    stop: failures.push,
  };
  const clip = (await run("Log the norm without waiting", context, "clip")) as gradclip.Clip;
  expect(seenBefore).toBe(1);
  await clip.report();
  expect(lines).toEqual([
    [0.5, 0],
    [3, 0.5],
  ]);
  expect(failures).toEqual([]);
});

test("a run that was saved goes on as one that was not", async () => {
  const gradient = bench.buffer([0], { usage });
  const norms = [1, 5, 3, 2, 8, 7, 4, 9];
  const stepsFrom = (first: number) => (step: number) =>
    bench.device.queue.writeBuffer(gradient, 0, Float32Array.of(norms[first + step] as number));
  const go = (first: number, steps: number, saved?: ArrayBuffer) =>
    run("Go on from a checkpoint", { gradient, backward: stepsFrom(first), steps, saved }, "memory");
  const whole = await go(0, 8);
  const before = await bench.values(gradient);
  const half = (await go(0, 3)) as ArrayBuffer;
  expect(await go(3, 5, half)).toEqual(whole);
  expect(await bench.values(gradient)).toEqual(before);
});

test("the curve of norms has every step", async () => {
  const gradient = bench.buffer([0], { usage });
  const backward = (step: number) => bench.device.queue.writeBuffer(gradient, 0, Float32Array.of(step));
  const history = (await run(
    "Draw the curve of norms",
    { gradient, backward },
    "({ steps, norms, scales, bounds, flags, lost })",
  )) as gradclip.ClipHistory;
  const before = Array.from({ length: 100 }, (_, step) => step);
  expect([...history.steps]).toEqual(before.map((step) => step + 1));
  expect([...history.norms]).toEqual(before);
  expect([...history.flags]).toEqual(before.map((step) => Number(step > 1)));
  expect([...history.bounds]).toEqual(before.map(() => 1));
  expect([...history.scales]).toEqual(close(before.map((step) => Math.min(1, 1 / step))));
  expect(history.lost).toBe(0);
  await bench.values(gradient);
});

test("two optimizers clip by the norm of everything", async () => {
  const [matrix, bias] = [bench.buffer([3, 4]), bench.buffer([12])];
  const reports = await run(
    "One norm over two optimizers",
    { matrix, bias },
    "Promise.all([forMuon.report(), forAdam.report()])",
  );
  expect(reports).toMatchObject([{ norm: 13 }, { norm: 13 }]);
  expect(await bench.values(matrix)).toEqual(close([3 / 13, 4 / 13]));
  expect(await bench.values(bias)).toEqual(close([12 / 13]));
});

test("a NaN of one optimizer skips both", async () => {
  const [matrix, bias] = [bench.buffer([3, 4]), bench.buffer([Number.NaN])];
  const reports = await run(
    "One norm over two optimizers",
    { matrix, bias },
    "Promise.all([forMuon.report(), forAdam.report()])",
  );
  expect(reports).toMatchObject([{ skippedSteps: 1 }, { skippedSteps: 1 }]);
  expect([...(await bench.values(matrix)), ...(await bench.values(bias))]).toEqual([0, 0, 0]);
});

test("a norm beyond float32's range counts as the largest float32", async () => {
  const huge = 3e38;
  const [matrix, bias] = [bench.buffer([huge, huge]), bench.buffer([0])];
  await run("One norm over two optimizers", { matrix, bias });
  const largest = (2 - 2 ** -23) * 2 ** 127;
  expect(await bench.values(matrix)).toEqual(close([huge / largest, huge / largest]));
});

test("each group has its own bound, and one is only measured", async () => {
  const [matrix, projection, bias] = [bench.buffer([3e7, 4e7]), bench.buffer([6, 8]), bench.buffer([0.3, 0.4])];
  const section = "A bound for each group, and what not to clip with the rest";
  const groups = await run(section, { matrix, projection, bias }, "groups");
  expect(groups).toEqual({
    muon: { norm: 5e7, scale: 1, clipped: false },
    projection: { norm: 10, scale: Math.fround(0.1), clipped: true },
    others: { norm: 0.5, scale: 1, clipped: false },
  });
  expect(await bench.values(matrix)).toEqual([3e7, 4e7]);
  expect(await bench.values(projection)).toEqual(close([0.6, 0.8]));
  expect(await bench.values(bias)).toEqual([0.3, 0.4].map(Math.fround));
});

test("the bound grows with the loss scale", async () => {
  const gradient = bench.buffer([3 * 1024, 4 * 1024]);
  await run("A loss scale that the optimizer takes out", { gradient, lossScale: 1024 });
  const unscaled = (await bench.values(gradient)).map((value) => value / 1024);
  expect(unscaled).toEqual(close([0.6, 0.8]));
});

test("a loss scale is halved at an overflow and doubled after three good steps", async () => {
  const { device } = bench;
  const gradient = bench.buffer([0], { usage });
  const scaled = [32768, Infinity, 32768, 32768, 32768, 32768, Number.NaN, 32768];
  const after = bench.buffer(
    scaled.map(() => -1),
    { usage },
  );
  let step = 0;
  const backward = () => device.queue.writeBuffer(gradient, 0, Float32Array.of(scaled[step] as number));
  const update = (encoder: GPUCommandEncoder) => encoder.copyBufferToBuffer(gradient, 0, after, 4 * step++, 4);
  const context = { clippedGradient, gradient, interval: 3, steps: scaled.length, backward, update };
  const state = (await run("A loss scale that follows the overflows", context, "state")) as GPUBuffer;
  // The loss scales: 65536 twice, half of that until three steps were good, 65536 twice, and half.
  expect(await bench.values(after)).toEqual([0.5, 0, 1, 1, 1, 0.5, 0, 1]);
  // The third is an integer: one good step.
  expect(await bench.values(state)).toEqual([1 / 32768, 32768, 2 ** -149]);
  await bench.values(gradient);
});

test("each step takes the bound of its schedule", async () => {
  const gradient = bench.buffer([0], { usage });
  const after: Promise<number[]>[] = [];
  const backward = (step: number) => {
    if (step > 0) after.push(bench.values(gradient));
    bench.device.queue.writeBuffer(gradient, 0, Float32Array.of(5));
  };
  await run("A bound on a schedule", { gradient, backward, steps: 102 });
  const bounds = (await Promise.all(after)).map(([value]) => value);
  const exact = Array.from({ length: 101 }, (_, step) => 0.1 + (0.9 * step) / 100);
  expect(bounds).toEqual(close(exact));
});

test("complex numbers are bounded by their moduli, or all together", async () => {
  const gradient = bench.buffer([3, 4, 0, 0.5]);
  await run("Complex gradients", { gradient });
  expect(await bench.values(gradient)).toEqual(close([0.6, 0.8, 0, 0.5]));
});
