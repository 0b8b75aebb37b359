import "./support/navigatorGpu.ts";
import * as tf from "@tensorflow/tfjs-core";
import { layers, loadLayersModel, type Sequential, sequential } from "@tensorflow/tfjs-layers";
import { describe, expect, test } from "vitest";
import { withClipping } from "../src/adapters/tfjs.ts";
import * as gradclip from "../src/index.ts";
import { autoClip, clipByBlockRms, clipByGlobalNorm, clipByNorm, NonFiniteGradientError, zClip } from "../src/index.ts";
import type { Counter, Counts } from "./adapters/counter.ts";
import { clipped64, expectNear, expectSteady, expectTraining, norm64 } from "./adapters/expect.ts";
import { idle, onTfjs, tfjsBackends, withAllBuffersOnTfjs, withFewBuffersOnTfjs } from "./adapters/onTfjs.ts";
import { numbers, transformerShapes } from "./adapters/task.ts";
import { clipByOperations, counterOfBackend, countSteps, flush, Idle, trainOn } from "./adapters/tfjs.ts";
import { examplesOf } from "./support/examples.ts";
import { COPY_SRC, STORAGE } from "./support/workbench.ts";

withFewBuffersOnTfjs();

const steps = 20;

function deviceOfBackend(): GPUDevice {
  return (tf.backend() as unknown as { device: GPUDevice }).device;
}

function named(tensors: readonly tf.Tensor[]): tf.NamedTensorMap {
  return Object.fromEntries(tensors.map((tensor, i) => [`w${i}`, tensor]));
}

/** A tensor that is on the GPU, over a buffer that may be larger. */
function tensorOver(buffer: GPUBuffer, shape: number[] = [buffer.size / 4]): tf.Tensor {
  return tf.tensor({ buffer, zeroCopy: true }, shape, "float32");
}

function bufferOf(values: Float32Array): GPUBuffer {
  const usage = STORAGE | COPY_SRC;
  const buffer = deviceOfBackend().createBuffer({ size: values.byteLength, usage, mappedAtCreation: true });
  new Float32Array(buffer.getMappedRange()).set(values);
  buffer.unmap();
  return buffer;
}

describe("training with model.fit", () => {
  test("on WebGPU", async () => {
    expectTraining(await trainOn("webgpu", steps), steps);
  });

  test("on the CPU backend", async () => {
    expectTraining(await trainOn("cpu", steps), steps);
  });

  test("on the wasm backend", async () => {
    expectTraining(await trainOn("wasm", steps), steps);
  });
});

describe("what a step costs on WebGPU", () => {
  withAllBuffersOnTfjs();

  test("in a small network: five dispatches and nothing else", async () => {
    const { gradclip, operations, none } = await countSteps();
    // One for the norm of the tensors of whole 16-byte words and one for the others, twice, and the decision.
    expect(gradclip).toEqual({ ...none, dispatches: none.dispatches + 5, bindGroups: gradclip.bindGroups });
    expect(operations.dispatches).toBe(none.dispatches + 23);
    expect(operations.writes).toBe(none.writes + 23);
    expect(operations.submits).toBe(none.submits + 1);
  });

  test("with 74 tensors on a device with 8 storage buffers", async () => {
    await tf.setBackend("webgpu");
    expect(deviceOfBackend().limits.maxStorageBuffersPerShaderStage).toBe(8);
    const shapes = transformerShapes();
    const values = shapes.map((shape, i) => numbers(i, tf.util.sizeFromShape(shape)));
    const upload = () => named(values.map((data, i) => tensorOver(bufferOf(data), shapes[i])));
    const [warm, first, second] = [upload(), upload(), upload()];
    const optimizer = idle();
    const steps = {
      gradclip: (gradients: tf.NamedTensorMap) => optimizer.applyGradients(gradients),
      operations: (gradients: tf.NamedTensorMap) => tf.dispose(clipByOperations(gradients, 1)),
    };
    const count = (step: (gradients: tf.NamedTensorMap) => void, gradients: tf.NamedTensorMap) => {
      step(warm);
      flush();
      return counterOfBackend().of(() => {
        step(gradients);
        flush();
      });
    };
    const gradclip = count(steps.gradclip, first);
    const operations = count(steps.operations, second);
    // 7 buffers in a dispatch: 11 for the norm, 11 to scale, and the decision.
    expect(gradclip).toMatchObject({ dispatches: 23, passes: 1, submits: 1, buffers: 0 });
    expect(gradclip).toMatchObject({ writtenBytes: 0, copiedBytes: 0, mappedBytes: 0 });
    // The last submit is that of flush, in both.
    expect(operations).toMatchObject({ dispatches: 240, submits: 16 + 1, writes: 240 });
    const report = await optimizer.clip.report();
    expect(report.norm / norm64(values)).toBeCloseTo(1, 6);
    const wanted = clipped64(values, 1);
    for (const [i, tensor] of Object.values(first).entries()) expectNear(await tensor.data(), wanted[i] as number[]);
  });
});

