/** From prepare to destroy: other gradients and targets at encode, use after the end, and leftovers. */
import { describe, expect, test } from "vitest";
import { type Clip, type Clipper, clipByGlobalNorm, createClipper, type Gradients } from "../src/index.ts";
import { bench, cpu } from "./support/bench.ts";
import { refusedOnArrays } from "./support/refused.ts";
import { Workbench } from "./support/workbench.ts";

type Make = (length: number) => GPUBuffer | Float32Array;
type Structure = (make: Make) => Gradients;

describe("gradients of another structure are refused", () => {
  const named: Structure = (make) => ({ bias: make(2), "lstm/kernel": make(3) });
  const listed: Structure = (make) => [make(2), make(3)];
  const rows: [string, Structure, Structure, string][] = [
    [
      "one more",
      listed,
      (make) => [make(2), make(3), make(1)],
      "There are 3 gradients, but the clip was prepared for 2; prepare another.",
    ],
    [
      "one fewer",
      listed,
      (make) => [make(2)],
      "There is 1 gradient, but the clip was prepared for 2; prepare another.",
    ],
    ["none at all", listed, () => [], "There are 0 gradients, but the clip was prepared for 2; prepare another."],
    [
      "one where there was none",
      () => [],
      (make) => [make(2)],
      "There is 1 gradient, but the clip was prepared for 0; prepare another.",
    ],
    [
      "an entry without a gradient where there was no entry",
      () => [],
      () => [null],
      "There is 1 gradient, but the clip was prepared for 0; prepare another.",
    ],
    [
      "another length",
      named,
      (make) => ({ bias: make(2), "lstm/kernel": make(4) }),
      'gradients[1] "lstm/kernel" has 4 elements, but the clip was prepared for 3 elements; prepare another.',
    ],
    [
      "another order",
      (make) => [make(3), make(2)],
      (make) => [make(2), make(3)],
      "gradients[0] has 2 elements, but the clip was prepared for 3 elements; prepare another.",
    ],
    [
      "another length than was declared",
      (make) => [make(2), { length: 4 }],
      (make) => [make(2), make(3)],
      "gradients[1] has 3 elements, but the clip was prepared for 4 elements; prepare another.",
    ],
    [
      "another length, declared again",
      (make) => [make(2), make(3)],
      (make) => [make(2), { length: 4 }],
      "gradients[1] has 4 elements, but the clip was prepared for 3 elements; prepare another.",
    ],
    [
      "a gradient where there was no gradient",
      (make) => [null, make(3)],
      (make) => [make(2), make(3)],
      "gradients[0] has 2 elements, but the clip was prepared for no gradient; prepare another.",
    ],
    [
      "an into where there was none",
      (make) => [make(2)],
      (make) => [{ buffer: make(2), into: { buffer: make(2) } }],
      "gradients[0] has 2 elements and an into of f32, but the clip was prepared for 2 elements; prepare another.",
    ],
    [
      "no into where there was one",
      (make) => [{ buffer: make(2), into: { buffer: make(2) } }],
      (make) => [make(2)],
      "gradients[0] has 2 elements, but the clip was prepared for 2 elements and an into of f32; prepare another.",
    ],
  ];
  const ones = (length: number) => new Array<number>(length).fill(1);

  test.each(rows)("by encode and run: %s", async (_, first, second, message) => {
    const make: Make = (length) => bench.buffer(ones(length));
    const clip = bench.clipper.prepare(first(make));
    const encoder = bench.device.createCommandEncoder();
    const other = second(make);
    await bench.refuses(() => clip.encode(encoder, other), RangeError, message);
    await bench.refuses(() => clip.run(other), RangeError, message);
    expect(bench.device.queue.submit([encoder.finish()])).toBeUndefined();
    await expect(clip.report()).rejects.toThrow(/before the first step/);
  });

  test.each(rows)("by run on the CPU: %s", async (_, first, second, message) => {
    const arrays: Float32Array[] = [];
    const make: Make = (length) => {
      const array = Float32Array.from(ones(length));
      arrays.push(array);
      return array;
    };
    const clip = cpu.prepare(first(make));
    const other = second(make);
    await refusedOnArrays(arrays, () => clip.run(other), RangeError, message);
  });

  test("and what is refused at prepare is refused here too", async () => {
    const buffer = bench.buffer([1, 2, 3, 4]);
    const clip = bench.clipper.prepare([bench.buffer([1, 2]), bench.buffer([1, 2])]);
    const overlapping = [
      { buffer, length: 2 },
      { buffer, byteOffset: 4, length: 2 },
    ];
    await bench.refuses(
      () => clip.run(overlapping),
      RangeError,
      /^gradients\[0\] and gradients\[1\] overlap .*; .*\.$/,
    );
    await bench.refuses(() => clip.run("ab" as never), TypeError, /^gradients is the string "ab"; .*\.$/);
    await bench.refuses(() => clip.run(null as never), TypeError, /^gradients is null; .*\.$/);
  });
});

