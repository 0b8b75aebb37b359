/** What the benchmark counts on the device, and when a device compiles. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { countsFor } from "../bench/counts.ts";
import { GpuArena } from "../bench/gpu/arena.ts";
import { dispatchesDuring } from "../bench/gpu/dispatchesDuring.ts";
import { mobileNetV2, smallGru } from "../bench/models.ts";
import { truthOf } from "../bench/reference.ts";
import { valuesOf, type Workload } from "../bench/workloads.ts";
import { clipByGlobalNorm, createClipper } from "../src/index.ts";
import { contextOf, type DeviceContext } from "../src/webgpu/device.ts";
import { dawn } from "./engines/dawn.mjs";
import { withFewBuffers } from "./engines/fewBuffers.mjs";
import { countTouches } from "./support/touched.ts";
import { sum, workload } from "./support/workload.ts";

describe("counted on the device", () => {
  let device: GPUDevice;
  let context: DeviceContext;
  let touched: ReturnType<typeof countTouches>;
  beforeAll(async () => {
    const adapter = (await (await dawn()).requestAdapter()) as GPUAdapter;
    device = await adapter.requestDevice();
    touched = countTouches(device);
    await createClipper({ device });
    context = contextOf(device) as DeviceContext;
    // The counters take bindings too.
    Object.assign(context, { slots: 3 });
  });
  afterAll(() => device.destroy());

  const cases: [string, Workload][] = [
    ["a GRU, f32", workload(smallGru())],
    [
      "158 tensors, f16",
      workload(
        mobileNetV2().map((length) => Math.ceil(length / 64) * 8),
        "f16",
      ),
    ],
    ["one of 64 Ki, f32", workload([65_536])],
  ];

  test.each(cases)("%s: bytes are those of the plan", async (_, given) => {
    const { lengths, dtype } = given;
    const arena = new GpuArena(device, given, valuesOf(given));
    const truth = truthOf(arena.values);
    const gradients = arena.gradients.map((buffer, i) => ({ buffer, length: lengths[i] as number, dtype }));
    const clipper = await createClipper({ device });
    const { dispatches, normReads, scaleReads } = countsFor(gradients, context);
    const bytes = sum(lengths) * (dtype === "f32" ? 4 : 2);
    const b = context.slots;
    expect({ normReads, scaleReads }).toEqual({ normReads: bytes, scaleReads: bytes });
    expect(dispatches).toBeLessThanOrEqual(2 * (Math.ceil(lengths.length / b) + 1) + 1);

    const touchedBy = async (maxNorm: number, apply: "scale" | "record") => {
      await arena.reset();
      const clip = clipper.prepare(gradients, clipByGlobalNorm(maxNorm), { apply });
      const found = await touched((pass) => clip.encode(pass));
      const { clipped } = await clip.report();
      clip.destroy();
      return { clipped, ...found };
    };
    // The whole point: under the bound the scale pass reads nothing and writes nothing.
    expect(await touchedBy(2 * truth.norm, "scale")).toEqual({ clipped: false, read: bytes, written: 0 });
    expect(await touchedBy(truth.bound, "scale")).toEqual({ clipped: true, read: 2 * bytes, written: bytes });
    expect(await touchedBy(truth.bound, "record")).toEqual({ clipped: true, read: bytes, written: 0 });
    const clip = clipper.prepare(gradients, clipByGlobalNorm(truth.bound));
    expect(await dispatchesDuring(device, async () => clip.run())).toBe(dispatches);
    clipper.destroy();
    arena.destroy();
  });
});

describe("creation", () => {
  /** A device that tells what it was asked to compile. */
  async function tellingDevice() {
    const device = withFewBuffers(await ((await (await dawn()).requestAdapter()) as GPUAdapter).requestDevice(), 2);
    const made: string[] = [];
    for (const call of ["createComputePipeline", "createComputePipelineAsync"] as const) {
      const original = device[call].bind(device) as (descriptor: GPUComputePipelineDescriptor) => never;
      device[call] = (descriptor: GPUComputePipelineDescriptor) => {
        made.push(`${call} ${descriptor.label?.replace(/^gradclip (.*) by \d+$/, "$1")}`);
        return original(descriptor);
      };
    }
    return { device, made, gradient: device.createBuffer({ size: 4096, usage: 0x80 }) };
  }
  const kernels = ["finish l2 global", "norm l2 f32 vec4", "scale in-place f32 vec4"];
  const inBackground = kernels.map((kernel) => `createComputePipelineAsync ${kernel}`);

  test("compiles in the background, only what a method needs, and once a device", async () => {
    const { device, made, gradient } = await tellingDevice();
    const prepare = async () => {
      const clipper = await createClipper({ device });
      const clip = clipper.prepare([gradient], clipByGlobalNorm(1));
      await clip.ready;
      clip.run();
      return clip.report();
    };
    await prepare();
    expect(made.sort()).toEqual(inBackground);
    made.length = 0;
    await prepare();
    expect(made).toEqual([]);
    device.destroy();
  });

  // A device that compiles a kernel already compiles the same again; one that has compiled it does not.
  test("compiles at once for a step that does not wait, before the background is asked for the same", async () => {
    const { device, made, gradient } = await tellingDevice();
    const clip = (await createClipper({ device })).prepare([gradient], clipByGlobalNorm(1));
    clip.run();
    expect(made.sort()).toEqual(kernels.map((kernel) => `createComputePipeline ${kernel}`));
    await clip.ready;
    expect(made.slice(kernels.length).sort()).toEqual(inBackground);
    device.destroy();
  });
});
