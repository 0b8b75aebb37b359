import type { Optimizer, Tensor, Variable } from "@tensorflow/tfjs-core";
import * as core from "@tensorflow/tfjs-core";
import { readBoolean, wrongValue } from "../../check.ts";
import type { ClipMethod } from "../../methods/method.ts";
import { recordAt } from "../../record.ts";
import { type AdapterOptions, type ClipHandle, Clips } from "../clips.ts";
import { clipOnCPU } from "./cpu.ts";
import { type Gradient, type Gradients, readGradients, refuseWithoutVariable, type TensorFlow } from "./gradients.ts";
import { keepOf, type Verdict } from "./keepOnSkip.ts";
import { clipsOnWebGL, WebGLClip } from "./webgl.ts";
import { clipOnGPU, isSkipped, submitQueue, type WebGPUBackend } from "./webgpu.ts";

/** How to clip in TensorFlow.js. */
export interface TfjsOptions extends AdapterOptions<Variable> {
  /** The page's TensorFlow.js, if it does not come from the package `@tensorflow/tfjs-core`: the global `tf` of a script tag. */
  tf?: TensorFlow;
  /**
   * Whether a skipped step leaves the weights and the optimizer's moments as they were, to the bit; default: true if `skip` is
   * given. Without it such a step applies gradients of zero, by which the moments move the weights. It takes a selection for each
   * variable and each moment, and the memory of their old values during a step.
   */
  keepOnSkip?: boolean;
}

/** The clipping of several optimizers. */
export interface Together {
  readonly clip: ClipHandle;
  /** Clips, and hands the gradients to `update` in the form in which they were given. Returns what that returns. */
  apply<G extends Gradients, R>(given: G, update: (clipped: G) => R): R;
  /** Frees gradclip's buffers. */
  dispose(): void;
}

export interface Clipping extends Together {
  /** Whether skipped steps leave everything as it was. */
  readonly keeps: boolean;
  skippedSteps(): Promise<number>;
  int32(value: number): Tensor;
}

/** @param caller the function of the user, for messages. */
export function clippingOf(
  optimizers: readonly Optimizer[],
  method: ClipMethod,
  options: TfjsOptions | undefined,
  caller: string,
): Clipping {
  const clips = new Clips(method, options, caller, ["tf", "keepOnSkip"]);
  const { tf = core, keepOnSkip: keeps = options?.skip !== undefined } = options ?? {};
  readBoolean(keeps, `${caller}'s keepOnSkip`);
  if (typeof tf?.engine !== "function") {
    throw wrongValue(tf, `${caller}'s tf`, "TensorFlow.js, such as the global tf of its script");
  }
  /** Submits what TensorFlow.js has recorded. */
  let submit = () => {};
  let onWebGL: WebGLClip | undefined;
  /** What has clipped last. */
  let latest: Pick<ClipHandle, "report" | "lastReport"> = clips;

  /** Replaces gradients in the list. */
  function clipAll(gradients: Gradient[]): () => Verdict {
    if (clipsOnWebGL(tf, method, clips.options)) {
      onWebGL ??= new WebGLClip(tf, clips);
      const clip = onWebGL;
      clip.clip(gradients);
      latest = clip;
      return () => clip.verdict();
    }
    latest = clips;
    if (tf.getBackend() === "webgpu") {
      const gpu = tf.backend() as unknown as WebGPUBackend;
      submit = () => submitQueue(gpu);
      const record = clipOnGPU(tf, gradients, clips);
      return () => isSkipped(tf, record);
    }
    const flags = clipOnCPU(tf, gradients, clips);
    return () => flags;
  }

  return {
    clip: {
      async report(options) {
        submit();
        return latest.report(options);
      },
      get lastReport() {
        return latest.lastReport;
      },
      async history() {
        submit();
        return clips.history();
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
      if (method.parametersOf) for (const gradient of taken) refuseWithoutVariable(gradient, method);
      const clipped = [...taken];
      const made = () => clipped.filter(({ tensor }, i) => tensor !== taken[i]?.tensor);
      const before = keeps ? keepOf(tf, optimizers, all) : undefined;
      try {
        const verdict = clipAll(clipped);
        const result = update(made().length === 0 ? given : inForm(given, all, taken, clipped));
        if (before) settle(before, verdict());
        return result;
      } finally {
        before?.free();
        for (const { tensor } of made()) tensor?.dispose();
      }
    },
    keeps,
    int32: (value) => tf.scalar(value, "int32"),
    async skippedSteps() {
      submit();
      // A report would move the counts of the user's next one.
      const records = await Promise.all(clips.all.map(({ backend }) => backend.readRecord()));
      const counts = records.map(([record]) => (record as DataView).getUint32(recordAt.skippedSteps, true));
      return counts.reduce((sum, count) => sum + count, (await onWebGL?.skippedSteps()) ?? 0);
    },
    dispose() {
      // Recorded commands still need the buffers that are freed next.
      submit();
      onWebGL?.dispose();
      clips.destroy();
    },
  };
}

function settle(before: ReturnType<typeof keepOf>, verdict: Verdict): void {
  before.settle(verdict);
  if (typeof verdict !== "number") verdict.dispose();
}

/** All gradients as they were given, but for those that were clipped into other tensors. */
function inForm<G extends Gradients>(
  given: G,
  all: readonly Gradient[],
  taken: readonly Gradient[],
  clipped: readonly Gradient[],
): G {
  const instead = new Map(taken.map((gradient, i) => [gradient, clipped[i]?.tensor]));
  const tensorOf = (gradient: Gradient) => instead.get(gradient) ?? gradient.tensor;
  if (Array.isArray(given)) return all.map((g) => ({ name: g.name, tensor: tensorOf(g) })) as Gradients as G;
  return Object.fromEntries(all.map((gradient) => [gradient.name, tensorOf(gradient)])) as Gradients as G;
}
