/** The handle of clipUpdates, and which updates it clips. */
import "./support/navigatorGpu.ts";
import { numpy as np } from "@jax-js/jax";
import { describe, expect, test } from "vitest";
import { clipUpdates } from "../src/adapters/jax.ts";
import { clipByGlobalNorm, clipByGroupNorm, zClip } from "../src/index.ts";
import { expectNear } from "./adapters/expect.ts";
import { type Arrays, valuesOf } from "./adapters/jax.ts";
import { jaxBackends, onJax, withFewBuffersOnJax } from "./adapters/onJax.ts";

withFewBuffersOnJax();

/** A tree whose paths are "body/kernel", "body/bias" and "head". */
function updatesOf(kernel: number[], bias: number[], head: number[]) {
  return { body: { kernel: np.array(kernel), bias: np.array(bias) }, head: np.array(head) };
}

async function clipped(clip: ReturnType<typeof clipUpdates>, updates: ReturnType<typeof updatesOf>) {
  const [{ body, head }] = clip.update(updates, []);
  return Object.values(await valuesOf({ ...body, head } as Arrays)) as [number[], number[], number[]];
}

describe.each(jaxBackends)("on %s", (backend) => {
  onJax(backend);

  test("only those updates are clipped that it is told to, and the others count in no norm", async () => {
    const asked: string[] = [];
    const only = (path: string) => asked.push(path) > 0 && path.startsWith("body/");
    const clip = clipUpdates(clipByGlobalNorm(1), { only });
    for (const scale of [1, 2]) {
      const [kernel, bias, head] = await clipped(clip, updatesOf([3 * scale], [4 * scale], [7]));
      expectNear([...kernel, ...bias], [0.6, 0.8]);
      expect(head).toEqual([7]);
      expect((await clip.report()).norm).toBe(5 * scale);
    }
    expect(asked).toEqual(["body/kernel", "body/bias", "head"]);
    clip.destroy();
  });

  test("groups have bounds of their own", async () => {
    const groupOf = (path: string) => path.split("/")[0];
    const clip = clipUpdates(clipByGroupNorm({ body: 1, head: 2 }), { groupOf });
    const [kernel, bias, head] = await clipped(clip, updatesOf([3], [4], [7]));
    expectNear([...kernel, ...bias], [0.6, 0.8]);
    expectNear(head, [2]);
    expect((await clip.report()).groups).toMatchObject({ body: { norm: 5 }, head: { norm: 7 } });
    expect(clip.lastReport?.groups?.head?.clipped).toBe(true);
    clip.destroy();
  });

  test("the bound and the factor change from step to step", async () => {
    const clip = clipUpdates(clipByGlobalNorm(1), { gradScale: 0.5 });
    clip.set({ maxNorm: 2 });
    expectNear((await clipped(clip, updatesOf([6], [8], [0]))).flat(), [1.2, 1.6, 0]);
    clip.set({ maxNorm: 1, gradScale: 1 });
    expectNear((await clipped(clip, updatesOf([6], [8], [0]))).flat(), [0.6, 0.8, 0]);
    clip.destroy();
  });

  test("a saved memory goes on in another transformation", async () => {
    const method = zClip({ warmup: 2 });
    const [first, second] = [clipUpdates(method), clipUpdates(method)];
    for (const norm of [5, 6, 5.5]) await clipped(first, updatesOf([norm], [0], [0]));
    second.restore(await first.state());
    const spike = () => updatesOf([100], [0], [0]);
    const [[wanted]] = await clipped(first, spike());
    expect(wanted).toBeLessThan(100);
    expect((await clipped(second, spike()))[0][0]).toBe(wanted);
    first.destroy();
    second.destroy();
  });
});
