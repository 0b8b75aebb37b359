/** docs/coming-from.md on the GPU: its edges, its code, and the claims beside the code. */
import { expect, test } from "vitest";
import * as gradclip from "../src/index.ts";
import { edges, outcome } from "./comingFrom/page.ts";
import { randomSource, ulp24 } from "./conformance/numbers.ts";
import { bench } from "./support/bench.ts";
import { examplesOf } from "./support/examples.ts";
import { COPY_DST, COPY_SRC, STORAGE } from "./support/workbench.ts";

const { clipByGlobalNorm, clipGradients, createClipper, measureNorm } = gradclip;
const [asPyTorch, order, shards, groups, log, dpSgd, ...more] = examplesOf("docs/coming-from.md");

function run(example: typeof order, context: Record<string, unknown>, result: string): Promise<unknown> {
  if (!example) return expect.fail("the page has fewer examples than are run here");
  return example({ ...gradclip, device: bench.device, clipper: bench.clipper, ...context }, result);
}

test("the edges are the same on the GPU", async () => {
  expect(edges()).not.toEqual([]);
  for (const { input, gradient, bound, cells } of edges()) {
    const found = await outcome(async () => {
      const buffer = bench.buffer(gradient);
      const clip = bench.clipper.prepare([buffer], clipByGlobalNorm(bound));
      clip.run();
      return bench.values(buffer);
    });
    expect(found, input).toBe(cells.at(-1));
  }
});

test("no example is left over", () => {
  expect(more).toEqual([]);
});

/** By how many ULP of the right answer the values are off that answer, g * min(1, bound / (norm + 1e-6)), at most. */
function worstUlp(given: readonly number[], clipped: readonly number[], bound: number): number {
  const norm = Math.sqrt(given.reduce((sum, g) => sum + g * g, 0));
  return given.reduce((worst, g, i) => {
    const exact = g * Math.min(1, bound / (norm + 1e-6));
    return g === 0 ? worst : Math.max(worst, Math.abs((clipped[i] as number) - exact) / ulp24(exact));
  }, 0);
}

test("PyTorch's epsilon: the page's line is within 2 ULP of the formula in float64", async () => {
  const random = randomSource(7);
  const values = Float32Array.from({ length: 998 }, () => (2 * random() - 1) * 10 ** (6 * random() - 3));
  const buffer = bench.buffer(values);
  const onGpu = (await run(asPyTorch, { gradients: [buffer] }, "asPyTorch")) as gradclip.Clip;
  onGpu.run();
  expect(worstUlp([...values], await bench.values(buffer), 1)).toBeLessThanOrEqual(2);

  const array = new Float32Array(8);
  const clipper = await createClipper({ backend: "cpu" });
  const clip = (await run(asPyTorch, { clipper, gradients: [array] }, "asPyTorch")) as gradclip.Clip;
  for (let sample = 0; sample < 10_000; sample++) {
    const given = array.map(() => (2 * random() - 1) * 4 ** (10 * random() - 5));
    const clipped = given.slice();
    clip.run([clipped]);
    expect(worstUlp([...given], [...clipped], 1)).toBeLessThanOrEqual(2);
  }
});

test("PyTorch's epsilon: within 3 ULP where bound and norm are just above powers of two, the worst there is", async () => {
  const random = randomSource(8);
  let worst = 0;
  for (let sample = 0; sample < 20_000; sample++) {
    const size = 2 ** (1 + Math.floor(6 * random()));
    const given = Float32Array.of((0.98 + 0.02 * random()) * size, 0.2 * random() * size);
    const bound = Math.fround(1 + 0.003 * random());
    const clipped = given.slice();
    await clipGradients([clipped], clipByGlobalNorm(bound, { eps: 1e-6 }));
    worst = Math.max(worst, worstUlp([...given], [...clipped], bound));
  }
  expect(worst).toBeGreaterThan(2);
  expect(worst).toBeLessThanOrEqual(3);
});

