/** For a page: clipping on the webgl backend, with the draws and reads that it takes. Numbers cross as bits. */
import * as tf from "@tensorflow/tfjs-core";
import { withClipping } from "../../src/adapters/tfjs.ts";
import * as gradclip from "../../src/index.ts";
import { trainWith } from "./skipping.ts";
import { Idle } from "./tfjs.ts";

export interface Task {
  /** Of one step after the other. */
  steps: { bits: number[]; shape: number[] }[][];
  method: readonly [name: string, ...values: unknown[]];
  options?: { nonFinite?: "zero" | "keep" | "propagate"; gradScale?: number };
  skipAbove?: number;
  /** Of clipByGlobalNorm; Infinity crosses as a text. */
  normType?: number | string;
  /** Multiplied on the device: then a matrix is packed as TensorFlow.js's own results are. */
  isComputed?: boolean;
}

const counts = { draws: 0, reads: 0 };

function count(name: "drawArrays" | "drawElements" | "readPixels" | "getBufferSubData"): void {
  const prototype = WebGL2RenderingContext.prototype as unknown as Record<string, (...values: unknown[]) => unknown>;
  const original = prototype[name] as (...values: unknown[]) => unknown;
  prototype[name] = function (...values) {
    counts[name.startsWith("draw") ? "draws" : "reads"] += 1;
    return original.apply(this, values);
  };
}

let isCounting = false;

export async function clipOnWebGL({
  steps,
  method: [name, ...values],
  options,
  skipAbove,
  normType,
  isComputed,
}: Task) {
  await tf.setBackend("webgl");
  if (!isCounting)
    for (const call of ["drawArrays", "drawElements", "readPixels", "getBufferSubData"] as const) count(call);
  isCounting = true;
  const make = (gradclip as unknown as Record<string, (...values: unknown[]) => gradclip.ClipMethod>)[name];
  const optimizer = withClipping(new Idle(), make?.(...values, ...(normType ? [{ normType: Number(normType) }] : [])), {
    ...options,
    ...(skipAbove && { skip: gradclip.skipAbove(skipAbove) }),
    groupOf: (name) => (name === "w0" ? "first" : undefined),
  });
  const inBits: number[][][] = [];
  let taken = { draws: 0, reads: 0 };
  const memory: number[] = [];
  for (const step of steps) {
    const list = step.map(({ bits, shape }, i) => {
      const uploaded = tf.tensor(new Float32Array(new Uint32Array(bits).buffer), shape);
      const tensor = isComputed ? tf.tidy(() => tf.mul(uploaded, tf.scalar(1))) : uploaded;
      if (isComputed) uploaded.dispose();
      return { name: `w${i}`, tensor };
    });
    const before = { ...counts };
    optimizer.applyGradients(list);
    taken = { draws: counts.draws - before.draws, reads: counts.reads - before.reads };
    const read = Object.values(optimizer.seen).map(async (tensor) => (await tensor.data<"float32">()).slice());
    inBits.push((await Promise.all(read)).map((values) => [...new Uint32Array(values.buffer)]));
    optimizer.release();
    tf.dispose(list);
    memory.push(tf.memory().numTensors);
  }
  const report = await optimizer.clip.report();
  const inText = JSON.stringify(report, (_, value) =>
    typeof value === "number" && !Number.isFinite(value)
      ? String(value)
      : value instanceof Float64Array
        ? [...value]
        : value,
  );
  optimizer.dispose();
  return { backend: tf.getBackend(), steps: inBits, report: inText, taken, memory };
}

export async function skipOn(backend: string, ...values: Parameters<typeof trainWith>) {
  await tf.setBackend(backend);
  const trained = await trainWith(...values);
  return { backend: tf.getBackend(), ...trained };
}
