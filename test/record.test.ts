/** The record's bytes: one layout in WGSL and in TypeScript, kernels that bind it, counters that wrap, and the two factors. */
import { describe, expect, test } from "vitest";
import finishShader from "../shaders/finish.wgsl?raw";
import recordShader from "../shaders/shared/record.wgsl?raw";
import { finish, writeEntry } from "../src/cpu/finish.ts";
import { nothing } from "../src/cpu/norm.ts";
import { type Clip, type ClipMethod, clipByGlobalNorm, clipByNorm } from "../src/index.ts";
import { type Counters, ENTRY_BYTES, NAN_SEEN, RECORD_BYTES, readReport, recordAt } from "../src/record.ts";
import { clippedGradient } from "../src/shaders.ts";
import { bench } from "./support/bench.ts";
import { COPY_SRC, STORAGE } from "./support/workbench.ts";

const WRAPPED = 2 ** 32;
const HEAD_BYTES = 64;
const COMPUTE = 4;
const CLIP_RECORD = "ClipRecord";

/** Size and alignment of the types that occur, in bytes. */
const types: Record<string, readonly [size: number, align: number]> = {
  u32: [4, 4],
  i32: [4, 4],
  vec2u: [8, 8],
  vec4u: [16, 16],
  [CLIP_RECORD]: [HEAD_BYTES, 8],
};

/** Names, offsets and bytes of a struct by WGSL's rules. */
function layoutOf(text: string, name: string): { at: Record<string, number>; size: number } {
  const body = new RegExp(`struct ${name} \\{([^}]*)\\}`).exec(text)?.[1] ?? "";
  const members = [...body.replace(/\/\/.*/g, "").matchAll(/(\w+): (\w+),/g)];
  expect(members.length, `members of ${name}`).toBeGreaterThan(0);
  const at: Record<string, number> = {};
  let end = 0;
  let largest = 1;
  for (const [, member, type] of members as unknown as [string, string, string][]) {
    const [size, align] = types[type] ?? [Number.NaN, Number.NaN];
    at[member] = Math.ceil(end / align) * align;
    end = at[member] + size;
    largest = Math.max(largest, align);
  }
  return { at, size: Math.ceil(end / largest) * largest };
}

describe("the layout", () => {
  const head = layoutOf(recordShader, CLIP_RECORD);
  const whole = layoutOf(finishShader, "WholeRecord");

  test("is the same in WGSL and in TypeScript, in the same order", () => {
    const { record, reserved, ...tail } = whole.at;
    const { secondScale, ...names } = recordAt;
    expect(record).toBe(0);
    expect(secondScale).toBe(4);
    expect(Object.entries({ ...head.at, ...tail })).toEqual(Object.entries(names));
    expect(reserved).toBe(80);
  });

  test("is of 96 bytes, the first 64 of them a struct of their own", () => {
    expect([head.size, whole.size, RECORD_BYTES]).toEqual([HEAD_BYTES, 96, 96]);
  });
});

/** Runs one invocation of a kernel with these bindings, the record at binding 0. */
function dispatch(code: string, record: GPUBufferBinding, type: GPUBufferBindingType, others: GPUBuffer[] = []): void {
  const { device } = bench;
  const buffer = { type, minBindingSize: record.size };
  const layout = device.createBindGroupLayout({
    entries: [
      { binding: 0, visibility: COMPUTE, buffer },
      ...others.map((_, i) => ({ binding: i + 1, visibility: COMPUTE, buffer: { type: "storage" as const } })),
    ],
  });
  const pipeline = device.createComputePipeline({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ code }) },
  });
  const resources = [record, ...others.map((other) => ({ buffer: other }))];
  const entries = resources.map((resource, binding) => ({ binding, resource }));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout, entries }));
  pass.dispatchWorkgroups(1);
  pass.end();
  device.queue.submit([encoder.finish()]);
}

function recordOf(clip: Clip): GPUBuffer {
  if (!clip.record) throw new Error("A clip on the GPU has a record.");
  return clip.record;
}

