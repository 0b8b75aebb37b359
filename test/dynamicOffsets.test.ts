/** The values of a step travel as dynamic offsets, which not every host takes as a part of a longer array. */
import { expect, test } from "vitest";
import { clipByGlobalNorm, clipByValue } from "../src/index.ts";
import { bench } from "./support/bench.ts";

test.each([
  ["all values", clipByGlobalNorm(2.5), [3, 4], [1.5, 2]],
  ["gradScale alone", clipByValue(2), [6, 1], [2, 0.5]],
] as const)(
  "a step that takes %s passes exactly those, in an array of its own",
  async (_, method, gradient, clipped) => {
    const buffer = bench.buffer(gradient);
    const clip = bench.clipper.prepare([buffer], method, method.limits ? { gradScale: 0.5 } : {});
    await clip.ready;
    const passed: Uint32Array[] = [];
    const record = () => {
      const encoder = bench.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      const setBindGroup = pass.setBindGroup.bind(pass);
      // As bun-webgpu 0.1.7 does: it takes the whole array and ignores start and count.
      const whole = (index: number, group: GPUBindGroup, offsets?: Uint32Array<ArrayBuffer>) => {
        if (offsets) passed.push(offsets);
        if (offsets) setBindGroup(index, group, offsets, 0, offsets.length);
        else setBindGroup(index, group);
      };
      Object.defineProperty(pass, "setBindGroup", { value: whole });
      clip.encode(pass);
      pass.end();
      return encoder.finish();
    };
    bench.device.queue.submit([record()]);
    expect(await bench.values(buffer)).toEqual(clipped);
    const first = passed.splice(0);
    record();
    expect(passed.length).toBeGreaterThan(0);
    // No array is made for a step.
    expect(passed.map((offsets, i) => offsets === first[i])).toEqual(first.map(() => true));
  },
);
