/** Set-up of a file of tests on TensorFlow.js. The files share its device: see hooks.ts. */
import "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import { withClipping } from "../../src/adapters/tfjs.ts";
import type { ClipMethod } from "../../src/index.ts";
import { planForAllBuffers, planForFewBuffers } from "./fewBuffers.ts";
import { counterOfBackend, Idle } from "./tfjs.ts";

export const tfjsBackends = ["webgpu", "cpu", "wasm"] as const;

/** For the tests beside the call. */
export function onTfjs(backend: string): void {
  beforeEach(async () => {
    expect(await tf.setBackend(backend)).toBe(true);
    if (backend === "webgpu") counterOfBackend();
  });
}

/** For a file. */
export function withFewBuffersOnTfjs(): void {
  beforeAll(async () => {
    await tf.setBackend("webgpu");
    planForFewBuffers(counterOfBackend().device);
  });
}

/** For the tests beside the call in such a file: they count dispatches of a clip. */
export function withAllBuffersOnTfjs(): void {
  beforeAll(async () => {
    await tf.setBackend("webgpu");
    planForAllBuffers(counterOfBackend().device);
  });
  afterAll(async () => {
    await tf.setBackend("webgpu");
    planForFewBuffers(counterOfBackend().device);
  });
}

/** An optimizer that clips and keeps the gradients. */
export function idle(method?: ClipMethod) {
  return withClipping(new Idle(), method);
}
