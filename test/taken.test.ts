/** Which values are accepted as a list, a view, an array or options, from any realm. Others are refused with a remedy. */
import { runInNewContext } from "node:vm";
import tgpu, { d } from "typegpu";
import { describe, expect, test } from "vitest";
import {
  adaptiveGradClip,
  type ClipOptions,
  type ClipperOptions,
  clipByGlobalNorm,
  clipGradients,
  createClipper,
  type Gradients,
} from "../src/index.ts";
import { bench, cpu } from "./support/bench.ts";
import { refused, refusedOnArrays } from "./support/refused.ts";

/** An array of another realm, as an iframe, a vm context or jsdom makes them. */
const foreign = <T>(code: string): T => runInNewContext(code) as T;

/** As the halves of a float16: 3 and 4. */
const HALVES = [0x4200, 0x4400];

/** Imitates Float16Array, which Node 20 lacks. gradclip looks at the tag. */
class Float16 extends Uint16Array {
  override get [Symbol.toStringTag]() {
    return "Float16Array" as "Uint16Array";
  }
}

describe("which arrays fit which dtype", () => {
  const F32 = "a Float32Array or a Uint8Array of their bytes";
  const F16 = "a Float16Array, a Uint16Array or a Uint8Array of their bytes";
  const BF16 = "a Uint16Array or a Uint8Array of their bytes";
  const fits: [string, string, () => ArrayBufferView][] = [
    ["f32", "a Float32Array", () => new Float32Array([3, 4])],
    ["f32", "a Uint8Array", () => new Uint8Array(new Float32Array([3, 4]).buffer)],
    ["f32", "a Buffer", () => Buffer.from(new Float32Array([3, 4]).buffer)],
    ["f16", "a Uint16Array", () => new Uint16Array(HALVES)],
    ["f16", "a Uint8Array", () => new Uint8Array(new Uint16Array(HALVES).buffer)],
    ["bf16", "a Uint16Array", () => new Uint16Array([0x4040, 0x4080])],
    ["bf16", "a Uint8Array", () => new Uint8Array(new Uint16Array([0x4040, 0x4080]).buffer)],
  ];

  test.each(fits)("%s is taken from %s", async (dtype, _, array) => {
    const view = { buffer: array(), dtype: dtype as "f32", into: { buffer: array() } };
    const clip = cpu.prepare([view], clipByGlobalNorm(100));
    clip.run();
    expect((await clip.report()).norm).toBe(5);
    expect(new Uint8Array(view.into.buffer.buffer)).toEqual(new Uint8Array(array().buffer));
  });

  const refusedArrays: [string, string, ArrayBufferView, string][] = [
    ["f32", "a Uint16Array", new Uint16Array(4), F32],
    ["f32", "an Int32Array", new Int32Array(4), F32],
    ["f32", "a Float64Array", new Float64Array(4), F32],
    ["f32", "a Uint8ClampedArray", new Uint8ClampedArray(16), F32],
    ["f32", "a DataView", new DataView(new ArrayBuffer(16)), F32],
    ["f16", "a Float32Array", new Float32Array(4), F16],
    ["f16", "an Int16Array", new Int16Array(4), F16],
    ["f16", "a DataView", new DataView(new ArrayBuffer(16)), F16],
    ["bf16", "a Float32Array", new Float32Array(4), BF16],
    ["bf16", "a Uint32Array", new Uint32Array(4), BF16],
  ];

  test.each(refusedArrays)("%s is not taken from %s", async (dtype, shown, array, remedy) => {
    const bits = new Uint16Array(8);
    const good = dtype === "f32" ? new Float32Array(4) : bits;
    const message = (what: string) => {
      const fact = dtype === "f32" ? "" : `, but the dtype is "${dtype}"`;
      return `gradients[0]${what}.buffer is ${shown}${fact}; pass a GPUBuffer, ${remedy}.`;
    };
    const refusal = (view: object, what: string) =>
      refused(() => cpu.prepare([{ length: 4, dtype, ...view }] as unknown as Gradients), TypeError, message(what));
    await refusal({ buffer: array }, "");
    await refusal({ buffer: good, into: { buffer: array } }, ".into");
    await refusal({ buffer: new Uint8Array(16), parameter: { buffer: array, dtype } }, ".parameter");
  });

  test("an into takes float32, and no other dtype than the gradient's", async () => {
    const into = { buffer: new Float32Array(2), dtype: "f32" as const };
    const view = { buffer: new Uint16Array(HALVES), dtype: "f16" as const, into };
    await clipGradients([view], clipByGlobalNorm(2.5));
    expect([...into.buffer]).toEqual([1.5, 2]);
    const other = { ...view, into: { ...into, dtype: "bf16" } };
    const message = 'gradients[0].into.dtype is the string "bf16"; use "f32".';
    await refused(() => cpu.prepare([other] as unknown as Gradients), TypeError, message);
    expect([...into.buffer]).toEqual([1.5, 2]);
  });

  test("a Float16Array is f16, bare and in a view", async () => {
    const [bare, inView] = [new Float16(HALVES), new Float16(HALVES)];
    for (const gradients of [[bare], [{ buffer: inView }]]) {
      expect((await clipGradients(gradients as unknown as Gradients, clipByGlobalNorm(2.5))).norm).toBe(5);
    }
    expect([...bare, ...inView]).toEqual([0x3e00, 0x4000, 0x3e00, 0x4000]);
    const message =
      'gradients[0].buffer is a Float16Array, but the dtype is "bf16"; pass a GPUBuffer, a Uint16Array or a Uint8Array of their bytes.';
    await refused(() => cpu.prepare([{ buffer: bare, dtype: "bf16" }]), TypeError, message);
  });
});

