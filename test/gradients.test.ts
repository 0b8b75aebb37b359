/** Where gradients live, which buffers are accepted, and input that is unusual but right. */
import { describe, expect, test } from "vitest";
import { type ClipOptions, clipByGlobalNorm, clipGradients, type Gradients, measureNorm } from "../src/index.ts";
import { RECORD_BYTES } from "../src/record.ts";
import { bench, cpu } from "./support/bench.ts";
import { refused, refusedOnArrays } from "./support/refused.ts";
import { COPY_DST, COPY_SRC, MAP_READ, STORAGE } from "./support/workbench.ts";

describe("a clip runs where its gradients live", () => {
  const array = new Float32Array([1, 2]);
  const both = "are a GPUBuffer and an array; pass all on the GPU or all as arrays.";
  const mixtures: [string, () => Gradients, string][] = [
    ["a buffer, then an array", () => [bench.buffer([1]), array], `gradients[0] and gradients[1] ${both}`],
    [
      "an array, then a buffer with a name",
      () => ({ a: array, b: bench.buffer([1]) }),
      `gradients[1] "b" and gradients[0] "a" ${both}`,
    ],
    [
      "a buffer into an array",
      () => [{ buffer: bench.buffer([1]), into: { buffer: array } }],
      `gradients[0] and its into ${both}`,
    ],
    [
      "an array into a buffer",
      () => [{ buffer: array, into: { buffer: bench.buffer([1, 2]) } }],
      `gradients[0] and its into ${both}`,
    ],
  ];

  test.each(mixtures)("a mixture is refused: %s", async (_, gradients, message) => {
    const given = gradients();
    await bench.refuses(() => bench.clipper.prepare(given), TypeError, message);
    await refusedOnArrays([array], () => cpu.prepare(given), TypeError, message);
  });

  test("buffers are refused by a clipper without a device", async () => {
    const gradients = [null, { buffer: bench.buffer([3, 4]), name: "w" }];
    const message = 'gradients[1] "w" is a GPUBuffer, but there is no device; pass the buffer\'s device as { device }.';
    await bench.refuses(() => cpu.prepare(gradients), TypeError, message);
    await bench.rejects(() => clipGradients(gradients), TypeError, message);
  });

  test("arrays are clipped on the CPU by a clipper with a device", async () => {
    const array = new Float32Array([3, 4]);
    const clip = bench.clipper.prepare([array], clipByGlobalNorm(10), { gradScale: 2 });
    clip.run();
    expect([...array]).toEqual([6, 8]);
    expect(clip.record).toBeUndefined();
    expect((await clip.report()).norm).toBe(10);
    expect(bench.count("submit")).toBe(0);
  });

  test("a clip for one side refuses gradients of the other", async () => {
    const [buffer, array] = [bench.buffer([3, 4]), new Float32Array([3, 4])];
    const onGpu = bench.clipper.prepare([buffer]);
    const onCpu = bench.clipper.prepare([array]);
    const message = (then: string, now: string) =>
      `The clip was prepared for gradients on ${then}, and these are on ${now}; prepare another.`;
    await bench.refuses(() => onGpu.run([array]), TypeError, message("webgpu", "cpu"));
    await bench.refuses(() => onCpu.run([buffer]), TypeError, message("cpu", "webgpu"));
    expect([...array]).toEqual([3, 4]);
  });

  test.each(["gradScale", "totalNorm"])("%s in a buffer is refused for arrays", async (key) => {
    const buffer = bench.buffer([1]);
    const options: ClipOptions = { [key]: key === "gradScale" ? buffer : { buffer } };
    const array = new Float32Array([3, 4]);
    const message = `options.${key} is a GPUBuffer, but the gradients are arrays; pass a number.`;
    await refusedOnArrays([array], () => cpu.prepare([array], clipByGlobalNorm(1), options), TypeError, message);
    await bench.refuses(() => bench.clipper.prepare([array], clipByGlobalNorm(1), options), TypeError, message);
  });
});

