/** What a clip asks of a device, call by call, on one that computes nothing. */
import { describe, expect, test } from "vitest";
import {
  adaGC,
  autoClip,
  type ClipMethod,
  clipByGlobalNorm,
  clipByNorm,
  clipByValue,
  createClipper,
} from "../src/index.ts";
import { recordAt } from "../src/record.ts";
import { constantBuffer, holdDevice } from "../src/webgpu/device.ts";
import { type NotedBuffer, notedDevice } from "./support/notedDevice.ts";

const [COPY_SRC, COPY_DST, UNIFORM, STORAGE] = [0x04, 0x08, 0x40, 0x80];

async function opened(limits = {}, label = "engine") {
  const noted = notedDevice(limits);
  const clipper = await createClipper({ device: noted.device, label });
  return { ...noted, clipper };
}
type Opened = Awaited<ReturnType<typeof opened>>;

/** Runs a clip, and gives what its pass has recorded. */
function recorded({ clipper, submitted }: Opened, views: unknown[], ...rest: [ClipMethod?, object?]) {
  const clip = clipper.prepare(views as never, ...rest);
  clip.run();
  const [pass] = submitted.at(-1)?.passes ?? [];
  return { clip, dispatches: pass?.dispatches ?? [], pass };
}

const resourcesOf = (group: { entries: { resource: GPUBufferBinding }[] } | undefined) =>
  group?.entries.map(({ resource }) => resource) ?? [];
const bytesOf = (value: number) => [...new Uint8Array(Float32Array.of(value).buffer)];