describe("arrays of another realm", () => {
  test("are gradients, views, intos and parameters", async () => {
    const array = foreign<Float32Array>("new Float32Array([3, 4])");
    expect(array).not.toBeInstanceOf(Float32Array);
    expect((await clipGradients([array], clipByGlobalNorm(2.5))).norm).toBe(5);
    expect([...array]).toEqual([1.5, 2]);
    const into = foreign<Float32Array>("new Float32Array(2)");
    const view = {
      buffer: foreign<Uint8Array>("new Uint8Array(new Float32Array([3, 4]).buffer)"),
      into: { buffer: into },
    };
    await clipGradients([view], clipByGlobalNorm(2.5));
    expect([...into]).toEqual([1.5, 2]);
    const agc = { buffer: array, shape: [2], parameter: { buffer: foreign<Float32Array>("new Float32Array([3, 4])") } };
    expect((await clipGradients([agc], adaptiveGradClip({ clipping: 0.1 }))).norm).toBe(2.5);
    expect([...array]).toEqual([Math.fround(0.3), Math.fround(0.4)]);
  });

  test("lists, records, Maps and options of another realm are taken", async () => {
    for (const code of ["[array]", "({ w: array })", "new Map([['w', array]])", "new Set([array])"]) {
      const array = new Float32Array([3, 4]);
      const gradients = runInNewContext(code, { array }) as Gradients;
      const options = runInNewContext("({ gradScale: 2 })") as ClipOptions;
      expect((await clipGradients(gradients, clipByGlobalNorm(5), options)).norm, code).toBe(10);
      expect([...array]).toEqual([3, 4]);
    }
  });
});

interface Resizable extends ArrayBuffer {
  resize(bytes: number): void;
}
const resizable = (values: number[], most: number): Resizable => {
  const Buffer = ArrayBuffer as unknown as new (bytes: number, options: object) => Resizable;
  const memory = new Buffer(4 * values.length, { maxByteLength: 4 * most });
  new Float32Array(memory).set(values);
  return memory;
};

