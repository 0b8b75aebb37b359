/**
 * Prints what clipping takes in each engine, by gradclip and by the engine's own operations, on webgl by reading: `npx vitest run --project cost`.
 * Times are medians over turns that alternate, up to the end of the work on the GPU: on one adapter, in one process. On a
 * software adapter the time of the processor says more, as it leaves out what else the machine does.
 */
import "../support/navigatorGpu.ts";
import { blockUntilReady, jit, numpy as np, tree } from "@jax-js/jax";
import * as tf from "@tensorflow/tfjs-core";
import { describe, test } from "vitest";
import { clipUpdates } from "../../src/adapters/jax.ts";
import { withClipping } from "../../src/adapters/tfjs.ts";
import { clipByGlobalNorm } from "../../src/index.ts";
import type { Counter, Counts } from "./counter.ts";
import { median } from "./expect.ts";
import { adaptersIn } from "./inChromium.ts";
import * as jax from "./jax.ts";
import { initialWeights, maxNorm, numbers, transformerShapes, type Weight } from "./task.ts";
import * as tfjs from "./tfjs.ts";

const turns = 31;

interface Way<G> {
  readonly name: string;
  readonly clip: (gradients: G) => void;
}

const transformer = transformerShapes().map((shape, i): Weight => {
  const length = shape.reduce((product, size) => product * size, 1);
  return { name: `w${i}`, shape, values: numbers(i, length) };
});
const wide = transformerShapes(128).map((shape, i): Weight => ({ name: `w${i}`, shape, values: new Float32Array(0) }));
const models = { "6 tensors": initialWeights(), "74 tensors": transformer };

async function compare<G>(
  model: string,
  counter: Counter,
  ways: readonly Way<G>[],
  upload: () => Promise<G>,
  free: (gradients: G) => void,
): Promise<void> {
  const times = new Map<string, { wall: number; processor: number }[]>(ways.map(({ name }) => [name, []]));
  const counts = new Map<string, Counts>();
  for (let turn = -3; turn < turns; turn++) {
    for (const { name, clip } of ways) {
      const gradients = await upload();
      await counter.device.queue.onSubmittedWorkDone();
      const [start, used] = [performance.now(), process.cpuUsage()];
      counts.set(
        name,
        counter.of(() => clip(gradients)),
      );
      await counter.device.queue.onSubmittedWorkDone();
      const { user, system } = process.cpuUsage(used);
      if (turn >= 0) times.get(name)?.push({ wall: performance.now() - start, processor: (user + system) / 1000 });
      free(gradients);
    }
  }
  const medianOf = (name: string, time: "wall" | "processor") => median((times.get(name) ?? []).map((t) => t[time]));
  for (const { name } of ways) {
    const { dispatches, submits, writtenBytes } = counts.get(name) as Counts;
    const figures = [`${dispatches} dispatches`, `${submits} submits`, `${writtenBytes} bytes written`];
    const inTimes = (["wall", "processor"] as const).map((time) => {
      const ratio = medianOf(name, time) / medianOf("gradclip", time);
      return `${time} ${medianOf(name, time).toFixed(2)} ms, ${ratio.toFixed(1)} of gradclip's`;
    });
    console.log([model, name, ...figures, ...inTimes].join(" | "));
  }
}

test("TensorFlow.js", async () => {
  await tf.setBackend("webgpu");
  const counter = tfjs.counterOfBackend();
  for (const [model, weights] of Object.entries(models)) {
    const optimizer = withClipping(new tfjs.Idle(), clipByGlobalNorm(maxNorm));
    const ways: Way<tf.NamedTensorMap>[] = [
      {
        name: "gradclip",
        clip(gradients) {
          optimizer.applyGradients(gradients);
          tfjs.flush();
        },
      },
      {
        name: "its operations",
        clip(gradients) {
          tf.dispose(tfjs.clipByOperations(gradients, maxNorm));
          tfjs.flush();
        },
      },
    ];
    const buffers: GPUBuffer[] = [];
    const upload = async () => {
      const tensors = weights.map(({ name, shape, values }) => {
        const buffer = counter.device.createBuffer({ size: values.byteLength, usage: 0x84, mappedAtCreation: true });
        new Float32Array(buffer.getMappedRange()).set(values);
        buffer.unmap();
        buffers.push(buffer);
        return [name, tf.tensor({ buffer, zeroCopy: true }, shape, "float32")];
      });
      return Object.fromEntries(tensors) as tf.NamedTensorMap;
    };
    await compare(`TensorFlow.js ${tf.version_core} | ${model}`, counter, ways, upload, (gradients) => {
      optimizer.release();
      tf.dispose(gradients);
      for (const buffer of buffers.splice(0)) buffer.destroy();
    });
  }
});

describe("in Chromium", () => {
  const chromium = adaptersIn("cost");

  test("TensorFlow.js on webgl", async () => {
    for (const [model, weights] of Object.entries({ ...models, "74 tensors, wide": wide })) {
      const shapes = weights.map(({ shape }) => shape);
      const timed = await chromium.page.evaluate(
        (shapes, turns) => globalThis.adaptersInPage?.timesOnWebGL(shapes, turns),
        shapes,
        turns,
      );
      const { backend, gradclip = [], readBack = [] } = timed ?? {};
      const [own, before] = [median(gradclip), median(readBack)];
      const figures = `by programs ${own.toFixed(1)} ms | by reading ${before.toFixed(1)} ms, ${(before / own).toFixed(1)} of that`;
      console.log(`TensorFlow.js ${tf.version_core}, ${backend} | ${model} | ${figures}`);
    }
  });
});

test("jax-js", async () => {
  await jax.use("webgpu");
  for (const [model, weights] of Object.entries(models)) {
    const transformation = clipUpdates(clipByGlobalNorm(maxNorm));
    const way = (name: string, clip: jax.Clipping): Way<jax.Arrays> => ({
      name,
      clip(gradients) {
        const clipped = clip(gradients);
        for (const array of Object.values(clipped)) array.ref.gpuBufferSync();
        tree.dispose(clipped);
      },
    });
    const ways = [
      way("gradclip", (gradients) => transformation.update(gradients, [])[0]),
      way("its operations", jax.clipByOperations),
      way("its operations, jit", jit(jax.clipByOperations)),
    ];
    const upload = async () => {
      const arrays = weights.map(({ name, shape, values }) => [name, np.array(values, { shape })]);
      const gradients = Object.fromEntries(arrays) as jax.Arrays;
      await blockUntilReady(gradients);
      return gradients;
    };
    await compare(`jax-js | ${model}`, jax.counterOfDevice(), ways, upload, () => {});
  }
});