describe("a buffer that cannot be bound is refused", () => {
  const without = (usage: string) => `a buffer with usage ${usage}, without STORAGE (0x80); add that usage.`;
  const mapped = () => bench.device.createBuffer({ size: 16, usage: STORAGE, mappedAtCreation: true, label: "fresh" });
  const rows: [string, () => Gradients, string][] = [
    [
      "without STORAGE usage",
      () => [null, bench.buffer([1], { usage: COPY_SRC, label: "w" })],
      `gradients[1] "w" is ${without("0x4")}`,
    ],
    [
      "for reading back",
      () => [bench.buffer([1], { usage: MAP_READ | COPY_DST })],
      `gradients[0] is ${without("0x9")}`,
    ],
    ["still mapped", () => [mapped()], 'gradients[0] "fresh" is a buffer whose mapState is "mapped"; unmap it first.'],
    [
      "as into, without STORAGE usage",
      () => [{ buffer: bench.buffer([1]), into: { buffer: bench.buffer([1], { usage: COPY_DST }) } }],
      `gradients[0].into is ${without("0x8")}`,
    ],
    [
      "as into, still mapped",
      () => [{ buffer: bench.buffer([1]), into: { buffer: mapped() } }],
      'gradients[0].into is a buffer whose mapState is "mapped"; unmap it first.',
    ],
    [
      "of 6 bytes",
      () => [bench.buffer([1, 2], { size: 6 })],
      "gradients[0] spans 6 bytes, which is not a multiple of 4; pass its length in elements.",
    ],
  ];

  test.each(rows)("%s", async (_, gradients, message) => {
    const given = gradients();
    const kind = message.includes("spans") ? RangeError : TypeError;
    await bench.refuses(() => bench.clipper.prepare(given), kind, message);
  });

  test("where a mapping is pending", async () => {
    const buffer = new Proxy(bench.buffer([1]), {
      get: (target, key) => (key === "mapState" ? "pending" : Reflect.get(target, key, target)),
    });
    const message = 'gradients[0] is a buffer whose mapState is "pending"; unmap it first.';
    await bench.refuses(() => bench.clipper.prepare([buffer]), TypeError, message);
  });

  test("when it comes with a later step", async () => {
    const clip = bench.clipper.prepare([bench.buffer([3, 4])]);
    const message = `gradients[0] is ${without("0x4")}`;
    const encoder = bench.device.createCommandEncoder();
    const other = bench.buffer([3, 4], { usage: COPY_SRC });
    await bench.refuses(() => clip.encode(encoder, [other]), TypeError, message);
    await bench.refuses(() => clip.run([other]), TypeError, message);
  });

  test("the clip's own record", async () => {
    const clip = bench.clipper.prepare([bench.buffer(new Array(RECORD_BYTES / 4).fill(1))]);
    await bench.refuses(() => clip.run([clip.record as GPUBuffer]), TypeError, /^gradients\[0\].* record.*; .*\.$/);
  });
});

describe("an into is refused where nothing is written", () => {
  test.each([
    ["clipByGlobalNorm", "record", clipByGlobalNorm(1)],
    ["measureNorm", "scale", measureNorm()],
  ] as const)("%s with apply %j", async (name, apply, method) => {
    const message = `gradients[0] "w" has an into, but ${name} with apply: "${apply}" writes no gradient; leave it out.`;
    const arrays = [new Float32Array(2), new Float32Array(2)] as const;
    const onCpu = { w: { buffer: arrays[0], into: { buffer: arrays[1] } } };
    const onGpu = { w: { buffer: bench.buffer([3, 4]), into: { buffer: bench.buffer([0, 0]) } } };
    await refusedOnArrays(arrays, () => cpu.prepare(onCpu, method, { apply }), TypeError, message);
    await bench.refuses(() => bench.clipper.prepare(onGpu, method, { apply }), TypeError, message);
  });
});

describe("a gradient and its into in one GPUBuffer", () => {
  const floats = (count: number) => new Array<number>(count).fill(3);

  test("are refused where their 256-byte windows overlap", async () => {
    const buffer = bench.buffer(floats(256));
    const gradients = { w: { buffer, length: 16, into: { buffer, byteOffset: 128 } } };
    const made = bench.live.size;
    await bench.refuses(
      () => bench.clipper.prepare(gradients),
      RangeError,
      /^gradients\[0\] "w" and its into .*\(bytes 0 to 256 and bytes 0 to 256\); put one into another buffer\.$/,
    );
    expect(bench.live.size, "buffers left by a clip that came to nothing").toBe(made);
  });

  test("are served where their windows are apart", async () => {
    const buffer = bench.buffer([...floats(64), ...new Array(64).fill(0)]);
    const clip = bench.clipper.prepare(
      [{ buffer, length: 64, into: { buffer, byteOffset: 256 } }],
      clipByGlobalNorm(12),
    );
    clip.run();
    expect((await clip.report()).norm).toBe(24);
    expect(await bench.values(buffer)).toEqual([...floats(64), ...new Array(64).fill(1.5)]);
  });

  test("are served where only the windows of all of them together overlap", async () => {
    const zeros = (count: number) => new Array<number>(count).fill(0);
    const buffer = bench.buffer([...zeros(64), ...floats(32), ...zeros(96)]);
    const gradients = [0, 1].map((half) => ({
      buffer,
      byteOffset: 256 + 64 * half,
      length: 16,
      into: { buffer, byteOffset: 512 * half },
    }));
    const clip = bench.clipper.prepare(gradients, clipByGlobalNorm(100));
    clip.run();
    expect((await clip.report()).steps).toBe(1);
    const after = [...floats(16), ...zeros(48), ...floats(32), ...zeros(32), ...floats(16), ...zeros(48)];
    expect(await bench.values(buffer)).toEqual(after);
  });
});

