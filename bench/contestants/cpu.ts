import snrm2 from "@stdlib/blas-base-snrm2";
import { clipByGlobalNorm, createClipper, measureNorm } from "../../src/index.ts";
import { CPU_CLIP, CPU_NORM, NAIVE_CLIP, NAIVE_NORM, REDUCE_NORM, SNRM2_NORM } from "../names.ts";
import { SHRINKAGE, type Truth } from "../reference.ts";
import type { Answer, Contestant, Entry } from "../types.ts";
import { bytesOf, type Values, type Workload } from "../workloads.ts";

/** float32 arrays. Every contestant works on its own copy. */
export async function cpuContestants(workload: Workload, truth: Truth): Promise<Contestant[]> {
  const bytes = bytesOf(workload);
  const clipper = await createClipper({ backend: "cpu" });
  const { bound } = truth;
  const measured = (name: string, norm: (arrays: Float32Array[]) => number): Contestant => ({
    name,
    work: "measure",
    against: CPU_NORM,
    bytes,
    configurations: [{}],
    enter: async () => entryOf(truth.values, (arrays) => ({ norm: norm(arrays) })),
  });
  const clipping = (name: string, clip: (arrays: Float32Array[], step: number) => void): Contestant => ({
    name,
    work: "clip",
    against: CPU_CLIP,
    bytes: 3 * bytes,
    configurations: [{}],
    enter: async () =>
      entryOf(truth.values, (arrays, step) => {
        clip(arrays, step);
        return { values: arrays };
      }),
  });
  const ours = (name: string, work: "measure" | "clip"): Contestant => ({
    ...(work === "clip" ? clipping(name, () => {}) : measured(name, () => 0)),
    against: undefined,
    async enter() {
      const arrays = copyOf(truth.values);
      const clip = clipper.prepare(arrays, work === "clip" ? clipByGlobalNorm(bound) : measureNorm());
      const run = (_: Float32Array[], step: number) => {
        if (work === "clip") clip.set({ maxNorm: bound * SHRINKAGE ** step });
        clip.run();
        return { values: work === "clip" ? arrays : undefined };
      };
      const entry = entryOf(truth.values, run, arrays);
      return { ...entry, answer: async () => ({ ...(await entry.answer()), norm: (await clip.report()).norm }) };
    },
  });
  return [
    ours(CPU_NORM, "measure"),
    measured(NAIVE_NORM, (arrays) => Math.sqrt(arrays.reduce((sum, array) => sum + squaresOf(array), 0))),
    measured(REDUCE_NORM, (arrays) =>
      Math.sqrt(arrays.reduce((sum, array) => sum + array.reduce((total, value) => total + value * value, 0), 0)),
    ),
    measured(SNRM2_NORM, (arrays) => Math.hypot(...arrays.map((array) => snrm2(array.length, array, 1)))),
    ours(CPU_CLIP, "clip"),
    clipping(NAIVE_CLIP, (arrays) => {
      const norm = Math.sqrt(arrays.reduce((sum, array) => sum + squaresOf(array), 0));
      const scale = Math.min(1, bound / norm);
      for (const array of arrays) {
        for (let i = 0; i < array.length; i++) array[i] = (array[i] as number) * scale;
      }
    }),
  ];
}

function squaresOf(array: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < array.length; i++) sum += (array[i] as number) ** 2;
  return sum;
}

export function copyOf(values: Values): Float32Array[] {
  return values.map((array) => Float32Array.from(array as Float32Array));
}

function entryOf(
  values: Values,
  run: (arrays: Float32Array[], step: number) => Answer,
  arrays = copyOf(values),
): Entry {
  const reset = () => {
    for (const [i, array] of arrays.entries()) array.set(values[i] as Float32Array);
  };
  return {
    async answer() {
      reset();
      return run(arrays, 0);
    },
    async time(steps) {
      reset();
      const start = performance.now();
      for (let step = 0; step < steps; step++) run(arrays, step);
      return { clock: (performance.now() - start) / steps };
    },
    destroy() {},
  };
}
