/** For a page: clipping on the webgl backend, with the draws and reads that it takes. Numbers cross as bits. */
import * as tf from "@tensorflow/tfjs-core";
import { Clips } from "../../src/adapters/clips.ts";
import { clipOnCPU } from "../../src/adapters/tfjs/cpu.ts";
import type { Gradient } from "../../src/adapters/tfjs/gradients.ts";
import { withClipping } from "../../src/adapters/tfjs.ts";
import * as gradclip from "../../src/index.ts";
import { held, trainWith } from "./skipping.ts";
import { Idle } from "./tfjs.ts";

export interface Task {
  /** Of one step after the other. */
  steps: { bits: number[]; shape: number[] }[][];
  method: readonly [name: string, ...values: unknown[]];
  options?: { nonFinite?: "zero" | "keep" | "propagate"; gradScale?: number; tensorNorms?: true; history?: number };
  skipAbove?: number;
  skipsSpikes?: true;
  /** Of clipByGlobalNorm; Infinity crosses as a text. */
  normType?: number | string;
  /** Multiplied on the device: then a matrix is packed as TensorFlow.js's own results are. */
  isComputed?: boolean;
  /** Instead of w0, w1 and so on. */
  names?: string[];
  /** Of the method: axes of a matrix, which a vector has not. */
  axes?: number[];
  /** The variables w0, w1 and so on. */
  parameters?: Task["steps"][number];
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
  skipsSpikes,
  normType,
  isComputed,
  names,
  axes,
  parameters = [],
}: Task) {
  await tf.setBackend("webgl");
  if (!isCounting)
    for (const call of ["drawArrays", "drawElements", "readPixels", "getBufferSubData"] as const) count(call);
  isCounting = true;
  const make = (gradclip as unknown as Record<string, (...values: unknown[]) => gradclip.ClipMethod>)[name];
  const more = { ...(normType && { normType: Number(normType) }), ...(axes && { axes: axesFor(axes) }) };
  const numbers = values.map((value) => (typeof value === "string" ? Number(value) : value));
  const made = make?.(...numbers, ...(Object.keys(more).length > 0 ? [more] : []));
  const upload = ({ bits, shape }: Task["steps"][number][number]) => {
    const uploaded = tf.tensor(new Float32Array(new Uint32Array(bits).buffer), shape);
    if (!isComputed) return uploaded;
    const tensor = tf.tidy(() => tf.mul(uploaded, tf.scalar(1)));
    uploaded.dispose();
    return tensor;
  };
  const variables = parameters.map((parameter, i) => {
    const tensor = upload(parameter);
    const variable = tf.variable(tensor, false, `w${i}`);
    tensor.dispose();
    return variable;
  });
  const optimizer = withClipping(new Idle(), made, {
    ...options,
    ...(skipAbove && { skip: gradclip.skipAbove(skipAbove) }),
    ...(skipsSpikes && { skip: gradclip.skipSpikes() }),
    groupOf: (name) => (name === "w0" ? "first" : undefined),
  });
  const inBits: number[][][] = [];
  let taken = { draws: 0, reads: 0 };
  const memory: ReturnType<typeof held>[] = [];
  for (const step of steps) {
    const list = step.map((gradient, i) => ({ name: names?.[i] ?? `w${i}`, tensor: upload(gradient) }));
    const before = { ...counts };
    optimizer.applyGradients(list);
    taken = { draws: counts.draws - before.draws, reads: counts.reads - before.reads };
    const read = Object.values(optimizer.seen).map(async (tensor) => (await tensor.data<"float32">()).slice());
    inBits.push((await Promise.all(read)).map((values) => [...new Uint32Array(values.buffer)]));
    optimizer.release();
    tf.dispose(list);
    memory.push(held());
  }
  const report = await optimizer.clip.report();
  const inText = JSON.stringify(report, (_, value) =>
    typeof value === "number" && !Number.isFinite(value)
      ? String(value)
      : value instanceof Float64Array
        ? [...value]
        : value,
  );
  const strict = optimizer.clip.report({ throwIfNonFinite: true });
  const error: string | undefined = await strict.then(
    () => undefined,
    ({ name }) => name,
  );
  optimizer.dispose();
  tf.dispose(variables);
  return { backend: tf.getBackend(), steps: inBits, report: inText, error, taken, memory };
}

/** Those that a shape has, counted from its first. */
const axesFor = (axes: number[]) => (shape: readonly number[]) => axes.filter((axis) => axis < shape.length);

/** Before TensorFlow.js has begun: textures of 16 bits. */
export function forceSmallTextures(): void {
  tf.env().set("WEBGL_FORCE_F16_TEXTURES", true);
  tf.env().set("WEBGL_RENDER_FLOAT32_ENABLED", false);
}