describe("a kernel of somebody else's", () => {
  const own = `struct Head { factors: vec2f, flags: u32, norm: f32, rest: array<vec4u, 3> }
@group(0) @binding(0) var<ADDRESS> record: Head;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
@compute @workgroup_size(1) fn main() {
  results[0] = 8.0 * record.factors.x * record.factors.y;
  results[1] = record.norm;
}`;
  const ours = `${clippedGradient}
@group(0) @binding(0) var<ADDRESS> record: ClipRecord;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
@compute @workgroup_size(1) fn main() {
  results[0] = clipped_gradient(bitcast<u32>(8.0), record);
  results[1] = bitcast<f32>(record.norm);
}`;
  const rows = [
    ["its own struct", own],
    ["ClipRecord", ours],
  ].flatMap(([name = "", code = ""]) =>
    (["uniform", "read-only-storage"] as const).map((type) => [name, type, code] as const),
  );

  test.each(rows)("binds the first 64 bytes: %s, %s", async (_, type, code) => {
    const clip = bench.clipper.prepare([bench.buffer([3, 4])], clipByGlobalNorm(1.25), { apply: "record" });
    clip.run();
    const results = bench.device.createBuffer({ size: 8, usage: STORAGE | COPY_SRC });
    const address = type === "uniform" ? "uniform" : "storage, read";
    dispatch(code.replace("ADDRESS", address), { buffer: recordOf(clip), size: HEAD_BYTES }, type, [results]);
    expect(await bench.values(results)).toEqual([2, 5]);
    results.destroy();
    clip.destroy();
  });
});

describe("counters wrap at 2^32", () => {
  const running = ["steps", "clippedSteps", "skippedSteps", "nonFiniteSteps", "badStepsInARow"] as const;

  function expectWrapped(reports: readonly Awaited<ReturnType<Clip["report"]>>[]): void {
    const [before, wrapping, after] = reports;
    // The first step, and what the kernel or the test added.
    expect(before).toMatchObject({ steps: WRAPPED - 1, clippedSteps: WRAPPED - 1, nonFiniteSteps: WRAPPED - 1 });
    expect(wrapping).toMatchObject({
      steps: 2,
      clippedSteps: 0,
      skippedSteps: 2,
      nonFiniteSteps: 2,
      badStepsInARow: 1,
    });
    // Number 2^32 is 0 in 32 bits, which means none: it counts as the number before.
    expect(wrapping?.lastNonFinite).toMatchObject({ step: WRAPPED + 1, index: 0, element: 1 });
    expect(wrapping?.totals).toMatchObject({ steps: WRAPPED + 1, nonFiniteSteps: WRAPPED + 1 });
    expect(after).toMatchObject({ steps: 1, clippedSteps: 1, skippedSteps: 0, nonFiniteSteps: 0, badStepsInARow: 0 });
    expect(after?.lastNonFinite).toMatchObject({ step: WRAPPED + 1 });
    expect(after?.totals).toMatchObject({ steps: WRAPPED + 2, clippedSteps: WRAPPED, skippedSteps: WRAPPED + 1 });
  }

  test("on the GPU", async () => {
    const clip = bench.clipper.prepare([bench.buffer([3, 4])], clipByGlobalNorm(1), { apply: "record" });
    const bad = bench.buffer([3, Number.NaN]);
    const lines = running.map((key) => `words[${recordAt[key] / 4}] = 0xffffffffu;`).join(" ");
    const code = `@group(0) @binding(0) var<storage, read_write> words: array<u32>;
@compute @workgroup_size(1) fn main() { ${lines} }`;
    clip.run();
    dispatch(code, { buffer: recordOf(clip), size: RECORD_BYTES }, "storage");
    const reports = [await clip.report()];
    clip.run([bad]);
    clip.run([bad]);
    reports.push(await clip.report());
    clip.run();
    reports.push(await clip.report());
    expectWrapped(reports);
    clip.destroy();
  });

  const clean = { norm: 5, scale: 0.2, flags: 1, bound: 1 };
  const skipped = { norm: Number.NaN, scale: 0, flags: NAN_SEEN | 2, bound: 1 };
  const fault = { ...nothing(), nonFinite: 1, firstPiece: 0, firstElement: 1, flags: NAN_SEEN };
  const locate = (index: number, element: number) => ({ index, element });

  test("on the CPU", () => {
    const record = new DataView(new ArrayBuffer(RECORD_BYTES));
    let since: Counters = { steps: 0, clippedSteps: 0, skippedSteps: 0, nonFiniteSteps: 0, spikeSteps: 0 };
    const report = () => {
      const found = readReport(record, since, locate);
      since = found.totals;
      return found;
    };
    for (const key of running) record.setUint32(recordAt[key], WRAPPED - 1, true);
    const reports = [report()];
    finish(record, fault, skipped, [], 1);
    finish(record, fault, skipped, [], 1);
    reports.push(report());
    finish(record, { ...nothing(), sum: 25, largest: 4 }, clean, [], 1);
    reports.push(report());
    expectWrapped(reports);
  });

  test("and a non-finite step with the number 2^32 leaves a trace, on the CPU", () => {
    const record = new DataView(new ArrayBuffer(RECORD_BYTES));
    record.setUint32(recordAt.steps, WRAPPED - 1, true);
    finish(record, fault, skipped, [], 1);
    expect(record.getUint32(recordAt.steps, true)).toBe(0);
    expect(record.getUint32(recordAt.lastStep, true)).toBe(WRAPPED - 1);
  });

  test("and a non-finite step with the number 2^32 leaves a trace, on the GPU", async () => {
    const clip = bench.clipper.prepare([bench.buffer([3, Number.NaN])], clipByGlobalNorm(1), { apply: "record" });
    const code = `@group(0) @binding(0) var<storage, read_write> words: array<u32>;
@compute @workgroup_size(1) fn main() { words[${recordAt.steps / 4}] = 0xffffffffu; }`;
    dispatch(code, { buffer: recordOf(clip), size: RECORD_BYTES }, "storage");
    clip.run();
    const view = new DataView((await bench.bytes(recordOf(clip))).buffer);
    expect(view.getUint32(recordAt.steps, true)).toBe(0);
    expect(view.getUint32(recordAt.lastStep, true)).toBe(WRAPPED - 1);
    clip.destroy();
  });
});