describe("unusual gradients that are served", () => {
  type Both = (make: (values: number[]) => GPUBuffer | Float32Array) => unknown;
  // Every case with a gradient has a norm of 5: it differs from 0.
  const rows: [string, Both, number][] = [
    ["an empty list", () => [], 0],
    ["an empty object", () => ({}), 0],
    ["null and undefined alone", () => [null, undefined], 0],
    ["a gradient between null and undefined", (make) => [null, make([3, 4]), undefined], 5],
    ["a hole in an array", (make) => Object.assign(new Array(3), { 1: make([3, 4]) }), 5],
    ["elements of length 0 alone", (make) => [make([]), { buffer: make([3, 4]), length: 0 }], 0],
    [
      "a gradient among others without elements",
      (make) => [make([]), make([3, 4]), { buffer: make([9]), byteOffset: 4 }],
      5,
    ],
    ["a generator, which is read once", (make) => once([make([3]), make([4])]), 5],
    ["a Set", (make) => new Set([make([3]), make([4])]), 5],
    ["an object without a prototype", (make) => Object.assign(Object.create(null), { a: make([3, 4]) }), 5],
    ["frozen views in a frozen list", (make) => Object.freeze([Object.freeze({ buffer: make([3, 4]) })]), 5],
    ["one range listed twice", (make) => twice(make([3, 0, 0, 4, 0, 0, 0, 0])), 5 * Math.SQRT2],
    ["a length short of the buffer", (make) => [{ buffer: make([3, 4, 9]), length: 2 }], 5],
    ["neighbours, the later first", (make) => reversed(make([9, 3, 4])), 5],
  ];

  function* once(list: unknown[]) {
    yield* list;
  }
  const twice = (buffer: unknown) => [buffer, buffer];
  const reversed = (buffer: unknown) => [
    { buffer, byteOffset: 8 },
    { buffer, byteOffset: 4, length: 1 },
  ];

  test.each(rows)("%s, on the GPU", async (_, gradients, norm) => {
    const clip = bench.clipper.prepare(gradients((values) => bench.buffer(values)) as Gradients, clipByGlobalNorm(100));
    clip.run();
    expect(await clip.report()).toMatchObject({ norm: Math.fround(norm), steps: 1, nonFinite: 0, clipped: false });
    await bench.expectWhole();
    clip.destroy();
  });

  test.each(rows)("%s, on the CPU", async (_, gradients, norm) => {
    const clip = cpu.prepare(gradients((values) => Float32Array.from(values)) as Gradients, clipByGlobalNorm(100));
    clip.run();
    expect(await clip.report()).toMatchObject({ norm: Math.fround(norm), steps: 1, nonFinite: 0, clipped: false });
  });

  test("a whole number of elements in a buffer of 6 bytes", async () => {
    const buffer = bench.buffer([3, 4], { size: 6, usage: STORAGE | COPY_DST });
    bench.device.queue.writeBuffer(buffer, 0, new Float32Array([3]));
    const clip = bench.clipper.prepare([{ buffer, length: 1 }]);
    clip.run();
    expect((await clip.report()).norm).toBe(3);
  });

  test("an array on shared memory", async () => {
    const array = new Float32Array(new SharedArrayBuffer(8));
    array.set([3, 4]);
    expect((await clipGradients([array], clipByGlobalNorm(2.5))).norm).toBe(5);
    expect([...array]).toEqual([1.5, 2]);
  });
});

describe("memory that was detached", () => {
  const detached = () => {
    const array = new Float32Array([3, 4]);
    structuredClone(array.buffer, { transfer: [array.buffer] });
    return array;
  };
  const atPrepare = "is on a detached ArrayBuffer; pass the array that owns it now.";

  test("is refused, not taken for empty", async () => {
    const good = new Float32Array([3, 4]);
    const rows: [Gradients, string][] = [
      [[good, detached()], "gradients[1]"],
      [{ a: good, b: { buffer: detached(), length: 2 } }, 'gradients[1] "b"'],
      [[{ buffer: good, into: { buffer: detached() } }], "gradients[0].into"],
    ];
    for (const [gradients, subject] of rows) {
      await refusedOnArrays([good], () => cpu.prepare(gradients), TypeError, `${subject} ${atPrepare}`);
    }
  });

  test.each(["buffer", "into"])("after prepare is refused by run: %s", async (which) => {
    const memory = { buffer: new Float32Array([3, 4]), into: new Float32Array(2) };
    const first = new Float32Array([30, 40]);
    const clip = cpu.prepare([first, { buffer: memory.buffer, into: { buffer: memory.into }, name: "w" }]);
    const lost = memory[which as "buffer" | "into"];
    structuredClone(lost.buffer, { transfer: [lost.buffer] });
    const subject = `gradients[1] "w"${which === "into" ? ".into" : ""}`;
    const message = `${subject} ${atPrepare}`;
    await refusedOnArrays([first], () => clip.run(), TypeError, message);
    await expect(clip.report()).rejects.toThrow(/before the first step/);
  });

  test("is refused by run after its memory shrank", async () => {
    const Resizable = ArrayBuffer as unknown as new (
      bytes: number,
      options: object,
    ) => ArrayBuffer & { resize(bytes: number): void };
    const memory = new Resizable(8, { maxByteLength: 8 });
    const clip = cpu.prepare([new Float32Array(memory)]);
    memory.resize(4);
    const message = "gradients[0] has 1 element, but the clip was prepared for 2 elements; prepare another.";
    await refused(() => clip.run(), RangeError, message);
  });
});
