/** demo/engine on Dawn: an engine of one's own that clips inside its open pass. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Digits } from "../bench/training/digits.ts";
import { uniformNumbers } from "../bench/training/random.ts";
import { defaultSettings } from "../demo/engine/adamw.ts";
import { type Batch, drawBatch, heldOutBatch } from "../demo/engine/batch.ts";
import { readFloats, record } from "../demo/engine/kernel.ts";
import { initialWeights, widths } from "../demo/engine/network.ts";
import { createTrainer, type Trainer } from "../demo/engine/trainer.ts";
import { bench, device } from "./support/bench.ts";
import { counted } from "./support/counted.ts";
import { largest } from "./support/largest.ts";
import { Perceptron } from "./support/perceptron.ts";

const exampleCount = 32;
const digits = new Digits(readFileSync(new URL("../bench/training/digits8.bin", import.meta.url)));

async function begin({ seed = 2, maxNorm = 1 } = {}) {
  const trainer = await createTrainer(device, bench.clipper, {
    exampleCount,
    maxNorm,
    historyLength: 1,
    settings: defaultSettings,
  });
  const uniform = uniformNumbers(seed);
  const weights = initialWeights(uniform);
  trainer.load(weights);
  return { trainer, weights, draw: () => drawBatch(digits, exampleCount, uniform) };
}

/** All that training changes: weights, moments and the count of steps that is in the bias corrections. */
function stateOf({ weights, adamw }: Trainer): Promise<Uint32Array[]> {
  return bitsOf([...weights, ...adamw.moments, adamw.corrections]);
}

function bitsOf(buffers: readonly GPUBuffer[]): Promise<Uint32Array[]> {
  return Promise.all(buffers.map(async (buffer) => new Uint32Array((await readFloats(device, buffer)).buffer)));
}

function encode(work: (pass: GPUComputePassEncoder) => void): void {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  work(pass);
  pass.end();
  device.queue.submit([encoder.finish()]);
}

/** One pixel of one example that is not a number. */
function poisoned({ inputs, targets }: Batch): Batch {
  const copy = inputs.slice();
  copy[27] = Number.NaN;
  return { inputs: copy, targets };
}

// A gradient within rounding of 0 has any sign in float32, and Adam's first steps are little but signs: with these seeds
// there is none.
test.each([2, 3])("seed %i: 20 steps end at the weights of the float64 reference", async (seed) => {
  const maxNorm = 1.2;
  const { trainer, weights, draw } = await begin({ seed, maxNorm });
  const reference = new Perceptron(widths, weights, { ...defaultSettings, maxNorm });
  let clippedSteps = 0;
  for (let step = 1; step <= 20; step++) {
    const batch = draw();
    const expected = reference.step(batch);
    trainer.step(batch);
    const report = await trainer.clip.report();
    expect(Math.abs((await trainer.loss()) - expected.loss), `loss of step ${step}`).toBeLessThan(1e-5);
    expect(Math.abs(report.norm / expected.norm - 1), `norm of step ${step}`).toBeLessThan(1e-5);
    expect(report.clipped).toBe(expected.norm > maxNorm);
    clippedSteps += report.clippedSteps;
  }
  expect(clippedSteps, "both kinds of steps").toBeGreaterThan(4);
  expect(clippedSteps, "both kinds of steps").toBeLessThan(20);
  for (const [layer, values] of reference.weights.entries()) {
    const trained = await readFloats(device, trainer.weights[layer] as GPUBuffer);
    const worst = largest(trained.map((weight, i) => weight - (values[i] as number)));
    expect(worst, `weights of layer ${layer + 1}`).toBeLessThan(1e-5);
    const moved = largest(trained.map((weight, i) => weight - (weights[layer]?.[i] as number)));
    expect(moved, `how far layer ${layer + 1} went`).toBeGreaterThan(0.01);
  }
});