describe("memory whose length changes", () => {
  const message = (now: string) =>
    `gradients[1] "w" has ${now}, but the clip was prepared for 2 elements; prepare another.`;

  test.each([
    [4, "4 elements"],
    [1, "1 element"],
  ])("a tracking view of %i elements after prepare is refused, not clipped in part", async (length, now) => {
    const memory = resizable([3, 4], 4);
    const first = new Float32Array([30, 40]);
    const gradients = [first, { buffer: new Float32Array(memory), name: "w" }];
    const clip = cpu.prepare(gradients, clipByGlobalNorm(1));
    memory.resize(4 * length);
    for (const act of [() => clip.run(), () => clip.run(gradients)]) {
      await refusedOnArrays([first], act, RangeError, message(now));
    }
    expect([...new Float32Array(memory)]).toEqual([3, 4, 0, 0].slice(0, length));
    memory.resize(8);
    new Float32Array(memory).set([3, 4]);
    clip.run();
    expect((await clip.report()).steps).toBe(1);
  });

  test("a view with a length stays what it was", async () => {
    const memory = resizable([3, 4], 4);
    const clip = cpu.prepare([{ buffer: new Float32Array(memory), length: 2 }], clipByGlobalNorm(2.5));
    memory.resize(16);
    clip.run();
    expect((await clip.report()).norm).toBe(5);
    expect([...new Float32Array(memory)]).toEqual([1.5, 2, 0, 0]);
  });

  test("an array that its memory no longer holds is refused, not taken for empty", async () => {
    const memory = resizable([3, 4], 4);
    const array = new Float32Array(memory, 0, 2);
    memory.resize(4);
    const shrunk =
      "gradients[0] is an array that its ArrayBuffer of 4 bytes no longer holds; pass an array that lies in it.";
    await refused(() => cpu.prepare([array]), RangeError, shrunk);
  });

  test("a buffer that was replaced by a longer one is refused", async () => {
    const view = { buffer: bench.buffer([3, 4]), name: "w" };
    const clip = bench.clipper.prepare([bench.buffer([1]), view]);
    const longer = [bench.buffer([1]), { ...view, buffer: bench.buffer([3, 4, 5]) }];
    await bench.refuses(() => clip.run(longer), RangeError, message("3 elements"));
  });
});

