/** The calls of a clip and of a clipper, without a device or on one that computes nothing. */
import { describe, expect, test } from "vitest";
import {
  autoClip,
  type ClipMethod,
  clipByGlobalNorm,
  clipByGroupNorm,
  clipByNorm,
  createClipper,
  type Gradients,
  readRecord,
} from "../src/index.ts";
import { recordAt } from "../src/record.ts";
import { gridTable } from "../src/webgpu/grid.ts";
import { resolved } from "../src/webgpu/template.ts";
import { notedDevice } from "./support/notedDevice.ts";

const clipper = await createClipper({ backend: "cpu" });
const f32 = (...values: number[]) => Float32Array.from(values);

function ran(gradients: Gradients, method?: ClipMethod) {
  const clip = clipper.prepare(gradients, method);
  clip.run();
  return clip;
}

describe("a record", () => {
  const bytes = new ArrayBuffer(104);
  const view = new DataView(bytes, 8);
  view.setFloat32(recordAt.fraction, 0.625, true);
  view.setInt32(recordAt.power, 3, true);
  view.setUint32(recordAt.steps, 7, true);
  view.setUint32(recordAt.nonFinite, 1, true);
  view.setUint32(recordAt.firstPiece, 0, true);
  view.setUint32(recordAt.firstElement, 2, true);
  const whole = bytes.slice(8);

  test("is read from a buffer, or from a view of one, from where it begins", () => {
    for (const given of [whole, new Uint8Array(bytes, 8), new Float32Array(bytes, 8)]) {
      expect(readRecord(given)).toMatchObject({ norm: 5, steps: 7, totals: { steps: 7 }, firstNonFinite: undefined });
    }
    const clip = clipper.prepare({ w: f32(1, 2, 3) });
    expect(readRecord(whole, clip).firstNonFinite).toEqual({ index: 0, name: "w", element: 2 });
  });

  test("is refused where it is none, or shorter, and a clip where it is none", () => {
    expect(() => readRecord([1] as never)).toThrow(
      "readRecord's bytes is an Array; pass an ArrayBuffer, or a view of its bytes.",
    );
    expect(() => readRecord(whole.slice(1))).toThrow(
      "readRecord's bytes has 95 bytes, but a record has 96; pass all of it",
    );
    expect(() => readRecord(whole, {} as never)).toThrow("pass what prepare returned, or leave it out.");
  });
});

describe("a report", () => {
  test("comes after a first step, and takes no signal that is none", async () => {
    const clip = clipper.prepare([f32(3, 4)]);
    await expect(clip.report()).rejects.toThrow("There is no report before the first step; call run");
    clip.run();
    for (const signal of [5, {}, null]) {
      await expect(clip.report({ signal: signal as never })).rejects.toThrow("report's signal is");
    }
    expect((await clip.report({ signal: new AbortController().signal })).norm).toBe(5);
    await expect(clip.report({ signal: AbortSignal.abort(new Error("mine")) })).rejects.toThrow("mine");
  });

  test("has what belongs to groups, and the norm of a gradient over its units", async () => {
    const views = [
      { buffer: f32(3), group: "a" },
      { buffer: f32(0.5), group: "b" },
    ];
    const { groups } = await ran(views, clipByGroupNorm({ a: 1, b: 1 })).report();
    expect(groups).toEqual({
      a: { norm: 3, scale: Math.fround(1 / 3), clipped: true },
      b: { norm: 0.5, scale: 1, clipped: false },
    });
    const shaped = [f32(1, 1), f32(3, 0, 0, 4)].map((buffer) => ({ buffer, shape: [buffer.length / 2, 2] }));
    const { tensorNorms } = await ran(shaped, clipByNorm(1, { axes: [1] })).report();
    expect([...(tensorNorms ?? [])]).toEqual([expect.closeTo(Math.SQRT2, 6), 5]);
  });

  test("names the element of a gradient, in a later part of it too", async () => {
    const members = clipByGlobalNorm(1, { members: 2 });
    const { firstNonFinite } = await ran({ w: f32(1, 2), b: f32(1, 2, 3, Number.NaN) }, members).report();
    expect(firstNonFinite).toEqual({ index: 1, name: "b", element: 3 });
  });
});