describe.each(tfjsBackends)("gradients on %s", (backend) => {
  onTfjs(backend);

  test("are clipped in minimize, with and without a list of variables", async () => {
    for (const list of [false, true]) {
      const [w, b] = [tf.variable(tf.tensor([3, 4])), tf.variable(tf.tensor([[12]]))];
      const optimizer = withClipping(tf.train.sgd(1), clipByGlobalNorm(1));
      const loss = () => tf.div(tf.add(tf.sum(tf.square(w)), tf.sum(tf.square(b))), 2) as tf.Scalar;
      optimizer.minimize(loss, false, list ? [w, b] : undefined);
      expectNear(
        [...(await w.data()), ...(await b.data())],
        [3, 4, 12].map((v) => v - v / 13),
      );
      const report = await optimizer.clip.report();
      expect(report).toMatchObject({ norm: 13, clipped: true, maxAbs: 12, steps: 1 });
      optimizer.dispose();
    }
  });

  test("are applied as the optimizer is asked to, and what it returns comes back", async () => {
    /** Takes more than gradients, and gives more than nothing: in each call. */
    class Telling extends Idle {
      override applyGradients(given: Parameters<Idle["applyGradients"]>[0], factor = 0): tf.Scalar {
        super.applyGradients(given);
        return tf.scalar(factor);
      }
      override minimize(loss: () => tf.Scalar): tf.Scalar {
        return this.applyGradients(this.computeGradients(loss).grads, 2);
      }
      override dispose(how = ""): string {
        this.release();
        return how;
      }
    }
    const optimizer = withClipping(new Telling());
    const applied: tf.Scalar = tf.keep(optimizer.applyGradients({ w: tf.tensor([3, 4]) }, 7));
    expect([...(await applied.data())]).toEqual([7]);
    const w = tf.variable(tf.tensor([6, 8]));
    const minimized: tf.Scalar = optimizer.minimize(() => tf.div(tf.sum(tf.square(w)), 2) as tf.Scalar);
    expect([...(await minimized.data())]).toEqual([2]);
    expectNear((await optimizer.values())[w.name] as number[], [0.6, 0.8]);
    expect(optimizer.dispose("whole")).toBe("whole");
    tf.dispose([applied, minimized, w]);
  });

  test("of x + y count for both and are scaled once", async () => {
    const [x, y] = [tf.variable(tf.tensor([1, 2])), tf.variable(tf.tensor([2, 2]))];
    const { grads, value } = tf.variableGrads(() => tf.div(tf.sum(tf.square(tf.add(x, y))), 2) as tf.Scalar, [x, y]);
    const [gx, gy] = Object.values(grads) as [tf.Tensor, tf.Tensor];
    expect(gx.dataId).toBe(gy.dataId);
    const optimizer = idle();
    optimizer.applyGradients(grads);
    expect((await optimizer.clip.report()).norm).toBeCloseTo(Math.sqrt(2 * 25), 6);
    const [wanted] = clipped64(
      [
        [3, 4],
        [3, 4],
      ],
      1,
    );
    for (const values of Object.values(await optimizer.values())) expectNear(values, wanted as number[]);
    tf.dispose([grads, value]);
    optimizer.dispose();
  });

  test("may be missing, in one step or another", async () => {
    const optimizer = idle(clipByNorm(1));
    const [a, c] = [tf.tensor([3, 4]), tf.tensor([0, 5])];
    const without = { a, b: undefined, c, d: tf.zeros([0]) } as unknown as tf.NamedTensorMap;
    for (const list of [true, false]) {
      const entries = Object.entries(without).map(([name, tensor]) => ({ name, tensor }));
      optimizer.applyGradients(list ? entries : without);
      const { tensorNorms } = await optimizer.clip.report();
      if (list) expect(tensorNorms).toEqual(new Float64Array([5, Number.NaN, 5, Number.NaN]));
    }
    optimizer.applyGradients({ a: tf.tensor([6, 8]) });
    expect((await optimizer.clip.report()).tensorNorms).toEqual(
      new Float64Array([10, Number.NaN, Number.NaN, Number.NaN]),
    );
    expectNear((await optimizer.values()).a as number[], [0.6, 0.8]);
  });

  test.each([clipByGlobalNorm(1), clipByNorm(1), clipByBlockRms(0.1), autoClip(), zClip()])(
    "are measured by $name",
    async (method) => {
      const optimizer = idle(method);
      optimizer.applyGradients({ kernel: tf.tensor([[3, 4]]), bias: tf.tensor([12]) });
      expect(await optimizer.clip.report()).toMatchObject({ norm: 13, maxAbs: 12, steps: 1 });
    },
  );

  test("that are not finite are named and become zero", async () => {
    const optimizer = idle();
    optimizer.applyGradients({ kernel: tf.tensor([[1, 2]]), bias: tf.tensor([3, Number.NaN]) });
    const error = await optimizer.clip.report({ throwIfNonFinite: true }).catch((error) => error);
    expect(error).toBeInstanceOf(NonFiniteGradientError);
    expect(error.report.firstNonFinite).toEqual({ index: 1, name: "bias", element: 1 });
    expect(await optimizer.values()).toEqual({ kernel: [0, 0], bias: [0, 0] });
  });

  test("that a variable shares are clipped beside it", async () => {
    const w = tf.variable(tf.tensor([3, 4]));
    // Half the square: its gradient is the variable, and this one says so without computing.
    const halfSquare = tf.customGrad((x, save) => {
      (save as tf.GradSaveFunc)([x as tf.Tensor]);
      const value = tf.div(tf.sum(tf.square(x as tf.Tensor)), 2);
      return { value, gradFunc: (_: tf.Tensor, saved: tf.Tensor[]) => (saved[0] as tf.Tensor).clone() };
    });
    const optimizer = idle();
    optimizer.minimize(() => halfSquare(w) as tf.Scalar, false, [w]);
    expect([...(await w.data())]).toEqual([3, 4]);
    expectNear(Object.values(await optimizer.values())[0] as number[], [0.6, 0.8]);
    optimizer.dispose();
  });

  test("that somebody else holds stay as they are", async () => {
    const optimizer = idle();
    const gradient = tf.tensor([3, 4]);
    const kept = gradient.clone();
    optimizer.applyGradients({ gradient });
    expect([...(await kept.data())]).toEqual([3, 4]);
    expectNear((await optimizer.values()).gradient as number[], [0.6, 0.8]);
  });

  test("that share their values with each other alone need no new ones on webgpu", async () => {
    const [x, other] = [tf.tensor([3, 4]), tf.tensor([12])];
    const y = x.clone();
    const optimizer = idle();
    optimizer.applyGradients({ x, y, other });
    const isInPlace = Object.values(optimizer.seen).map((seen, i) => seen.dataId === [x, y, other][i]?.dataId);
    expect(isInPlace).toEqual(Array(3).fill(backend === "webgpu"));
    const [values = []] = clipped64([[3, 4], [3, 4], [12]], 1);
    expectNear((await optimizer.values()).y as number[], values);
    expect((await optimizer.clip.report()).norm).toBeCloseTo(Math.sqrt(2 * 25 + 144), 5);
  });

  test("leave tf.memory() as it was", async () => {
    const w = tf.variable(tf.tensor(numbers(1, 2000), [40, 50]));
    const optimizer = withClipping(tf.train.adam(0.1), clipByGlobalNorm(0.1));
    const step = () => optimizer.minimize(() => tf.sum(tf.square(w)) as tf.Scalar, false, [w]);
    step();
    await w.data();
    const { numTensors, numBytes, numDataBuffers } = tf.memory();
    for (let i = 0; i < 10; i++) step();
    await w.data();
    expect(tf.memory()).toMatchObject({ numTensors, numBytes, numDataBuffers });
    expect(await optimizer.clip.report()).toMatchObject({ steps: 11, clippedSteps: 11 });
    optimizer.dispose();
  });
});

