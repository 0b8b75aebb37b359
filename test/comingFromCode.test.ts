/** The code of docs/coming-from.md, run as it stands, and what the page says beside it. */
import { beforeAll, expect, test } from "vitest";
import * as gradclip from "../src/index.ts";
import { randomSource, ulp24 } from "./conformance/numbers.ts";
import { examplesOf } from "./support/examples.ts";
import { COPY_DST, COPY_SRC, STORAGE, Workbench } from "./support/workbench.ts";

const { clipGradients, createClipper, measureNorm } = gradclip;
const [asPyTorch, order, shards, groups, log, dpSgd, ...more] = examplesOf("docs/coming-from.md");
let bench: Workbench;

beforeAll(async () => {
  bench = await Workbench.open();
});

function run(example: typeof order, context: Record<string, unknown>, result: string): Promise<unknown> {
  if (!example) return expect.fail("the page has fewer examples than are run here");
  return example({ ...gradclip, device: bench.device, clipper: bench.clipper, ...context }, result);
}

test("no example is left over", () => {
  expect(more).toEqual([]);
});

test("with eps 1e-6, within 2 ULP of PyTorch's formula in float64", async () => {
  const random = randomSource(7);
  let worst = 0;
  for (const onGpu of [...Array(2000).fill(false), ...Array(20).fill(true)]) {
    const length = 1 + Math.floor(random() * 40);
    const values = Float32Array.from({ length }, () => (2 * random() - 1) * 10 ** (6 * random() - 3));
    const [given, clipped] = await clippedAsPyTorch(values, onGpu);
    const norm = Math.sqrt(given.reduce((sum, g) => sum + g * g, 0));
    given.forEach((g, i) => {
      const exact = g * Math.min(1, 1 / (norm + 1e-6));
      worst = Math.max(worst, Math.abs((clipped[i] as number) - exact) / ulp24(exact));
    });
  }
  console.log("WORST", worst);
  expect(worst).toBeLessThanOrEqual(2);
  expect(worst).toBeGreaterThan(0);
});

async function clippedAsPyTorch(values: Float32Array, onGpu: boolean): Promise<[number[], number[]]> {
  const given = [...values];
  const gradient = onGpu ? bench.buffer(values) : values;
  const clipper = onGpu ? bench.clipper : await createClipper({ backend: "cpu" });
  const clip = (await run(asPyTorch, { clipper, gradients: [gradient] }, "asPyTorch")) as gradclip.Clip;
  clip.run();
  const clipped = onGpu ? await bench.values(gradient as GPUBuffer) : [...values];
  clip.destroy();
  return [given, clipped];
}

test("the order of a step: the mean of the micro-batches and workers is clipped, unscaled", async () => {
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
  const [x = 0, y = 0, z = 0] = [...(await bench.values(kernel)), ...(await bench.values(bias))];
  expect([x * 13, y * 13, z * 13].map((value) => Math.round(value * 1e5) / 1e5)).toEqual([3, 4, 12]);
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

test("two shards are clipped by the norm of both", async () => {
  const buffers = [bench.buffer([3, 4]), bench.buffer([12])];
  const measured: number[] = [];
  const bothThere = new Promise<void>((resolve) => {
    const push = measured.push.bind(measured);
    measured.push = (...norms) => {
      const count = push(...norms);
      if (count === buffers.length) resolve();
      return count;
    };
  });
  const exchange = async (norm: number) => {
    measured.push(norm);
    await bothThere;
    return measured;
  };
  await Promise.all(buffers.map((buffer) => run(shards, { shard: [buffer], exchange }, "clip.report()")));
  expect([...measured].sort((a, b) => a - b)).toEqual([5, 12]);
  const [x = 0, y = 0, z = 0] = (await Promise.all(buffers.map((buffer) => bench.values(buffer)))).flat();
  expect([x * 13, y * 13, z * 13].map((value) => Math.round(value * 1e5) / 1e5)).toEqual([3, 4, 12]);
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
