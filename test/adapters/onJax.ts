/** Set-up and end of a file of tests on jax-js. Its device must report no error. */
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import { planForFewBuffers } from "./fewBuffers.ts";
import { counterOfDevice, use } from "./jax.ts";

export const jaxBackends = ["webgpu", "wasm", "cpu"] as const;

/** For the tests beside the call. */
export function onJax(backend: (typeof jaxBackends)[number]): void {
  beforeEach(async () => {
    await use(backend);
    if (backend === "webgpu") counterOfDevice();
  });
}

/** For a file that counts no dispatches of a clip. */
export function withFewBuffersOnJax(): void {
  beforeAll(async () => {
    await use("webgpu");
    planForFewBuffers(counterOfDevice().device);
  });
}

afterAll(async () => {
  await use("webgpu");
  expect(counterOfDevice().errors).toEqual([]);
});
