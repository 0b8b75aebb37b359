/** "Sharded training" of docs/engines.md: in threads that have a device each, and a norm in common. */
import { pathToFileURL } from "node:url";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { ClipReport } from "gradclip";
import { beforeAll, expect, test } from "vitest";
import { norm64 } from "./conformance/numbers.ts";
import { bodiesOf, examplesOf } from "./support/examples.ts";
import { largest } from "./support/largest.ts";
import { libraryIn } from "./support/package.ts";

const page = "docs/engines.md";
const section = "Sharded training";
const steps = 20;
const rate = 0.9;
/**
 * The gradient of a parameter is its distance from the target. The total distance is 17: the first steps are clipped. No length is
 * a multiple of 4, so that each device compiles kernels for one kind of words.
 */
const targets = [501, 37, 1001, 1].map((length, i) =>
  Array.from({ length }, (_, k) => Math.fround([1, 0.1, 0.02, 3][i] as number) * Math.sin(k + i + 1)),
);
let library: string;

beforeAll(async () => {
  library = pathToFileURL(await libraryIn("sharded")).href;
});

interface Result {
  weights: Float32Array[];
  report: ClipReport;
  /** Pipelines that may still have compiled in the background when the thread ended. */
  compiledAtOnce: number;
}

/** Starts a worker for a share of the parameters. It gets the code to run and a port to the others. */
function start(example: string | undefined, share: number[][], port: MessagePort): Promise<Result> {
  const worker = new Worker(new URL("support/shard.mjs", import.meta.url), {
    workerData: { library, example, targets: share, steps, rate, port },
    transferList: [port],
  });
  return new Promise((resolve, reject) => {
    worker.on("error", reject);
    worker.on("message", (result: Result) => {
      worker.postMessage("seen");
      resolve(result);
    });
  });
}

async function trainSharded(shares: number[][][]): Promise<Result[]> {
  const [example] = bodiesOf(page, section);
  const [, coordinate] = examplesOf(page, {}, section);
  const channels = shares.map(() => new MessageChannel());
  const workers = shares.map((share, i) => start(example, share, (channels[i] as MessageChannel).port2));
  const ports = channels.map(({ port1 }) => port1);
  await Promise.all([coordinate?.({ ports, steps }, "undefined"), ...workers]);
  for (const port of ports) port.close();
  return Promise.all(workers);
}

async function trainAlone(): Promise<Result> {
  const example = `
    const { createClipper, clipByGlobalNorm } = packages.gradclip;
    const clipper = await createClipper({ device });
    const clip = clipper.prepare(gradients, clipByGlobalNorm(1));
    await clip.ready;
    for (let step = 0; step < steps; step++) {
      backward();
      clip.run();
      await update();
    }
    const report = await clip.report();`;
  const { port1, port2 } = new MessageChannel();
  const result = await start(example, targets, port2);
  port1.close();
  return result;
}

/** In float64, by the formula. */
function expected(): { weights: number[][]; clippedSteps: number } {
  const weights = targets.map(({ length }) => Array(length).fill(0) as number[]);
  let clippedSteps = 0;
  for (let step = 0; step < steps; step++) {
    const gradients = weights.map((values, i) => values.map((value, k) => value - (targets[i]?.[k] as number)));
    const norm = norm64(gradients.flat());
    if (norm > 1) clippedSteps++;
    gradients.forEach((gradient, i) => {
      gradient.forEach((g, k) => {
        (weights[i] as number[])[k] = (weights[i]?.[k] as number) - (rate * g) / Math.max(1, norm);
      });
    });
  }
  return { weights, clippedSteps };
}

function furthest(a: ArrayLike<number>[], b: ArrayLike<number>[]): number {
  const [left, right] = [a, b].map((lists) => lists.flatMap((list) => Array.from(list))) as [number[], number[]];
  expect(left.length).toBe(right.length);
  return largest(left.map((value, i) => value - (right[i] as number)));
}

test("three workers, each with its own device, end at the weights of one that owns everything", async () => {
  const [first, second, third, fourth] = targets as [number[], number[], number[], number[]];
  const [shards, alone] = await Promise.all([trainSharded([[first], [second, third], [fourth]]), trainAlone()]);
  const weights = shards.flatMap((shard) => shard.weights);
  const reference = expected();
  expect(furthest(weights, alone.weights)).toBeLessThan(1e-6);
  expect(furthest(weights, reference.weights)).toBeLessThan(1e-5);
  expect(reference.clippedSteps).toBeGreaterThan(10);
  expect(reference.clippedSteps).toBeLessThan(steps);
  for (const { report, compiledAtOnce } of [...shards, alone]) {
    expect(compiledAtOnce).toBe(0);
    expect(report).toMatchObject({ steps, clippedSteps: reference.clippedSteps, nonFinite: 0 });
  }
});
