/** The adapters refuse wrong input in the same words on every backend. Nothing is applied and nothing is left behind. */
import "./support/navigatorGpu.ts";
import { jit, numpy as np, tree } from "@jax-js/jax";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { clipUpdates } from "../src/adapters/jax.ts";
import { clipTogether, withClipping } from "../src/adapters/tfjs.ts";
import { adaptiveGradClip, type ClipMethod, clipByGlobalNorm, clipPerExample, measureNorm } from "../src/index.ts";
import { counterOfDevice } from "./adapters/jax.ts";
import { jaxBackends, onJax, withFewBuffersOnJax } from "./adapters/onJax.ts";
import { idle, onTfjs, tfjsBackends, withFewBuffersOnTfjs } from "./adapters/onTfjs.ts";
import { Idle } from "./adapters/tfjs.ts";
import { refused } from "./support/refused.ts";

withFewBuffersOnTfjs();
withFewBuffersOnJax();

describe.each([
  ["withClipping", (method: ClipMethod, options?: object) => withClipping(new Idle(), method, options)],
  ["clipUpdates", (method: ClipMethod, options?: object) => clipUpdates(method, options)],
])("%s is told", (name, make) => {
  const method = clipByGlobalNorm(1);

  test("what is no method, or none that clips in place", async () => {
    await refused(() => make({} as never), TypeError, /^method is an Object; /);
    await refused(
      () => make(measureNorm()),
      TypeError,
      /^measureNorm clips nothing; pass clipByGlobalNorm\(Infinity\)/,
    );
    await refused(() => make(clipPerExample(1, { examples: 2 })), TypeError, /^clipPerExample gives a sum, which has /);
  });

  test("an option that does not exist", async () => {
    const message = `^${name}'s options has an unknown property "apply"; it takes nonFinite, gradScale, skip, `;
    await refused(() => make(method, { apply: "record" }), TypeError, new RegExp(message));
  });

  test("a gradScale that is no number, or none that serves", async () => {
    const message = (shown: string) => `${name}'s gradScale is ${shown}; pass a number.`;
    await refused(() => make(method, { gradScale: "1" }), TypeError, message('the string "1"'));
    const buffer = { size: 4, usage: 0x80, mapAsync() {} };
    await refused(() => make(method, { gradScale: buffer }), TypeError, message("an Object"));
    await refused(
      () => make(method, { gradScale: -1 }),
      RangeError,
      /^options.gradScale is -1; pass a positive float32/,
    );
  });
});

describe("an optimizer of TensorFlow.js", () => {
  test("that is none", async () => {
    const message = "optimizer is undefined; pass one of TensorFlow.js, such as tf.train.adam(0.001).";
    await refused(() => withClipping(undefined as never), TypeError, message);
  });

  test("in no list, for several", async () => {
    const message = /^optimizers is an instance of Idle; pass a list of TensorFlow.js's optimizers\.$/;
    await refused(() => clipTogether(new Idle() as never), TypeError, message);
  });

  test("with no TensorFlow.js", async () => {
    const message = "withClipping's tf is an Object; pass TensorFlow.js, such as the global tf of its script.";
    await refused(() => withClipping(new Idle(), undefined, { tf: {} as never }), TypeError, message);
  });

  test("that clips already", async () => {
    await refused(() => withClipping(idle()), TypeError, "The optimizer clips already; pass one that does not.");
  });

  test("that has a clip of its own", async () => {
    class Clipping extends Idle {
      clip = 5;
    }
    const optimizer = new Clipping();
    const { applyGradients } = optimizer;
    const message = "optimizer.clip is 5, where withClipping puts what it reports; rename that property.";
    await refused(() => withClipping(optimizer), TypeError, message);
    expect([optimizer.clip, optimizer.applyGradients]).toEqual([5, applyGradients]);
  });

  test("has no report before the first step", async () => {
    await expect(idle().clip.report()).rejects.toThrow("There is no report before the first step");
  });
});