test("the order of a step: the mean of the micro-batches is clipped, without the loss scale", async () => {
  const [lossScale, accumulationSteps] = [1024, 4];
  const usage = STORAGE | COPY_SRC | COPY_DST;
  const kernel = bench.buffer([0, 0], { usage });
  const bias = bench.buffer([0], { usage });
  const calls: string[] = [];
  const add = (name: string, times: number) => () => {
    calls.push(name);
    const scale = lossScale * times;
    bench.device.queue.writeBuffer(kernel, 0, Float32Array.of(3 * scale, 4 * scale));
    bench.device.queue.writeBuffer(bias, 0, Float32Array.of(12 * scale));
  };
  const backward = () => add("backward", calls.length + 1)();
  const allReduce = () => calls.push("allReduce");
  const update = () => calls.push("update");
  const context = { lossScale, accumulationSteps, kernel, bias, backward, allReduce, update };
  const report = (await run(order, context, "clip.report()")) as gradclip.ClipReport;
  expect(calls).toEqual(["backward", "backward", "backward", "backward", "allReduce", "update"]);
  expect(report).toMatchObject({ norm: 13, clipped: true, steps: 1 });
  const after = [...(await bench.values(kernel)), ...(await bench.values(bias))];
  expect(after).toEqual([3 / 13, 4 / 13, 12 / 13].map((value) => expect.closeTo(value, 6)));
});

test("the sum of two workers' norms is not the norm of their sum", async () => {
  const norms = [];
  for (const gradient of [
    [3, 4],
    [3, -4],
    [6, 0],
  ]) {
    norms.push((await clipGradients([Float32Array.from(gradient)], measureNorm())).norm);
  }
  expect(norms).toEqual([5, 5, 6]);
});

/** Two workers run the page's code at the same time. `exchange` gives each the norms of both. */
async function clipShards(buffers: readonly GPUBuffer[]): Promise<{ norms: number[]; after: number[][] }> {
  const norms: number[] = [];
  let allThere = () => {};
  const there = new Promise<void>((resolve) => {
    allThere = resolve;
  });
  const exchange = async (norm: number) => {
    if (norms.push(norm) === buffers.length) allThere();
    await there;
    return norms;
  };
  await Promise.all(buffers.map((buffer) => run(shards, { shard: [buffer], exchange }, "clip.report()")));
  return { norms, after: await Promise.all(buffers.map((buffer) => bench.values(buffer))) };
}

test("two shards are clipped by the norm of both", async () => {
  const { norms, after } = await clipShards([bench.buffer([3, 4]), bench.buffer([12])]);
  expect(norms.sort((a, b) => a - b)).toEqual([5, 12]);
  expect(after.flat()).toEqual([3 / 13, 4 / 13, 12 / 13].map((value) => expect.closeTo(value, 6)));
});

test("a NaN in one shard zeroes both", async () => {
  const { after } = await clipShards([bench.buffer([3, 4]), bench.buffer([Number.NaN])]);
  expect(after).toEqual([[0, 0], [0]]);
});

test("each parameter group by its own norm, to its own bound", async () => {
  const [kernel, bias, logits] = [bench.buffer([3, 0]), bench.buffer([4]), bench.buffer([0, 2])];
  const reports = await run(groups, { kernel, bias, logits }, "Promise.all([body.report(), head.report()])");
  expect(reports).toMatchObject([{ norm: 5 }, { norm: 2 }]);
  const after = await Promise.all([kernel, bias, logits].map((buffer) => bench.values(buffer)));
  expect(after).toEqual([[0.6, 0], [0.8], [0, 0.1]].map((values) => values.map(Math.fround)));
});

test("norms are logged and nothing changes, whatever the gradients hold", async () => {
  const [kernel, bias] = [bench.buffer([3, -4]), bench.buffer([12])];
  const found = await run(log, { kernel, bias }, "{ norm, maxAbs, tensorNorms: [...tensorNorms] }");
  expect(found).toEqual({ norm: 13, maxAbs: 12, tensorNorms: [5, 12] });
  const nan = bench.buffer([Number.NaN, 1]);
  await run(log, { kernel: nan, bias }, "norm");
  await bench.expectWhole();
});

test("DP-SGD: the sum of clipped examples, the caller's noise, the mean", async () => {
  const context = {
    perExample: Float32Array.of(3, 4, 0, 0.5),
    examples: 2,
    maxNorm: 1,
    noiseMultiplier: 0.25,
    gaussian: () => 2,
  };
  const sum = (await run(dpSgd, context, "sum")) as Float32Array;
  expect([...sum]).toEqual([(0.6 + 0.5) / 2, (1.3 + 0.5) / 2].map((value) => expect.closeTo(value, 6)));
});