test("the loss falls, and the network reads digits that it has never seen", async () => {
  const { trainer, draw } = await begin();
  const { inputs, targets } = heldOutBatch(digits);
  const accuracy = async () => {
    const weights = await Promise.all(trainer.weights.map((buffer) => readFloats(device, buffer)));
    const logits = new Perceptron(widths, weights, { ...defaultSettings, maxNorm: 1 }).logits(inputs);
    const classes = logits.map((row) => row.indexOf(Math.max(...row)));
    return classes.filter((guess, i) => targets[i * 10 + guess] === 1).length / classes.length;
  };
  trainer.step(draw());
  expect(await trainer.loss()).toBeGreaterThan(2);
  expect(await accuracy()).toBeLessThan(0.5);
  const losses: number[] = [];
  for (let step = 2; step <= 200; step++) {
    trainer.step(draw());
    if (step > 180) losses.push(await trainer.loss());
  }
  expect(losses.reduce((sum, loss) => sum + loss) / losses.length).toBeLessThan(0.4);
  expect(await accuracy()).toBeGreaterThan(0.85);
  expect(await trainer.clip.report()).toMatchObject({ steps: 200, skippedSteps: 0, nonFinite: 0 });
});

test("a step is one pass and one submit, and its only traffic with the host is the batch", async () => {
  const { trainer, draw } = await begin();
  const batch = draw();
  trainer.step(batch);
  expect(counted(device, () => trainer.step(batch))).toEqual({
    submits: 1,
    passes: 1,
    // 3 forward, loss, 5 backward, 3 of the clip, bias correction, 3 AdamW
    dispatches: 16,
    bytesWritten: 4 * exampleCount * (64 + 10),
    objects: 0,
  });
  expect(counted(device, () => encode((pass) => trainer.clip.encode(pass))).dispatches).toBe(3);
});

test("the clip and the optimizer leave the gradients as they are, clipped or not", async () => {
  const { trainer, draw } = await begin();
  const { inputs, targets } = draw();
  device.queue.writeBuffer(trainer.forward.inputs, 0, inputs);
  device.queue.writeBuffer(trainer.backward.targets, 0, targets);
  encode((pass) => record(pass, [...trainer.forward.dispatches, ...trainer.backward.dispatches]));
  const before = await bitsOf(trainer.backward.gradients);
  for (const maxNorm of [1e-3, 1e3]) {
    trainer.clip.set({ maxNorm });
    const weights = await bitsOf(trainer.weights);
    encode((pass) => {
      trainer.clip.encode(pass);
      record(pass, trainer.adamw.dispatches);
    });
    expect((await trainer.clip.report()).clipped).toBe(maxNorm < 1);
    expect(await bitsOf(trainer.weights)).not.toEqual(weights);
    expect(await bitsOf(trainer.backward.gradients)).toEqual(before);
  }
});

describe("a step with a NaN", () => {
  test("leaves weights, moments and the step count alone, and training goes on as if it had not been", async () => {
    const [bruised, spared] = [await begin(), await begin()];
    for (let step = 1; step <= 5; step++) {
      bruised.trainer.step(bruised.draw());
      spared.trainer.step(spared.draw());
    }
    const before = await stateOf(bruised.trainer);
    bruised.trainer.step(poisoned(bruised.draw()));
    const report = await bruised.trainer.clip.report();
    expect(report).toMatchObject({ norm: Number.NaN, steps: 6, skippedSteps: 1 });
    expect(report.firstNonFinite?.name).toBe("layer 1");
    // Every unit of the first layer that hears of that pixel, and more where the NaN went on.
    expect(report.nonFinite).toBeGreaterThanOrEqual(64);
    expect(await stateOf(bruised.trainer)).toEqual(before);
    const gradients = await readFloats(device, bruised.trainer.backward.gradients[0] as GPUBuffer);
    expect(gradients.some(Number.isNaN), "the gradient is still what it was").toBe(true);

    spared.draw();
    for (let step = 7; step <= 10; step++) {
      bruised.trainer.step(bruised.draw());
      spared.trainer.step(spared.draw());
    }
    expect(await stateOf(bruised.trainer)).toEqual(await stateOf(spared.trainer));
    expect(await stateOf(bruised.trainer)).not.toEqual(before);
  });
});