describe("encode's target", () => {
  const renderPass = () => {
    const texture = bench.device.createTexture({ size: [4], format: "rgba8unorm", usage: 16 });
    const attachment = { view: texture.createView(), loadOp: "clear", storeOp: "store" } as const;
    return bench.device.createCommandEncoder().beginRenderPass({ colorAttachments: [attachment] });
  };
  const rows: [string, () => unknown][] = [
    ["undefined", () => undefined],
    ["null", () => null],
    ["5", () => 5],
    ["an Object", () => ({})],
    ["a GPUDevice", () => bench.device],
    ["a GPUQueue", () => bench.device.queue],
    ["a GPUCommandBuffer", () => bench.device.createCommandEncoder().finish()],
    ["a GPURenderPassEncoder", renderPass],
  ];

  test.each(rows)("that is %s is refused", async (shown, target) => {
    const clip = bench.clipper.prepare([bench.buffer([3, 4])]);
    const given = target() as GPUCommandEncoder;
    const message = `encode's target is ${shown}; pass a GPUCommandEncoder or a GPUComputePassEncoder.`;
    await bench.refuses(() => clip.encode(given), TypeError, message);
  });

  test("is refused for arrays", async () => {
    const array = new Float32Array([3, 4]);
    const message = "encode is for GPU buffers, but the gradients are arrays; call run instead.";
    const encoder = bench.device.createCommandEncoder();
    for (const clipper of [cpu, bench.clipper]) {
      const clip = clipper.prepare([array]);
      await refusedOnArrays([array], () => clip.encode(encoder), TypeError, message);
    }
  });

  const finished = () => {
    const encoder = bench.device.createCommandEncoder();
    return { encoder, commands: encoder.finish() };
  };
  const spent: [string, (clip: Clip) => void][] = [
    [
      "a pass that has ended",
      (clip) => {
        const encoder = bench.device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        pass.end();
        clip.encode(pass);
        bench.device.queue.submit([encoder.finish()]);
      },
    ],
    ["an encoder that was finished", (clip) => clip.encode(finished().encoder)],
    [
      "an encoder with an open pass",
      (clip) => {
        const encoder = bench.device.createCommandEncoder();
        encoder.beginComputePass();
        clip.encode(encoder);
        bench.device.queue.submit([encoder.finish()]);
      },
    ],
  ];

  test.each(spent)("belongs to the caller, errors included: %s", async (_, work) => {
    const clip = bench.clipper.prepare([bench.buffer([3, 4])]);
    await clip.ready;
    const errors = await bench.errorsIn(() => work(clip));
    expect(errors.length).toBeGreaterThan(0);
    await expect(clip.report()).rejects.toThrow(/before the first step/);
    await bench.expectWhole();
  });

  test("is never finished or submitted", async () => {
    const clip = bench.clipper.prepare([bench.buffer([3, 4])], clipByGlobalNorm(10));
    await clip.ready;
    const submits = bench.count("submit");
    const encoder = bench.device.createCommandEncoder();
    clip.encode(encoder);
    clip.encode(encoder);
    expect(bench.count("submit")).toBe(submits);
    bench.device.queue.submit([encoder.finish()]);
    expect((await clip.report()).steps).toBe(2);
  });
});

describe("after destroy", () => {
  const CLIP = "The clip was destroyed; prepare a new one.";
  const uses: [string, (clip: Clip) => unknown][] = [
    ["run", (clip) => clip.run()],
    ["encode", (clip) => clip.encode(bench.device.createCommandEncoder())],
    ["set", (clip) => clip.set({ maxNorm: 2 })],
    ["report", (clip) => clip.report()],
  ];

  test.each(uses)("a clip's %s is refused", async (_, use) => {
    const [buffer, array] = [bench.buffer([3, 4]), new Float32Array([3, 4])];
    for (const gradients of [[buffer], [array]]) {
      const clip = bench.clipper.prepare(gradients);
      clip.destroy();
      clip.destroy();
      await bench.rejects(() => use(clip), TypeError, CLIP);
    }
    expect([...array]).toEqual([3, 4]);
  });

  test("a clipper's prepare and its clips are refused", async () => {
    const clipper = await createClipper({ device: bench.device });
    const buffer = bench.buffer([3, 4]);
    const clips = [clipper.prepare([buffer]), clipper.prepare([buffer])];
    clipper.destroy();
    clipper.destroy();
    await bench.refuses(() => clipper.prepare([buffer]), TypeError, "The clipper was destroyed; create a new one.");
    for (const clip of clips) await bench.refuses(() => clip.run(), TypeError, CLIP);
    clips[0]?.destroy();
    expect(bench.deviceDestroyed, "destroys of the caller's device").toBe(0);
  });

  test.each(["clip", "clipper"])("of the %s in flight a report still settles with what ran", async (what) => {
    const clipper = await createClipper({ device: bench.device });
    const clip = clipper.prepare([bench.buffer([3, 4])], clipByGlobalNorm(10));
    const { ready } = clip;
    clip.run();
    const reports = [clip.report(), clip.report()];
    (what === "clip" ? clip : clipper).destroy();
    expect((await Promise.all(reports)).map(({ norm }) => norm)).toEqual([5, 5]);
    await ready;
    await bench.expectWhole();
  });
});