describe("options, lists and views are plain", () => {
  class Model {
    get weights() {
      return new Float32Array([3, 4]);
    }
  }
  class Empty {}
  const OPTIONS = "nonFinite, apply, gradScale, totalNorm, skip, tensorNorms and history";
  const OBJECT = `pass an object with ${OPTIONS}.`;

  /** In a browser all properties of a GPUDevice are getters of its prototype. */
  const withoutOwn = (device: GPUDevice): GPUDevice => {
    const prototype = {};
    for (const key of ["createBuffer", "queue", "limits", "features"]) {
      Object.defineProperty(prototype, key, { get: () => device[key as "queue"] });
    }
    Object.defineProperty(prototype, Symbol.toStringTag, { value: "GPUDevice" });
    return Object.create(Object.create(prototype));
  };

  test("createClipper takes a device only as { device }", async () => {
    const message = "createClipper's options is a GPUDevice; pass it as { device }.";
    for (const device of [bench.device, withoutOwn(bench.device)]) {
      await bench.rejects(() => createClipper(device as ClipperOptions), TypeError, message);
    }
  });

  const misplaced: [string, () => object, string][] = [
    ["a GPUDevice", () => withoutOwn(bench.device), "a GPUDevice"],
    ["an AbortSignal", () => new AbortController().signal, "an AbortSignal"],
    ["a class instance without properties", () => new Empty(), "an instance of Empty"],
    ["a Promise", () => Promise.resolve({}), "a Promise"],
    ["a Map", () => new Map(), "a Map"],
    ["a Date", () => new Date(0), "a Date"],
  ];

  test.each(misplaced)("%s is no options", async (_, make, shown) => {
    const [value, array] = [make() as never, new Float32Array([3, 4])];
    const clip = cpu.prepare([array]);
    const rows: [() => unknown, string][] = [
      [() => cpu.prepare([array], undefined, value), `options is ${shown}; ${OBJECT}`],
      [
        () => clipGradients([array], undefined, value),
        `options is ${shown}; pass an object with device, throwIfNonFinite, ${OPTIONS}.`,
      ],
      [() => clip.report(value), `report's options is ${shown}; pass an object with throwIfNonFinite and signal.`],
      [() => clip.set(value), `set's values is ${shown}; pass an object with maxNorm and gradScale.`],
      [
        () => clipByGlobalNorm(1, value),
        `clipByGlobalNorm's options is ${shown}; pass an object with normType, eps and members.`,
      ],
    ];
    for (const [act, message] of rows) await refused(act, TypeError, message);
    expect([...array]).toEqual([3, 4]);
  });

  test("a class instance is no record of gradients", async () => {
    const list = (shown: string) =>
      new RegExp(`^gradients is ${shown}; pass a list or an object of gradients, each a GPUBuffer, .*\\.$`);
    const rows: [unknown, string][] = [
      [new Model(), "an instance of Model"],
      [Object.assign(new Empty(), { w: new Float32Array(1) }), "an instance of Empty"],
      [withoutOwn(bench.device), "a GPUDevice"],
      [new WeakMap(), "a WeakMap"],
    ];
    for (const [given, shown] of rows) {
      await refused(() => cpu.prepare(given as Gradients), TypeError, list(shown));
      const clip = cpu.prepare({});
      await refused(() => clip.run(given as Gradients), TypeError, list(shown));
    }
  });

  test("a class instance may be one gradient's view, not its into", async () => {
    class View {
      readonly #memory: Float32Array;
      constructor(memory: Float32Array) {
        this.#memory = memory;
      }
      get buffer() {
        return this.#memory;
      }
    }
    const array = new Float32Array([3, 4]);
    await clipGradients([new View(array)], clipByGlobalNorm(2.5));
    expect([...array]).toEqual([1.5, 2]);
    const into = new View(new Float32Array(2));
    const message = "gradients[0].into is an instance of View; pass an object with buffer, byteOffset and dtype.";
    await refused(() => cpu.prepare([{ buffer: array, into }]), TypeError, message);
  });

  test("a totalNorm is no bare buffer", async () => {
    const options = { totalNorm: bench.buffer([1]) } as unknown as ClipOptions;
    const message = "options.totalNorm is a GPUBuffer; pass an object with buffer and byteOffset.";
    await bench.refuses(() => bench.clipper.prepare([bench.buffer([1])], undefined, options), TypeError, message);
  });

  test("a name that is no string is refused", async () => {
    const view = { buffer: new Float32Array(1), name: 5 } as unknown as Float32Array;
    await refused(() => cpu.prepare([view]), TypeError, "gradients[0].name is 5; pass a string.");
  });
});

describe("TypeGPU's resources are refused with root.unwrap", () => {
  const remedy = "pass what root.unwrap(...) gives for it.";

  test("its buffers", async () => {
    const root = tgpu.initFromDevice({ device: bench.device });
    const buffer = root.createBuffer(d.arrayOf(d.f32, 2)).$usage("storage") as unknown as GPUBuffer;
    const plain = bench.buffer([1, 2]);
    const rows: [() => unknown, string][] = [
      [() => bench.clipper.prepare([buffer]), "gradients[0]"],
      [() => bench.clipper.prepare({ w: buffer }), 'gradients[0] "w"'],
      [() => bench.clipper.prepare([{ buffer }]), "gradients[0].buffer"],
      [() => bench.clipper.prepare([{ buffer: plain, into: { buffer } }]), "gradients[0].into.buffer"],
      [() => bench.clipper.prepare([plain], undefined, { gradScale: buffer }), "options.gradScale"],
      [() => bench.clipper.prepare([plain], undefined, { totalNorm: { buffer } }), "options.totalNorm.buffer"],
    ];
    for (const [act, subject] of rows) {
      await bench.refuses(act, TypeError, `${subject} is TypeGPU's buffer; ${remedy}`);
    }
  });

  test("its encoders and passes", async () => {
    const clip = bench.clipper.prepare([bench.buffer([3, 4])]);
    for (const resourceType of ["command-encoder", "compute-pass"]) {
      const target = { resourceType, dispatchWorkgroups() {}, beginComputePass() {} };
      const message = `encode's target is TypeGPU's ${resourceType}; ${remedy}`;
      await bench.refuses(() => clip.encode(target as never), TypeError, message);
    }
  });
});