describe("on WebGPU", () => {
  onTfjs("webgpu");

  test("a small tensor that is on the CPU is brought over", async () => {
    const optimizer = idle();
    const gradient = tf.tensor([3, 4]);
    const { tensorMap } = tf.backend() as unknown as { tensorMap: Map<object, { resource?: GPUBuffer }> };
    expect(tensorMap.get(gradient.dataId)?.resource).toBeUndefined();
    optimizer.applyGradients({ gradient });
    expect(tensorMap.get(gradient.dataId)?.resource).toBeDefined();
    expectNear(await gradient.data(), [0.6, 0.8]);
  });

  test("what was read before is not what is read after", async () => {
    const optimizer = idle();
    const gradient = tensorOver(bufferOf(new Float32Array([3, 4])));
    expect([...(await gradient.data())]).toEqual([3, 4]);
    optimizer.applyGradients({ gradient });
    expectNear(await gradient.data(), [0.6, 0.8]);
  });

  test("what TensorFlow.js has not submitted yet comes first, in the same submit", async () => {
    const optimizer = idle();
    const values = numbers(1, 3000);
    const source = tensorOver(bufferOf(values));
    optimizer.applyGradients({ gradient: tf.mul(source, 2) });
    flush();
    const counts = counterOfBackend().of(() => optimizer.applyGradients({ gradient: tf.mul(source, 3) }));
    // The multiplication, the norm, the decision and the scaling, all in the pass that it opened.
    expect(counts).toMatchObject({ dispatches: 4, passes: 1, submits: 0 });
    const report = await optimizer.clip.report();
    expect(report.norm / (3 * norm64([values]))).toBeCloseTo(1, 6);
    expectNear((await optimizer.values()).gradient as number[], clipped64([values], 1)[0] as number[]);
  });

  test("a buffer that is larger than its tensor keeps the rest", async () => {
    const optimizer = idle();
    const values = Float32Array.from({ length: 320 }, (_, i) => (i < 256 ? 1 : 1e30));
    const buffer = bufferOf(values);
    optimizer.applyGradients({ gradient: tensorOver(buffer, [16, 16]) });
    expect((await optimizer.clip.report()).norm).toBe(16);
    const whole = [...(await tensorOver(buffer).data())];
    expectNear(whole.slice(0, 256), Array(256).fill(1 / 16));
    expect(whole.slice(256)).toEqual([...values.subarray(256)]);
  });

  test("a thousand steps, each with other buffers, take the same and keep nothing", async () => {
    const optimizer = idle();
    const counter = counterOfBackend();
    const upload = () => [1000, 30, 7].map((length) => bufferOf(new Float32Array(length).fill(1)));
    const counts: Counts[] = [];
    const kept: ReturnType<Counter["storage"]>[] = [];
    for (let step = 0; step < 1000; step++) {
      const buffers = upload();
      const gradients = named(buffers.map((buffer) => tensorOver(buffer)));
      counts.push(
        counter.of(() => {
          optimizer.applyGradients(gradients);
          flush();
        }),
      );
      if (step % 20 === 0) await deviceOfBackend().queue.onSubmittedWorkDone();
      optimizer.release();
      tf.dispose(gradients);
      for (const buffer of buffers) buffer.destroy();
      kept.push(counter.storage());
    }
    expectSteady(counts, kept);
    expect(await optimizer.clip.report()).toMatchObject({ steps: 1000, clippedSteps: 1000 });
  });

  test("dispose frees what gradclip made, after what is recorded was submitted", async () => {
    const ours = () => [...counterOfBackend().live.values()].filter((label) => label.startsWith("gradclip")).length;
    const before = ours();
    const optimizer = idle();
    const gradient = tensorOver(bufferOf(new Float32Array([5, 12])));
    optimizer.applyGradients({ gradient });
    expect(ours()).toBeGreaterThan(before);
    optimizer.dispose();
    expect(ours()).toBe(before);
    expectNear(await gradient.data(), [5 / 13, 12 / 13]);
  });

  test("another backend in between is served too", async () => {
    const optimizer = idle();
    optimizer.applyGradients({ gradient: tf.tensor([3, 4]) });
    await tf.setBackend("cpu");
    optimizer.applyGradients({ gradient: tf.tensor([6, 8]) });
    expect((await optimizer.clip.report()).norm).toBe(10);
    await tf.setBackend("webgpu");
    optimizer.applyGradients({ gradient: tf.tensor([5, 12]) });
    expect(await optimizer.clip.report()).toMatchObject({ norm: 13, steps: 2 });
    expectNear((await optimizer.values()).gradient as number[], [5 / 13, 12 / 13]);
  });
});