test("a clip that is destroyed before its encoder is submitted takes that submit with it", async () => {
  const buffer = bench.buffer([3, 4]);
  const clip = bench.clipper.prepare([buffer], clipByGlobalNorm(1));
  await clip.ready;
  const own = bench.buffer([1, 2]);
  const copy = bench.device.createBuffer({ size: 8, usage: 0x08 | 0x04 });
  const encoder = bench.device.createCommandEncoder();
  clip.encode(encoder);
  encoder.copyBufferToBuffer(own, 0, copy, 0, 8);
  clip.destroy();
  const errors = await bench.errorsIn(() => bench.device.queue.submit([encoder.finish()]));
  expect(errors).toEqual([expect.stringMatching(/used in submit while destroyed/)]);
  expect(await bench.values(copy), "the caller's own copy").toEqual([0, 0]);
  await bench.expectWhole();
});

describe("what is left behind", () => {
  test("1,000 runs and reports leave no buffer", async () => {
    const clip = bench.clipper.prepare([bench.buffer([3, 4])], clipByGlobalNorm(10));
    clip.run();
    await clip.report();
    const before = bench.live.size;
    for (let round = 0; round < 50; round++) {
      const pending = Array.from({ length: 20 }, () => {
        clip.run();
        return clip.report();
      });
      await Promise.all(pending);
      expect(bench.live.size).toBe(before);
    }
    expect(bench.count("createBuffer")).toBeGreaterThan(1000);
    clip.destroy();
  });

  test("1,000 clips that were prepared and destroyed leave no buffer", async () => {
    const gradients = [bench.buffer([3, 4]), { buffer: bench.buffer([1, 2]), into: { buffer: bench.buffer([0, 0]) } }];
    const before = bench.live.size;
    for (let round = 0; round < 1000; round++) {
      const clip = bench.clipper.prepare(gradients, clipByGlobalNorm(10));
      if (round % 50 === 0) {
        clip.run();
        expect((await clip.report()).steps).toBe(1);
      }
      expect(bench.live.size).toBeGreaterThan(before);
      clip.destroy();
      expect([...bench.live.values()].slice(before)).toEqual([]);
    }
  });

  test("a clip that saw other gradients leaves no buffer", async () => {
    const buffers = [0, 1, 2].map(() => bench.buffer([3, 4, 5, 6, 7]));
    const before = bench.live.size;
    const clip = bench.clipper.prepare([{ buffer: buffers[0] as GPUBuffer, length: 2 }], clipByGlobalNorm(100));
    for (const buffer of buffers) for (const byteOffset of [0, 4, 8]) clip.run([{ buffer, byteOffset, length: 2 }]);
    expect((await clip.report()).steps).toBe(9);
    clip.destroy();
    expect([...bench.live.values()].slice(before)).toEqual([]);
    await bench.expectWhole();
  });

  test("the last clipper of a device leaves no buffer, and a later one compiles nothing", async () => {
    const other = await Workbench.open();
    const use = async (clipper: Clipper) => {
      const buffer = other.buffer([3, 4]);
      const clip = clipper.prepare([buffer, other.buffer([1])], clipByGlobalNorm(100));
      await clip.ready;
      clip.run();
      expect((await clip.report()).steps).toBe(1);
    };
    const compilations = () => {
      const names = [
        "createShaderModule",
        "createComputePipelineAsync",
        "createComputePipeline",
        "createBindGroupLayout",
      ];
      return names.map((name) => other.count(name));
    };
    const beside = await createClipper({ device: other.device });
    await use(other.clipper);
    const [modules = 0, pipelines = 0] = compilations();
    expect([modules > 0, pipelines > 0]).toEqual([true, true]);
    const first = compilations();
    await use(other.clipper);
    await use(beside);
    other.clipper.destroy();
    await use(beside);
    beside.destroy();
    await other.tidy();
    expect([...other.live.values()]).toEqual([]);
    const later = await createClipper({ device: other.device });
    await use(later);
    expect(compilations(), "compilations after the calls were forgotten").toEqual([0, 0, 0, 0]);
    expect(first[0]).toBe(modules);
    later.destroy();
    await other.tidy();
    expect(other.deviceDestroyed).toBe(0);
    other.device.destroy();
  });

  test("labels begin with the clipper's", async () => {
    const made: string[] = [];
    const clippers = await Promise.all(
      ["first", "second"].map((label) => createClipper({ device: bench.device, label })),
    );
    const buffer = bench.buffer([3, 4]);
    for (const clipper of clippers) made.push(clipper.prepare([buffer]).record?.label ?? "none");
    for (const clipper of clippers) clipper.destroy();
    expect(made).toEqual(["first clipByGlobalNorm record", "second clipByGlobalNorm record"]);
  });
});
