import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
import { finished } from "../gpu/arena.ts";
import { CLIP, TFJS } from "../names.ts";
import type { Contestant, Entry } from "../types.ts";
import type { Context } from "./gradclip.ts";

tf.enableProdMode();

/** TensorFlow.js has no clipByGlobalNorm. These are the operations that its users write. float32 only, out of place. */
export function tfjsContestants(context: Context): Contestant[] {
  const bytes = 3 * context.arena.bytes;
  return [{ name: TFJS, work: "clip", against: CLIP, bytes, configurations: [{}], enter: () => enter(context) }];
}

let backend: { readonly device: GPUDevice; readonly backend: WebGPUBackend } | undefined;

async function backendOn(device: GPUDevice): Promise<WebGPUBackend> {
  if (backend?.device !== device) {
    tf.removeBackend("webgpu");
    backend = { device, backend: new WebGPUBackend(device, device.adapterInfo) };
    const made = backend.backend;
    tf.registerBackend("webgpu", () => made, 10);
  }
  await tf.setBackend("webgpu");
  return backend.backend;
}

/** tf.addN(norms) is shorter, and wrong on WebGPU with more than seven tensors: it binds too many buffers. */
export function clipByOperations(gradients: readonly tf.Tensor[], bound: number) {
  return tf.tidy(() => {
    const squares = gradients.map((gradient) => tf.sum(tf.square(gradient)));
    const norm = tf.sqrt(tf.sum(tf.stack(squares)));
    const scale = tf.minimum(1, tf.div(bound, norm));
    return { norm, clipped: gradients.map((gradient) => tf.mul(gradient, scale)) };
  });
}

async function enter({ arena, truth }: Context): Promise<Entry> {
  const webgpu = await backendOn(arena.device);
  const gradients = arena.values.map((values) => {
    const tensor = tf.tensor1d(values as Float32Array);
    // Real gradients come from kernels and are on the GPU. Without this the CPU would process small ones.
    webgpu.uploadToGPU(tensor.dataId);
    return tensor;
  });
  const flush = () => {
    webgpu.endComputePassEncoder();
    webgpu.ensureCommandEncoderReady();
    webgpu.submitQueue();
  };
  return {
    async answer() {
      const { norm, clipped } = clipByOperations(gradients, truth.bound);
      const values = [];
      for (const tensor of clipped) values.push(Float32Array.from(await tensor.data()));
      const [found] = await norm.data();
      tf.dispose([norm, clipped]);
      return { norm: found, values };
    },
    async time(steps) {
      const start = performance.now();
      for (let step = 0; step < steps; step++) tf.dispose(clipByOperations(gradients, truth.bound));
      flush();
      await finished(arena.device);
      return { clock: (performance.now() - start) / steps };
    },
    destroy: () => tf.dispose(gradients),
  };
}