describe("a model", () => {
  onTfjs("cpu");

  function modelWith(optimizer: tf.Optimizer): Sequential {
    const model = sequential({ layers: [layers.dense({ units: 1, inputShape: [2], kernelInitializer: "ones" })] });
    model.compile({ optimizer, loss: "meanSquaredError" });
    return model;
  }

  async function artifactsOf(model: Sequential): Promise<tf.io.ModelArtifacts> {
    let artifacts: tf.io.ModelArtifacts = {};
    const handler = tf.io.withSaveHandler(async (saved) => {
      artifacts = saved;
      return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(saved) };
    });
    await model.save(handler, { includeOptimizer: true });
    return artifacts;
  }

  const example = () => [tf.tensor([[3, 4]]), tf.tensor([[0]])] as const;

  test("is saved as without clipping, and a loaded one can be given it again", async () => {
    const model = modelWith(withClipping(tf.train.adam(0.1)));
    await model.fit(...example(), { verbose: 0 });
    const artifacts = await artifactsOf(model);
    const plain = await artifactsOf(modelWith(tf.train.adam(0.1)));
    expect(artifacts.trainingConfig).toEqual(plain.trainingConfig);

    const loaded = (await loadLayersModel(tf.io.fromMemory(artifacts))) as Sequential;
    expect(loaded.optimizer.getClassName()).toBe("Adam");
    const optimizer = withClipping(loaded.optimizer, clipByGlobalNorm(0.5));
    expect(optimizer).toBe(loaded.optimizer);
    await loaded.fit(...example(), { verbose: 0 });
    expect(await optimizer.clip.report()).toMatchObject({ steps: 1, clippedSteps: 1 });
    expect(optimizer.iterations).toBe(2);
  });
});

test("the example of docs/engines.md trains a model", async () => {
  await tf.setBackend("cpu");
  const packages = { "@tensorflow/tfjs": tf, gradclip, "gradclip/tfjs": { withClipping } };
  const examples = examplesOf("docs/engines.md", packages, "TensorFlow.js");
  expect(examples.length).toBe(1);
  const model = sequential({ layers: [layers.dense({ units: 1, inputShape: [2], kernelInitializer: "ones" })] });
  const context = { model, x: tf.tensor([[3, 4]]), y: tf.tensor([[0]]) };
  expect(await examples[0]?.(context, "report")).toMatchObject({ steps: 10, clippedSteps: 10, nonFinite: 0 });
});
