import type { Variable } from "@tensorflow/tfjs-core";
import * as core from "@tensorflow/tfjs-core";
import { shown } from "../../check.ts";
import type { ClipMethod } from "../../methods/method.ts";
import { type AdapterOptions, type ClipHandle, Clips } from "../clips.ts";
import { clipOnCPU } from "./cpu.ts";
import { type Gradients, readGradients, refuseWithoutVariable, type TensorFlow } from "./gradients.ts";
import { clipOnGPU, submitQueue, type WebGPUBackend } from "./webgpu.ts";

/** How to clip in TensorFlow.js. */
export interface TfjsOptions extends AdapterOptions<Variable> {
  /** The page's TensorFlow.js, if it does not come from the package `@tensorflow/tfjs-core`: the global `tf` of a script tag. */
  tf?: TensorFlow;
}

/** The clipping of some optimizers. `apply` clips, and hands the gradients to `update` in the form in which they were given. */
export interface Clipping {
  readonly clip: ClipHandle;
  apply<G extends Gradients, R>(given: G, update: (clipped: G) => R): R;
  dispose(): void;
}

/** @param caller the function of the user, for messages. */
export function clippingOf(method: ClipMethod, options: TfjsOptions | undefined, caller: string): Clipping {
  const clips = new Clips(method, options, caller, ["tf"]);
  const { tf = core } = options ?? {};
  if (typeof tf?.engine !== "function") {
    throw new TypeError(`${caller}'s tf is ${shown(tf)}; pass TensorFlow.js, such as the global tf of its script.`);
  }
  /** Submits what TensorFlow.js has recorded. */
  let submit = () => {};
  return {
    clip: {
      async report(options) {
        submit();
        return clips.report(options);
      },
      get lastReport() {
        return clips.lastReport;
      },
      set: (values) => clips.set(values),
      async state() {
        submit();
        return clips.state();
      },
      restore(state) {
        submit();
        clips.restore(state);
      },
    },
    apply(given, update) {
      const all = readGradients(tf, given);
      const taken = all.filter(({ name, variable }) => clips.takes(name, variable));
      if (method.usesParameters) for (const gradient of taken) refuseWithoutVariable(gradient, method);
      const clipped = [...taken];
      const made = () => clipped.filter(({ tensor }, i) => tensor !== taken[i]?.tensor);
      try {
        if (tf.getBackend() === "webgpu") {
          const gpu = tf.backend() as unknown as WebGPUBackend;
          submit = () => submitQueue(gpu);
          clipOnGPU(tf, clipped, clips);
        } else clipOnCPU(tf, clipped, clips);
        if (made().length === 0) return update(given);
        const instead = new Map(taken.map((gradient, i) => [gradient, clipped[i]?.tensor]));
        const pairs = all.map((gradient) => ({
          name: gradient.name,
          tensor: instead.get(gradient) ?? gradient.tensor,
        }));
        const inForm = Array.isArray(given)
          ? pairs
          : Object.fromEntries(pairs.map(({ name, tensor }) => [name, tensor]));
        return update(inForm as typeof given);
      } finally {
        for (const { tensor } of made()) tensor?.dispose();
      }
    },
    dispose() {
      // Recorded commands still need the buffers that are freed next.
      submit();
      clips.destroy();
    },
  };
}