describe("a step", () => {
  test("is one pass of one submit: kernels, workgroups and the values of the step", async () => {
    const on = await opened();
    const { clip, dispatches, pass } = recorded(on, [on.buffer(4096)], clipByGlobalNorm(0.7));
    expect([on.submitted.length, on.submitted[0]?.label, pass?.label, pass?.ended]).toEqual([
      1,
      "engine clipByGlobalNorm",
      "engine clipByGlobalNorm",
      true,
    ]);
    expect(dispatches.map(({ kernel, workgroups }) => [kernel, workgroups])).toEqual([
      ["gradclip norm l2 f32 vec4 by 64", 1],
      ["gradclip finish l2 global by 256", 1],
      ["gradclip scale in-place f32 vec4 by 64", 1],
    ]);
    const values = (maxNorm: number, gradScale: number) =>
      [...bytesOf(maxNorm), ...bytesOf(gradScale)].map((byte) => 256 * byte);
    expect(dispatches.map(({ offsets }) => offsets)).toEqual([[], values(0.7, 1), []]);
    clip.set({ gradScale: 0.3, maxNorm: 5 });
    clip.run();
    expect(on.submitted.at(-1)?.passes[0]?.dispatches[1]?.offsets).toEqual(values(5, 0.3));
    const value = recorded(on, [on.buffer(4096)], clipByValue(1), { gradScale: 0.5 }).dispatches;
    expect(value.map(({ offsets }) => offsets)).toEqual([
      bytesOf(0.5).map((byte) => 256 * byte),
      values(Infinity, 0.5),
    ]);
  });

  test("binds what is read in every slot, and the record, the tables and the bytes of values beside it", async () => {
    const on = await opened();
    const gradient = on.buffer(4096);
    const { clip, dispatches } = recorded(on, [{ buffer: gradient, byteOffset: 1024, length: 64 }]);
    const [norm, finish] = dispatches;
    const window = { buffer: gradient, offset: 1024, size: 256 };
    const read = { type: "read-only-storage" };
    expect(norm?.groups[0]?.types).toEqual([read, read, read]);
    expect(resourcesOf(norm?.groups[0])).toEqual([window, window, window]);
    const [tables] = on.labelled(" tables");
    const [partials] = on.labelled(" partials");
    const [numbers] = on.labelled(" byte table");
    const [dummy] = on.labelled(" placeholder");
    expect(resourcesOf(norm?.groups[1])).toEqual([{ buffer: tables, offset: 0, size: 7712 }, { buffer: partials }]);
    expect(norm?.groups.map(({ label }) => label)).toEqual(["gradclip gradients", "gradclip tables"]);
    expect(resourcesOf(finish?.groups[0])).toEqual([
      { buffer: partials },
      { buffer: clip.record },
      { buffer: dummy, size: 4 },
      { buffer: dummy, size: 4 },
      { buffer: tables, offset: 256, size: 60 },
    ]);
    expect(finish?.groups[0]?.types).toEqual([read, { type: "storage" }, read, read, { type: "uniform" }]);
    expect(resourcesOf(finish?.groups[1])).toEqual(Array(8).fill({ buffer: numbers, size: 16 }));
    expect(finish?.groups[1]?.types).toEqual(
      Array(8).fill({ type: "uniform", hasDynamicOffset: true, minBindingSize: 16 }),
    );
    expect(finish?.groups.map(({ label }) => label)).toEqual(["gradclip decision", "gradclip values"]);
    expect(finish?.groups[1]?.entries.map(({ binding }) => binding)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test("binds nothing twice where it writes", async () => {
    const on = await opened();
    const [from, into] = [on.buffer(4096), on.buffer(4096)];
    const window = (buffer: GPUBuffer) => ({ buffer, offset: 0, size: 256 });
    const scale = (views: unknown[]) => recorded(on, views, clipByGlobalNorm(1)).dispatches.at(-1)?.groups[0];
    const dummy = (slot: number) => ({ buffer: on.labelled(" placeholder")[0], offset: 256 * slot, size: 256 });
    const [storage, read] = [{ type: "storage" }, { type: "read-only-storage" }];
    const inPlace = scale([{ buffer: from, length: 64 }]);
    expect([resourcesOf(inPlace), inPlace?.types]).toEqual([
      [window(from), dummy(1), dummy(2)],
      [storage, storage, storage],
    ]);
    const moved = scale([{ buffer: from, length: 64, into: { buffer: into } }]);
    expect([resourcesOf(moved), moved?.types]).toEqual([
      [window(from), window(into)],
      [read, storage],
    ]);
    const wide = await opened({ maxStorageBuffersPerShaderStage: 6 });
    const [one, two] = [wide.buffer(4096), wide.buffer(4096)];
    const shared = recorded(wide, [
      { buffer: one, length: 64, into: { buffer: two } },
      { buffer: two, byteOffset: 1024, length: 64, into: { buffer: one, byteOffset: 1024 } },
    ]).dispatches.at(-1)?.groups[0];
    expect(shared?.types).toEqual([storage, storage, storage, storage]);
    const alone = recorded(wide, [{ buffer: one, length: 64, into: { buffer: one, byteOffset: 1024 } }]).dispatches;
    const apart = recorded(wide, [{ buffer: one, length: 64, into: { buffer: two } }]).dispatches.at(-1)?.groups[0];
    expect(resourcesOf(apart)).toEqual([
      window(one),
      window(one),
      window(two),
      { buffer: wide.labelled(" placeholder")[0], offset: 256, size: 256 },
    ]);
    const other = { buffer: wide.labelled(" placeholder")[0], size: 256 };
    expect(resourcesOf(alone.at(-1)?.groups[0])).toEqual([
      { buffer: one, offset: 0, size: 256 },
      { ...other, offset: 256 },
      { buffer: one, offset: 1024, size: 256 },
      { ...other, offset: 768 },
    ]);
  });

  test("takes numbers from where they lie in buffers", async () => {
    const on = await opened();
    const [gradient, number] = [on.buffer(4096), on.buffer(1024)];
    const options = { gradScale: number, totalNorm: { buffer: number, byteOffset: 520 } };
    const { dispatches } = recorded(on, [gradient], clipByGlobalNorm(1), options);
    expect(resourcesOf(dispatches[1]?.groups[0]).slice(2, 4)).toEqual([
      { buffer: number, offset: 0, size: 4 },
      { buffer: number, offset: 512, size: 12 },
    ]);
    const among = { gradScale: gradient };
    expect(() => on.clipper.prepare([gradient], clipByValue(1), among)).toThrow(
      "options.gradScale is in the buffer of gradients[0], which is written; put it into another buffer.",
    );
    expect(() => on.clipper.prepare([{ buffer: number, into: { buffer: gradient } }], clipByValue(1), among)).toThrow(
      "options.gradScale is in the buffer of gradients[0], which is written",
    );
    // A kernel that writes no gradient may read it from there.
    recorded(on, [gradient], clipByGlobalNorm(1), among);
    recorded(on, [on.buffer(64)], clipByValue(1), among);
  });

  test("makes nothing for buffers that it has seen, and bind groups alone for others of the same structure", async () => {
    const on = await opened();
    const clip = on.clipper.prepare([on.buffer(64)]);
    await clip.ready;
    const other = on.buffer(64);
    const made = (act: () => void) => {
      const before = on.calls.length;
      act();
      return on.calls.slice(before);
    };
    expect(made(() => clip.run())).toEqual(["submit"]);
    expect(made(() => clip.run([other]))).toEqual(["createBindGroup", "createBindGroup", "submit"]);
    const again = made(() => on.clipper.prepare([other]));
    expect(again.filter((call) => /Layout|Pipeline/.test(call))).toEqual([]);
    expect(made(() => clip.run([other]))).toEqual(["submit"]);
    expect(on.calls.filter((call) => call === "createComputePipeline")).toEqual([]);
    // Of its kernels that of norm is there, and finish is that of one norm; what a step needs at once is compiled at once.
    const before = on.calls.length;
    const late = on.clipper.prepare([on.buffer(64)], clipByNorm(1));
    late.run();
    await late.ready;
    expect(on.calls.slice(before).filter((call) => /Pipeline(Async)?$/.test(call))).toEqual([
      ...Array(2).fill("createComputePipeline"),
      ...Array(2).fill("createComputePipelineAsync"),
    ]);
  });
});

describe("the buffers of a clip", () => {
  const facts = ({ label, size, usage }: GPUBufferDescriptor) => [label, size, usage];
  const RECORD = STORAGE | UNIFORM | COPY_SRC;

  test("are a record, entries, norms and a memory, with what may be done with them", async () => {
    const on = await opened();
    const views = Array.from({ length: 3 }, () => on.buffer(64));
    const of = (method: ClipMethod, options = {}) => {
      const before = on.buffers.length;
      on.clipper.prepare(views, method, options);
      return on.buffers
        .slice(before)
        .map(facts)
        .filter(([label]) => !/ tables| partials| byte| place/.test(String(label)));
    };
    const named = (name: string, rest: string, size: number) => [`engine ${name} ${rest}`, size, RECORD];
    const memory = (size: number) => ["gradclip memory", size, STORAGE | COPY_SRC | COPY_DST];
    expect(of(clipByGlobalNorm(1))).toEqual([named("clipByGlobalNorm", "record", 96)]);
    expect(of(clipByNorm(1), { tensorNorms: false })).toEqual([
      named("clipByNorm", "record", 96),
      named("clipByNorm", "scales", 96),
    ]);
    expect(of(clipByGlobalNorm(1), { tensorNorms: true, history: 10 })).toEqual([
      named("clipByGlobalNorm", "record", 96),
      named("clipByGlobalNorm", "tensor norms", 96),
      memory(4 + 320),
    ]);
    const { size } = on.labelled(" memory").at(-1) as NotedBuffer;
    expect(size).toBe(324);
    of(autoClip({ history: 16 }), { history: 2 });
    // Five words, the norms in the order of arrival, and two sorted lists.
    expect(on.labelled(" memory").at(-1)?.size).toBe(4 * (5 + 3 * 16) + 4 + 64);
    expect(on.clipper.prepare([], clipByNorm(1)).scales?.size).toBe(32);
  });

  test("of the device are shared: each byte by its number, a range for each binding, room for partials", async () => {
    const on = await opened();
    const { clip } = recorded(on, [on.buffer(4096)]);
    const [numbers] = on.labelled(" byte table");
    expect(facts(numbers as NotedBuffer)).toEqual(["gradclip byte table", 65_536, UNIFORM]);
    const words = new Uint32Array((numbers as NotedBuffer).bytes);
    expect([...words.filter((_, i) => i % 64 === 0)]).toEqual(Array.from({ length: 256 }, (_, i) => i));
    expect(words.reduce((sum, word) => sum + word)).toBe((255 * 256) / 2);
    expect(on.labelled(" placeholder").map(facts)).toEqual([["gradclip placeholder", 16 * 256, STORAGE]]);
    expect(on.labelled(" partials").map(facts)).toEqual([["gradclip partials", 32 * 2048, STORAGE]]);
    // The table of norm, its settings, and the table of scale, whose binding is longer than it is.
    expect(on.labelled(" tables").map(facts)).toEqual([["gradclip tables", 512 + 7712, UNIFORM | STORAGE]]);
    const tables = new Uint32Array((on.labelled(" tables")[0] as NotedBuffer).bytes);
    expect([tables[0], tables[1], tables[64], tables[128]]).toEqual([1, 1, 1, 1]);
    expect(on.buffers.every(({ mapState }) => mapState === "unmapped")).toBe(true);
    recorded(on, [on.buffer(64)], clipByNorm(1));
    expect([on.labelled(" byte table").length, on.labelled(" placeholder").length]).toEqual([1, 1]);
    clip.destroy();
    const gone = () => on.buffers.filter(({ destroyed }) => destroyed).map(({ label }) => label);
    expect(gone().sort()).toEqual(["engine clipByGlobalNorm record", "gradclip partials", "gradclip tables"]);
  });

  test("of the device go with the last clipper, and come again", async () => {
    const on = await opened();
    const second = await createClipper({ device: on.device });
    recorded(on, [on.buffer(64)]);
    on.clipper.destroy();
    const states = () =>
      [" byte table", " placeholder"].map((end) => on.labelled(end).map(({ destroyed }) => destroyed));
    expect(states()).toEqual([[false], [false]]);
    second.destroy();
    expect(states()).toEqual([[true], [true]]);
    const third = await createClipper({ device: on.device });
    third.prepare([on.buffer(64)]).run();
    expect(states()).toEqual([
      [true, false],
      [true, false],
    ]);
    expect(on.calls.filter((call) => call === "createComputePipelineAsync")).toHaveLength(3);
  });

  test("that grow replace others, which stay until the clip is destroyed", async () => {
    const on = await opened();
    const view = { buffer: on.buffer(2 ** 20), length: 64, shape: [2, 32] };
    const clip = on.clipper.prepare([view], clipByNorm(1, { axes: [0] }));
    const partials = () => on.labelled(" partials").map(({ size, destroyed }) => [size / 32, destroyed]);
    expect(partials()).toEqual([[2048, false]]);
    clip.run([view]);
    clip.run([{ ...view, byteOffset: 512 }]);
    expect(partials()).toHaveLength(1);
    expect(on.labelled(" tables")).toHaveLength(2);
    clip.destroy();
    expect(partials()).toEqual([[2048, true]]);
    expect(on.labelled(" tables").map(({ destroyed }) => destroyed)).toEqual([true, true]);
  });

  test("are refused where they are larger than the device allows, and then nothing is left", async () => {
    const on = await opened({ maxStorageBufferBindingSize: 65_536, maxBufferSize: 2 ** 28 });
    const units = (count: number) =>
      on.clipper.prepare([{ buffer: on.buffer(8 * count), shape: [2, count] }], clipByNorm(1, { axes: [0] }));
    expect(() => units(2049)).toThrow(
      "The clip needs a binding of 65568 bytes, but the device has 65536; reduce more axes",
    );
    // 2048 entries fit, and their partials with those of finish groups do not.
    expect(() => units(2048)).toThrow(/^The clip needs a binding of \d+ bytes, but the device has 65536/);
    expect(on.buffers.filter(({ label, destroyed }) => label?.startsWith("engine") && !destroyed)).toEqual([]);
    on.noted.createBuffer = () => {
      throw new RangeError("no memory");
    };
    expect(() => on.clipper.prepare([on.buffer(64)])).toThrow(
      "The engine clipByGlobalNorm record needs 96 bytes, which the device has not left; free some, or pass fewer gradients.",
    );
  });

  test("of the device are freed where the page has no memory to fill them", () => {
    const on = notedDevice();
    const context = holdDevice(on.device);
    const noMemory = new RangeError("Array buffer allocation failed");
    const fill = () => {
      throw noMemory;
    };
    expect(() => constantBuffer(context, "table", UNIFORM, 64, fill)).toThrow(noMemory);
    expect(on.buffers.map(({ size, destroyed }) => [size, destroyed])).toEqual([[64, true]]);
  });

  test("hold no gradients", async () => {
    const on = await opened();
    const clip = on.clipper.prepare([on.buffer(96)], clipByNorm(1));
    for (const own of [clip.record, clip.scales]) {
      const message = "gradients[0] is the clip's own record or scales; pass buffers that hold gradients.";
      expect(() => clip.run([{ buffer: own, length: 24 }] as never)).toThrow(
        own === clip.record ? message : RangeError,
      );
      expect(() => clip.run([{ buffer: on.buffer(96), into: { buffer: own } }] as never)).toThrow();
    }
  });
});

describe("a report", () => {
  test("copies the record, the entries and the norms into one buffer, which it frees", async () => {
    const on = await opened();
    const { clip } = recorded(on, [on.buffer(64), on.buffer(64)], clipByNorm(1), { history: 3 });
    const record = clip.record as GPUBuffer & NotedBuffer;
    const view = new DataView(record.bytes);
    view.setUint32(recordAt.steps, 1, true);
    view.setFloat32(recordAt.fraction, 0.625, true);
    view.setInt32(recordAt.power, 3, true);
    const entries = new DataView((clip.scales as GPUBuffer & NotedBuffer).bytes);
    for (const at of [0, 32]) {
      entries.setFloat32(at + recordAt.fraction, 0.5 + at / 128, true);
      entries.setInt32(at + recordAt.power, 2, true);
    }
    const report = await clip.report();
    expect([report.norm, [...(report.tensorNorms ?? [])]]).toEqual([5, [2, 3]]);
    const { copies, label } = on.submitted.at(-1) ?? {};
    const [staging] = on.labelled(" read-back");
    expect(label).toBe("gradclip read-back");
    expect(copies).toEqual([
      [clip.record, 0, staging, 0, 96],
      [clip.scales, 0, staging, 96, 64],
    ]);
    expect([staging?.size, staging?.usage, staging?.mode, staging?.destroyed]).toEqual([160, 0x01 | COPY_DST, 1, true]);
    await clip.history();
    const [memory] = on.labelled(" memory");
    expect(on.submitted.at(-1)?.copies).toEqual([[memory, 4, on.labelled(" read-back").at(-1), 0, 96]]);
  });

  test("that is aborted frees its buffer at once", async () => {
    const on = await opened();
    const { clip } = recorded(on, [on.buffer(64)]);
    const { createBuffer } = on.noted;
    on.noted.createBuffer = (descriptor) =>
      Object.assign(createBuffer(descriptor), { mapAsync: () => new Promise(() => {}) });
    const control = new AbortController();
    const report = clip.report({ signal: control.signal });
    const [staging] = on.labelled(" read-back");
    expect(staging?.destroyed).toBe(false);
    control.abort();
    expect(staging?.destroyed).toBe(true);
    await expect(report).rejects.toThrow("aborted");
  });

  test("of a memory has its first words, and what is restored goes there", async () => {
    const on = await opened();
    const { clip } = recorded(on, [on.buffer(64)], adaGC(), { history: 3 });
    const state = await clip.state();
    const [memory] = on.labelled(" memory");
    const size = (memory as NotedBuffer).size - 96 - 4;
    expect(on.submitted.at(-1)?.copies).toEqual([[memory, 0, on.labelled(" read-back").at(-1), 0, size]]);
    const before = new Uint8Array((memory as NotedBuffer).bytes.slice(0, size));
    new Uint8Array((memory as NotedBuffer).bytes).fill(7);
    clip.restore(state);
    const after = new Uint8Array((memory as NotedBuffer).bytes);
    expect([...after.subarray(0, size)]).toEqual([...before]);
    expect([...after.subarray(size)].every((byte) => byte === 7)).toBe(true);
  });
});

test("encode takes an encoder or an open pass, and nothing else", async () => {
  const on = await opened();
  const clip = on.clipper.prepare([on.buffer(64)]);
  const encoder = on.noted.createCommandEncoder();
  clip.encode(encoder as never);
  const pass = encoder.beginComputePass({ label: "mine" });
  clip.encode(pass as never);
  expect(encoder.finish().passes.map(({ label, ended, dispatches }) => [label, ended, dispatches.length])).toEqual([
    ["engine clipByGlobalNorm", true, 3],
    ["mine", false, 3],
  ]);
  expect(on.submitted).toEqual([]);
  for (const target of [null, {}, on.device]) {
    expect(() => clip.encode(target as never)).toThrow("pass a GPUCommandEncoder or a GPUComputePassEncoder");
  }
});
