/** The adapters in Bun, as far as their engines get there, and the CPU in place of a GPU. */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { defaultDevice, init, numpy as np } from "@jax-js/jax";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-webgpu";
import { clipUpdates } from "../../src/adapters/jax.ts";
import { withClipping } from "../../src/adapters/tfjs.ts";
import { type ClipReport, clipByGlobalNorm, createClipper } from "../../src/index.ts";
import { isSoftware } from "../../src/webgpu/grid.ts";
import { fail, near, same } from "../conformance/expect.ts";
import type { Case } from "../conformance/types.ts";

function sameValues(actual: ArrayLike<number>, wanted: readonly number[], what: string): void {
  same(actual.length, wanted.length, `the length of ${what}`);
  wanted.forEach((value, i) => {
    near(actual[i], value, 2, `${what}[${i}]`);
  });
}

function sameReport({ norm, clippedSteps, steps }: ClipReport): void {
  same(norm, 13, "the norm");
  same(clippedSteps, 1, "clipped steps");
  same(steps, 1, "steps");
}

async function clipInTensorFlow(backend: string): Promise<void> {
  same(await tf.setBackend(backend), true, `setBackend("${backend}")`);
  const [w, b] = [tf.variable(tf.tensor([1, 1, 1, 1])), tf.variable(tf.tensor([[0, 0, 0, 0]]))];
  const optimizer = withClipping(tf.train.sgd(1), clipByGlobalNorm(1));
  optimizer.applyGradients({ [w.name]: tf.tensor([3, 4, 0, 0]), [b.name]: tf.tensor([[12, 0, 0, 0]]) });
  sameValues(await w.data(), [10 / 13, 9 / 13, 1, 1], "w");
  sameValues(await b.data(), [-12 / 13, 0, 0, 0], "b");
  sameReport(await optimizer.clip.report());
  optimizer.dispose();
  tf.dispose([w, b]);
}

async function clipInJax(backend: "webgpu" | "wasm"): Promise<void> {
  if (!(await init(backend)).includes(backend)) fail(`jax-js has no ${backend} here`);
  defaultDevice(backend);
  const transformation = clipUpdates(clipByGlobalNorm(1));
  const [{ w, b }] = transformation.update({ w: np.array([3, 4, 0, 0]), b: np.array([12, 0, 0, 0]) }, []);
  sameValues(await w.data(), [3 / 13, 4 / 13, 0, 0], "w");
  sameValues(await b.data(), [12 / 13, 0, 0, 0], "b");
  sameReport(await transformation.report());
  transformation.destroy();
}

/** In a process of its own: a driver is looked for once. */
async function createWithoutDriver(): Promise<void> {
  const script = `
    const { bunGpu, createClipper } = { ...(await import("./test/engines/bun.mjs")), ...(await import(process.argv.at(-1))) };
    const gpu = await bunGpu();
    const adapter = await gpu.requestAdapter();
    const { backend, fallbackReason } = await createClipper();
    const refusal = await createClipper({ backend: "webgpu" }).catch((error) => error.reason);
    const device = await adapter.requestDevice();
    const ofDevice = await createClipper({ device }).catch((error) => error.reason);
    console.log(JSON.stringify([adapter.info.device, backend, fallbackReason, refusal, ofDevice]));
    process.exit(0);`;
  const env = { ...process.env, VK_ICD_FILENAMES: "none", VK_DRIVER_FILES: "none" };
  const child = spawn(process.execPath, ["-e", script, import.meta.url], { env });
  const [output, complaints] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const wanted = JSON.stringify(["null-backend", "cpu", "no-adapter", "no-adapter", "no-adapter"]);
  if (output.trim() !== wanted) fail(`adapter, backend and reasons are ${output}${complaints}, wanted ${wanted}`);
}

async function createWithoutDevice(): Promise<void> {
  const adapter = (await navigator.gpu.requestAdapter()) ?? fail("no adapter");
  const clipper = await createClipper();
  const isHardware = !isSoftware(adapter.info);
  same(clipper.backend, isHardware ? "webgpu" : "cpu", "the backend");
  same(clipper.fallbackReason, isHardware ? undefined : "software-adapter", "the reason");
  const gradient = new Float32Array([3, 4]);
  const clip = clipper.prepare([gradient], clipByGlobalNorm(1));
  clip.run();
  sameValues(gradient, [0.6, 0.8], "the array");
  clipper.destroy();
}

function caseOf(name: string, work: () => Promise<void>): Case {
  return { name: `bun: ${name}`, gpuScript: work };
}

export const casesOfBun: Case[] = [
  ...["webgpu", "cpu"].map((backend) => caseOf(`TensorFlow.js clips on ${backend}`, () => clipInTensorFlow(backend))),
  ...(["webgpu", "wasm"] as const).map((backend) => caseOf(`jax-js clips on ${backend}`, () => clipInJax(backend))),
  caseOf("createClipper() takes the CPU beside a software adapter, and says so", createWithoutDevice),
  caseOf("createClipper() takes the CPU where there is no driver, and says so", createWithoutDriver),
];
