/** Set-up and end of a file of tests on jax-js. Its device must report no error. */
import { afterAll, beforeEach, expect } from "vitest";
import { counterOfDevice, use } from "./jax.ts";

export const jaxBackends = ["webgpu", "wasm", "cpu"] as const;

/** For the tests beside the call. */
export function onJax(backend: (typeof jaxBackends)[number]): void {
  beforeEach(async () => {
    await use(backend);
    if (backend === "webgpu") counterOfDevice();
  });
}

afterAll(async () => {
  await use("webgpu");
  expect(counterOfDevice().errors).toEqual([]);
});