describe.each(tfjsBackends)("gradients of TensorFlow.js on %s", (backend) => {
  onTfjs(backend);

  const others: [dtype: string, make: () => tf.Tensor][] = [
    ["int32", () => tf.tensor([-1, 2], undefined, "int32")],
    ["bool", () => tf.tensor([true, false])],
    ["string", () => tf.tensor(["3", "4"])],
  ];
  // The wasm backend has none.
  if (backend !== "wasm") others.push(["complex64", () => tf.complex([3, 0], [4, 0])]);

  test.each(others)("of %s are refused, by name", async (dtype, make) => {
    const variables = [tf.variable(tf.tensor([1, 2])), tf.variable(tf.tensor([3, 4]))];
    const [{ name: first }, { name: second }] = variables as [tf.Variable, tf.Variable];
    const optimizer = withClipping(tf.train.sgd(1));
    const gradients = { [first]: tf.tensor([30, 40]), [second]: make() };
    const before = tf.memory();
    const message = `The gradient "${second}" is of ${dtype}; convert it to float32.`;
    await refused(() => optimizer.applyGradients(gradients), TypeError, message);
    const list = Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
    await refused(() => optimizer.applyGradients(list), TypeError, message);
    expect(tf.memory()).toMatchObject({ numTensors: before.numTensors, numDataBuffers: before.numDataBuffers });
    const values = [...variables, gradients[first] as tf.Tensor].map((tensor) => [...tensor.dataSync()]);
    expect(values).toEqual([
      [1, 2],
      [3, 4],
      [30, 40],
    ]);
    expect(optimizer.iterations).toBe(0);
    await expect(optimizer.clip.report()).rejects.toThrow("before the first step");
    tf.dispose([variables, gradients]);
  });

  test("whose variable is of int32 are refused by what compares them with it", async () => {
    const variable = tf.variable(tf.tensor([3, 4], undefined, "int32"));
    const optimizer = idle(adaptiveGradClip());
    const message = `The variable "${variable.name}" is of int32; convert it to float32.`;
    await refused(() => optimizer.applyGradients({ [variable.name]: tf.tensor([1, 2]) }), TypeError, message);
    expect(optimizer.seen).toEqual({});
    variable.dispose();
  });

  test("that are no tensors, or no more, are refused", async () => {
    const optimizer = idle();
    const apply = (w: unknown) => () => optimizer.applyGradients({ w } as tf.NamedTensorMap);
    await refused(apply([3, 4]), TypeError, 'The gradient "w" is an Array; pass a tensor of TensorFlow.js.');
    await refused(apply(5), TypeError, 'The gradient "w" is 5; pass a tensor of TensorFlow.js.');
    const tensor = tf.tensor([3, 4]);
    tensor.dispose();
    await refused(apply(tensor), TypeError, 'The gradient "w" is disposed; clip it before that.');
    expect(optimizer.seen).toEqual({});
  });

  test("that a method refuses leave nothing behind", async () => {
    const optimizer = idle(clipByGlobalNorm(1, { members: 3 }));
    const w = tf.tensor([3, 4]);
    // A clone shares the values: the clipped ones go to a new tensor.
    const held = w.clone();
    const before = tf.memory();
    await refused(
      () => optimizer.applyGradients({ w }),
      RangeError,
      /^gradients\[0\] "w" has a leading axis of 2, but /,
    );
    expect(tf.memory()).toMatchObject({ numTensors: before.numTensors, numDataBuffers: before.numDataBuffers });
    expect([...(await held.data())]).toEqual([3, 4]);
    tf.dispose([w, held]);
  });
});

describe.each(jaxBackends)("updates of jax-js on %s", (backend) => {
  onJax(backend);

  test("that are no arrays of float32 are refused, by name", async () => {
    const update = (updates: unknown) => () => clipUpdates().update(updates as np.Array, []);
    const remedy = "pass arrays, outside of jit, grad and vmap.";
    await refused(update({ w: null }), TypeError, `The update "w" is null; ${remedy}`);
    await refused(update([5]), TypeError, `The update "0" is 5; ${remedy}`);
    await refused(update(5), TypeError, `The update is 5; ${remedy}`);
    const other = np.array([1, 2], { dtype: np.int32 });
    await refused(update({ w: other }), TypeError, 'The update "w" is of int32; convert it to float32.');
    expect(other.refCount).toBe(1);
    expect(() => jit((w: np.Array) => clipUpdates().update({ w }, [])[0].w)(np.array([1]))).toThrow(remedy);
    other.dispose();
  });

  test("that a method refuses leave nothing behind", async () => {
    const clip = clipUpdates(clipByGlobalNorm(1, { members: 3 }));
    const w = np.ones([2003]);
    const refusal = () =>
      refused(() => clip.update({ w }, []), RangeError, /^gradients\[0\] "w" has a leading axis of 2003, but /);
    const storage = () => (backend === "webgpu" ? counterOfDevice().storage() : {});
    // jax-js keeps freed memory for the next array of this size, which no other test has.
    await refusal();
    const before = storage();
    for (let step = 0; step < 5; step++) await refusal();
    expect(storage()).toEqual(before);
    expect(w.refCount).toBe(1);
    clip.destroy();
    tree.dispose(w);
  });

  test("have no report before the first step", async () => {
    await expect(clipUpdates().report()).rejects.toThrow("There is no report before the first step");
  });
});
