import type { Optimizer } from "@tensorflow/tfjs-core";
import { shown, wrongValue } from "../check.ts";
import { clipByGlobalNorm } from "../methods/clipByGlobalNorm.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { ClipHandle } from "./clips.ts";
import { type Clipping, clippingOf, type TfjsOptions, type Together } from "./tfjs/clipping.ts";
import type { Gradients } from "./tfjs/gradients.ts";

/** A TensorFlow.js optimizer that clips. Names in reports are those of the variables. */
export type ClippingOptimizer<T extends Optimizer> = T & { readonly clip: ClipHandle };

/**
 * Makes a TensorFlow.js optimizer clip gradients before it applies them, in `minimize`, `applyGradients` and `model.fit`. It
 * changes the optimizer itself and returns it. The optimizer of a loaded model works too.
 *
 * On the WebGPU backend the gradients are clipped in place, in TensorFlow.js's own command encoder, without a submit, a copy or a
 * read-back. A gradient that another tensor still shares does not change, and a clipped copy is applied. On WebGL 2 with float32
 * textures they are clipped into new tensors, without a read-back too; what remembers earlier steps is refused there. On other
 * backends the gradients are read, clipped on the CPU and written to new tensors. `optimizer.dispose()` frees all of it.
 *
 * `optimizer.clip` reports, changes the bound, and saves and restores a memory. One clip serves all steps on a device: a variable
 * that a step does not reach is absent, and keeps its place.
 *
 * With `skip` or `keepOnSkip` a skipped step leaves the weights and the optimizer's moments as they were, to the bit.
 *
 * A method that uses parameters, such as `adaptiveGradClip`, gets the variables with the gradients' names. A step throws a
 * TypeError for a gradient without such a variable, and for one that is not a float32 tensor, before anything is clipped or
 * applied.
 *
 * @example
 * ```ts
 * const optimizer = withClipping(tf.train.sgd(1), clipByGlobalNorm(1));
 * const w = tf.variable(tf.tensor([3, 4]));
 * optimizer.minimize(() => w.square().sum().div(2)); // the gradient [3, 4] becomes [0.6, 0.8], and w [2.4, 3.2]
 * optimizer.clip.set({ maxNorm: 0.5 }); // from the next step on
 * ```
 * @throws TypeError for a value that is not an optimizer, already clips or has its own `clip`; for `measureNorm`,
 * `clipPerExample` and `clipByGroupNorm` without `groupOf`; and as `Clipper.prepare` does for the method and options. A step does for
 * what the webgl backend would have to read back.
 */
export function withClipping<T extends Optimizer>(
  optimizer: T,
  method: ClipMethod = clipByGlobalNorm(1),
  options?: TfjsOptions,
): ClippingOptimizer<T> {
  const { applyGradients, dispose } = (optimizer ?? {}) as unknown as Replaced;
  if (typeof applyGradients !== "function") {
    throw wrongValue(optimizer, "optimizer", "one of TensorFlow.js, such as tf.train.adam(0.001)");
  }
  if (clips.has(optimizer)) throw new TypeError("The optimizer clips already; pass one that does not.");
  if ("clip" in optimizer) {
    throw new TypeError(
      `optimizer.clip is ${shown(optimizer.clip)}, where withClipping puts what it reports; rename that property.`,
    );
  }
  const clipping = clippingOf([optimizer], method, options, "withClipping");
  clips.add(optimizer);
  return Object.assign(optimizer, clipping.keeps && countingApplied(optimizer, clipping), {
    clip: clipping.clip,
    applyGradients: (given: Gradients, ...more: unknown[]) =>
      clipping.apply(given, (clipped) => applyGradients.call(optimizer, clipped, ...more)),
    dispose(...how: unknown[]) {
      clipping.dispose();
      return dispose.call(optimizer, ...how);
    },
  });
}

/**
 * Clips the gradients of several optimizers by one norm: of variables that learn at different rates, or by different optimizers.
 * `apply` clips all gradients of a step and then hands them to your function, which gives each optimizer its own, once a step.
 * Checkpoints of the optimizers count the steps that were applied, as those of `withClipping` do, until `dispose`.
 *
 * @example
 * ```ts
 * const together = clipTogether([slow, fast], clipByGlobalNorm(1));
 * const { grads } = tf.variableGrads(loss);
 * const list = Object.entries(grads).map(([name, tensor]) => ({ name, tensor }));
 * together.apply(list, (clipped) => {
 *   slow.applyGradients(clipped.filter(({ name }) => name === embedding.name));
 *   fast.applyGradients(clipped.filter(({ name }) => name !== embedding.name));
 * });
 * tf.dispose(grads);
 * await together.clip.report(); // { norm: of all of them, ... }
 * ```
 * @throws as `withClipping` does for the method and options; `apply` as a step of it does.
 */
export function clipTogether(
  optimizers: readonly Optimizer[],
  method: ClipMethod = clipByGlobalNorm(1),
  options?: TfjsOptions,
): Together {
  if (!Array.isArray(optimizers)) {
    throw wrongValue(optimizers, "optimizers", "a list of TensorFlow.js's optimizers");
  }
  const clipping = clippingOf(optimizers, method, options, "clipTogether");
  const undos = clipping.keeps ? optimizers.map((one) => replaced(one, countingApplied(one, clipping))) : [];
  return {
    clip: clipping.clip,
    apply: clipping.apply,
    dispose() {
      for (const undo of undos.splice(0)) undo();
      clipping.dispose();
    },
  };
}

/** Returns what puts back the properties as they were. */
function replaced<T extends object>(object: T, by: Partial<T>): () => void {
  const before = Object.keys(by).map((key) => [key, Object.getOwnPropertyDescriptor(object, key)] as const);
  Object.assign(object, by);
  return () => {
    for (const [key, own] of before) {
      if (own) Object.defineProperty(object, key, own);
      else Reflect.deleteProperty(object, key);
    }
  };
}

/**
 * An optimizer counts skipped steps as iterations, and a loaded checkpoint computes Adam's bias correction from that count. A
 * checkpoint therefore gets the number of steps that were applied.
 */
function countingApplied<T extends Optimizer>(optimizer: T, clipping: Clipping): Partial<T> {
  const { saveIterations, setWeights } = optimizer;
  let skippedBefore = 0;
  return {
    async saveIterations() {
      const saved = await saveIterations.call(optimizer);
      const [iterations = 0] = await saved.tensor.data();
      saved.tensor.dispose();
      return { ...saved, tensor: clipping.int32(iterations - (await clipping.skippedSteps()) + skippedBefore) };
    },
    async setWeights(weights: Parameters<typeof setWeights>[0]) {
      await setWeights.call(optimizer, weights);
      skippedBefore = await clipping.skippedSteps();
    },
  } as Partial<T>;
}

/** These methods of a user's own optimizer may take and return more than those of TensorFlow.js. */
interface Replaced {
  applyGradients(gradients: Gradients, ...more: unknown[]): unknown;
  dispose(...how: unknown[]): unknown;
}

/** The optimizers that clip. */
const clips = new WeakSet<Optimizer>();
