/** Set-up of a file of tests on jax-js. The files share its device: see hooks.ts. */
import { afterAll, beforeAll, beforeEach } from "vitest";
import { planForAllBuffers, planForFewBuffers } from "./fewBuffers.ts";
import { counterOfDevice, use } from "./jax.ts";

export const jaxBackends = ["webgpu", "wasm", "cpu"] as const;

/** For the tests beside the call. */
export function onJax(backend: (typeof jaxBackends)[number]): void {
  beforeEach(async () => {
    await use(backend);
    if (backend === "webgpu") counterOfDevice();
  });
}

/** For a file. */
export function withFewBuffersOnJax(): void {
  beforeAll(async () => {
    await use("webgpu");
    planForFewBuffers(counterOfDevice().device);
  });
}

/** For the tests beside the call in such a file: they count dispatches of a clip. */
export function withAllBuffersOnJax(): void {
  beforeAll(async () => {
    await use("webgpu");
    planForAllBuffers(counterOfDevice().device);
  });
  afterAll(() => planForFewBuffers(counterOfDevice().device));
}