export function limitTextures(size: number): void {
  tf.env().set("WEBGL_MAX_TEXTURE_SIZE", size);
}

export async function skipOn(backend: string, ...values: Parameters<typeof trainWith>) {
  await tf.setBackend(backend);
  const trained = await trainWith(...values);
  return { backend: tf.getBackend(), ...trained };
}

/** The norm of as many ones as the shape has, from a program that leaves ones beside them, where a matrix has an odd side. */
export async function normOfOnes(shape: number[], method: "clipByGlobalNorm" | "clipByNorm", axes?: number[]) {
  await tf.setBackend("webgl");
  const made = method === "clipByNorm" ? gradclip.clipByNorm(1, axes ? { axes } : {}) : gradclip.clipByGlobalNorm(1);
  const optimizer = withClipping(new Idle(), made);
  const ones = tf.tidy(() => tf.exp(tf.zeros(shape)));
  optimizer.applyGradients({ ones });
  const { norm } = await optimizer.clip.report();
  ones.dispose();
  optimizer.release();
  optimizer.dispose();
  return norm;
}

/** The report on equal values, which are made on the device. */
export async function normOfEqual(value: number, size: number) {
  await tf.setBackend("webgl");
  const optimizer = withClipping(new Idle(), gradclip.clipByGlobalNorm(Infinity));
  const tensor = tf.fill([size], value);
  optimizer.applyGradients([{ name: "w", tensor }]);
  optimizer.release();
  tensor.dispose();
  const { norm } = await optimizer.clip.report();
  optimizer.dispose();
  return norm;
}

/** An optimizer that has clipped on webgl, asked and disposed on another backend. */
export async function leaveWebGL(backend: string) {
  await tf.setBackend("webgl");
  const before = held();
  const optimizer = withClipping(tf.train.adam(0.1), gradclip.clipByGlobalNorm(1), { keepOnSkip: true });
  const w = tf.tidy(() => tf.variable(tf.tensor([1, 2])));
  const step = (value: number) => {
    const tensor = tf.tensor([value, 4]);
    optimizer.applyGradients([{ name: w.name, tensor }]);
    tensor.dispose();
  };
  for (const value of [Number.NaN, 3]) step(value);
  await tf.setBackend(backend);
  const { norm } = await optimizer.clip.report();
  const saved = (await optimizer.getWeights()).map(({ tensor }) => tensor);
  const [iterations] = await (saved[0] as tf.Tensor).data();
  step(6);
  const { steps } = (await optimizer.clip.report()).totals;
  optimizer.dispose();
  tf.dispose([...saved, w]);
  await tf.setBackend("webgl");
  return { norm, iterations, steps, before, after: held() };
}

/** Milliseconds of each turn, up to a value that needs all results: by programs, and by reading, clipping on the CPU and uploading. */
export async function timesOnWebGL(shapes: number[][], turns: number) {
  await tf.setBackend("webgl");
  const uploaded = shapes.map((shape, i) => tf.randomUniform(shape, -1, 1, "float32", i + 1));
  const clips = new Clips(gradclip.clipByGlobalNorm(1), {}, "withClipping");
  const optimizer = withClipping(new Idle(), gradclip.clipByGlobalNorm(1));
  const ways = {
    gradclip(list: Gradient[]) {
      optimizer.applyGradients(list as { name: string; tensor: tf.Tensor }[]);
      return Object.values(optimizer.seen);
    },
    readBack(list: Gradient[]) {
      clipOnCPU(tf, list, clips);
      return list.map(({ tensor }) => tensor as tf.Tensor);
    },
  };
  const times = { gradclip: [] as number[], readBack: [] as number[] };
  for (let turn = -3; turn < turns; turn++) {
    for (const way of ["gradclip", "readBack"] as const) {
      // Computed anew, so that nothing is on the host already.
      const list = uploaded.map((tensor, i) => ({
        name: `w${i}`,
        tensor: tf.tidy(() => tf.mul(tensor, 1 + turn / 100)),
      }));
      await (list.at(-1)?.tensor.data() as Promise<unknown>);
      const given = list.map(({ tensor }) => tensor);
      const start = performance.now();
      const clipped = ways[way](list);
      const all = tf.tidy(() => tf.stack(clipped.map((tensor) => tf.sum(tensor))));
      await all.data();
      if (turn >= 0) times[way].push(performance.now() - start);
      tf.dispose([given, clipped, all]);
    }
  }
  optimizer.dispose();
  clips.destroy();
  tf.dispose(uploaded);
  return { backend: tf.getBackend(), ...times };
}
