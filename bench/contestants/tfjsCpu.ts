import "@tensorflow/tfjs-backend-cpu";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { CPU_CLIP, CPU_NORM } from "../names.ts";
import type { Truth } from "../reference.ts";
import type { Contestant, Entry } from "../types.ts";
import { bytesOf, type Workload } from "../workloads.ts";
import { clipByOperations } from "./tfjs.ts";

tf.enableProdMode();

export type WasmPaths = Parameters<typeof setWasmPaths>[0];

let hasPaths = false;

/** TensorFlow.js's two backends without a GPU. In a browser, wasm needs the paths of its binaries. */
export function tfjsCpuContestants(workload: Workload, truth: Truth, paths?: WasmPaths): Contestant[] {
  if (paths && !hasPaths) setWasmPaths(paths);
  hasPaths = true;
  const bytes = bytesOf(workload);
  return (["cpu", "wasm"] as const).flatMap((backend): Contestant[] => [
    {
      name: `TensorFlow.js ${backend}, norm`,
      work: "measure",
      against: CPU_NORM,
      bytes,
      configurations: [{}],
      enter: () => enter(backend, truth, false),
    },
    {
      name: `TensorFlow.js ${backend}, clip`,
      work: "clip",
      against: CPU_CLIP,
      bytes: 3 * bytes,
      configurations: [{}],
      enter: () => enter(backend, truth, true),
    },
  ]);
}

function normOf(gradients: readonly tf.Tensor[]): tf.Tensor {
  return tf.tidy(() => tf.sqrt(tf.sum(tf.stack(gradients.map((gradient) => tf.sum(tf.square(gradient)))))));
}

async function enter(backend: string, truth: Truth, clips: boolean): Promise<Entry> {
  const use = async () => {
    if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no backend ${backend} here.`);
  };
  await use();
  const gradients = truth.values.map((values) => tf.tensor1d(values as Float32Array));
  const step = () => (clips ? clipByOperations(gradients, truth.bound) : { norm: normOf(gradients), clipped: [] });
  return {
    async answer() {
      await use();
      const { norm, clipped } = step();
      const values = clipped.map((tensor) => Float32Array.from(tensor.dataSync()));
      const [found] = norm.dataSync();
      tf.dispose([norm, clipped]);
      return { norm: found, values };
    },
    async time(steps) {
      await use();
      const start = performance.now();
      for (let i = 0; i < steps; i++) {
        const made = step();
        made.norm.dataSync();
        tf.dispose(made);
      }
      return { clock: (performance.now() - start) / steps };
    },
    destroy: () => tf.dispose(gradients),
  };
}