describe("a clip", () => {
  test("clips by the global norm, to 1, where nothing else is said", () => {
    const gradient = f32(30, 40);
    ran([gradient]);
    expect([...gradient]).toEqual([0.6, 0.8].map((value) => expect.closeTo(value, 6)));
  });

  test("reads its arrays again in every step", () => {
    const gradient = f32(30, 40);
    const clip = ran([gradient]);
    structuredClone(gradient, { transfer: [gradient.buffer] });
    expect(() => clip.run()).toThrow();
  });

  test("restores a state from a view that begins anywhere", async () => {
    const clip = ran([f32(3, 4)], autoClip({ history: 2 }));
    const state = await clip.state();
    const padded = new Uint8Array(state.byteLength + 4);
    padded.set(new Uint8Array(state), 4);
    const other = clipper.prepare([f32(3, 4)], autoClip({ history: 2 }));
    other.restore(padded.subarray(4));
    expect(await other.state()).toEqual(state);
    expect(() => other.restore(5 as never)).toThrow("restore's state is 5; pass what state() gave.");
  });

  test("of buffers takes no arrays, and no gradScale where that is in a buffer", async () => {
    const on = notedDevice();
    const gpu = await createClipper({ device: on.device });
    const clip = gpu.prepare([on.buffer(8)], clipByGlobalNorm(1), { gradScale: on.buffer(4) });
    expect(() => clip.run([f32(1, 2)])).toThrow(
      "The clip was prepared for gradients on webgpu, and these are on cpu; prepare another.",
    );
    expect(() => clip.set({ gradScale: 2 })).toThrow(
      "gradScale is read from the buffer in options.gradScale; write it there.",
    );
    expect(() => clip.set({ maxNorm: 2 })).not.toThrow();
  });
});

describe("a clipper", () => {
  test("clips no buffers without a device, and takes no label but a string", async () => {
    const buffer = notedDevice().buffer(8);
    expect(() => clipper.prepare([buffer])).toThrow(
      "gradients[0] is a GPUBuffer, but there is no device; pass the buffer's device as { device }.",
    );
    await expect(createClipper({ label: 5 as never })).rejects.toThrow("options.label is 5; pass a string.");
    const device = notedDevice().device;
    await expect(createClipper({ device, backend: "cpu" })).rejects.toThrow(
      'options.backend is "cpu", but options.device is',
    );
    const { noted } = notedDevice();
    noted.adapterInfo = { vendor: "Null backend" };
    await expect(createClipper({ device: noted as never })).rejects.toThrow("The device is a null backend;");
  });

  test("leaves its device once", async () => {
    const on = notedDevice();
    const [first, second] = [await createClipper({ device: on.device }), await createClipper({ device: on.device })];
    second.prepare([on.buffer(8)]);
    first.destroy();
    first.destroy();
    expect(on.labelled(" placeholder").map(({ destroyed }) => destroyed)).toEqual([false]);
  });
});

test("the grid of a class of devices is what its reasons say", () => {
  const { software, llvmpipe, integrated, discrete } = gridTable;
  // As many lanes as are computed at a time.
  expect([software, llvmpipe].map(({ lanes, finishLanes }) => [lanes, finishLanes])).toEqual([
    [4, 4],
    [8, 8],
  ]);
  for (const { lanes, finishLanes } of [integrated, discrete]) expect([lanes, finishLanes]).toEqual([64, 256]);
  expect(discrete.lanes * discrete.normWorkgroups).toBe(131_072);
  expect(discrete.scaleWorkgroups).toBe(2 * discrete.normWorkgroups);
  // Of a million values; a lane reads four words of four at once.
  const workgroups = ({ lanes, minTiles }: typeof discrete) => 2 ** 20 / (lanes * 4 * 4) / minTiles;
  expect([workgroups(discrete), workgroups(integrated)]).toEqual([512, 256]);
});

test("a workgroup that decides has no more lanes than the device allows", async () => {
  const on = notedDevice({ maxComputeInvocationsPerWorkgroup: 128 });
  (await createClipper({ device: on.device })).prepare([on.buffer(8)]).run();
  expect(on.submitted[0]?.passes[0]?.dispatches[1]?.kernel).toBe("gradclip finish l2 global by 128");
});

test("a text that is imported twice stands once, and no slot where there are none", () => {
  const kernel = "//#import a\n//#import a\n//#for slot\nSLOT\n//#end\nend";
  expect(resolved(kernel, { texts: { a: "A" } })).toBe("A\nend\n");
});