describe("where the scale takes two factors, the first alone clips", () => {
  const values = [3e38, 3e38, 3e38, 3e38];
  const scale = 1 / 6e38;

  function expectFactors(view: DataView, wanted: number): void {
    const [first, second] = [view.getFloat32(recordAt.scale, true), view.getFloat32(recordAt.secondScale, true)];
    expect(first).toBeGreaterThanOrEqual(2 ** -126);
    expect(second).toBeGreaterThanOrEqual(2 ** -126);
    expect(second).toBeLessThan(1);
    expect(first).toBeLessThanOrEqual(second);
    expect((first * second) / wanted).toBeCloseTo(1, 6);
  }

  const rows: [string, ClipMethod, (clip: Clip) => GPUBuffer | undefined][] = [
    ["record", clipByGlobalNorm(1), (clip) => clip.record],
    ["entry", clipByNorm(1), (clip) => clip.scales],
  ];

  test.each(rows)("in a %s, on the GPU", async (_, method, bytesOf) => {
    const buffer = bench.buffer(values);
    const clip = bench.clipper.prepare([buffer], method);
    clip.run();
    const held = bytesOf(clip);
    if (!held) throw new Error("There is nothing to read.");
    expectFactors(new DataView((await bench.bytes(held)).buffer), scale);
    for (const value of await bench.values(buffer)) expect(value).toBeCloseTo(0.5, 6);
    clip.destroy();
  });

  test.each([scale, 2 ** -252, 1.999 * 2 ** -251, 2 ** -127])("in an entry, on the CPU: %d", (small) => {
    const view = new DataView(new ArrayBuffer(ENTRY_BYTES));
    writeEntry(view, 0, { norm: 6e38, scale: small, flags: 1, bound: 1 });
    expectFactors(view, small);
  });

  test("and the second is 1 down to 2^-126", () => {
    const view = new DataView(new ArrayBuffer(ENTRY_BYTES));
    for (const factor of [0, 2 ** -126, 0.5, 1, 3e38]) {
      writeEntry(view, 0, { norm: 1, scale: factor, flags: 1, bound: 1 });
      expect([view.getFloat32(0, true), view.getFloat32(4, true)]).toEqual([Math.fround(factor), 1]);
    }
  });

  test("in a kernel that multiplies by both, one after the other", async () => {
    const buffer = bench.buffer(values);
    const clip = bench.clipper.prepare([buffer], clipByGlobalNorm(1), { apply: "record" });
    clip.run();
    const results = bench.device.createBuffer({ size: 16, usage: STORAGE | COPY_SRC });
    const code = `struct Head { factors: vec2f, rest: array<vec2u, 7> }
@group(0) @binding(0) var<storage, read> record: Head;
@group(0) @binding(1) var<storage, read_write> gradients: array<f32>;
@group(0) @binding(2) var<storage, read_write> results: array<f32>;
@compute @workgroup_size(1) fn main() {
  for (var i = 0u; i < 4u; i += 1u) {
    let first = gradients[i] * record.factors.x;
    results[i] = first;
    gradients[i] = first * record.factors.y;
  }
}`;
    dispatch(code, { buffer: recordOf(clip), size: HEAD_BYTES }, "read-only-storage", [buffer, results]);
    for (const value of await bench.values(results)) expect(value).toBeLessThan(4);
    for (const value of await bench.values(buffer)) expect(value).toBeCloseTo(0.5, 6);
    results.destroy();
    clip.destroy();
  });
});
