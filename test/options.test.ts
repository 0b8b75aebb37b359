/** Every wrong option is refused before anything happens. The message has its name and the accepted values. */
import { describe, expect, test } from "vitest";
import {
  type ClipMethod,
  type ClipOptions,
  type ClipperOptions,
  clipByGlobalNorm,
  clipByGroupNorm,
  clipByNorm,
  clipByValue,
  clipGradients,
  clipPerExample,
  createClipper,
  measureNorm,
} from "../src/index.ts";
import { bench, cpu } from "./support/bench.ts";
import { type ErrorClass, refused, refusedOnArrays, synchronously } from "./support/refused.ts";
import { COPY_SRC } from "./support/workbench.ts";

const LIMITS = "1.1754943508222875e-38 to 3.4028234663852886e+38";
const BOUND = `pass 0, a positive float32 from ${LIMITS}, or Infinity to only measure.`;
const FACTOR = `pass a positive float32 from ${LIMITS}.`;

/** Values that are no number, as a message shows them. */
const noNumbers: [shown: string, value: unknown][] = [
  ['the string "1.0"', "1.0"],
  ["true", true],
  ["null", null],
  ["the bigint 1n", 1n],
  ["an Object", {}],
  ["an Array", []],
  ["a function", () => 1],
  ["Symbol(one)", Symbol("one")],
];

/** Numbers that serve neither as a bound nor as a factor. */
const noFloats = [-1, Number.NaN, -Infinity, 1e39, 1e-40, 1e-46, -1e-46];

describe("maxNorm", () => {
  test.each(noNumbers)("%s is refused", async (shown, value) => {
    const message = `maxNorm is ${shown}; ${BOUND}`;
    await refused(() => clipByGlobalNorm(value as number), TypeError, `clipByGlobalNorm's ${message}`);
    const clip = bench.clipper.prepare([bench.buffer([3, 4])]);
    await bench.refuses(() => clip.set({ maxNorm: value as number }), TypeError, `set's ${message}`);
  });

  test.each(noFloats)("%d is refused", async (value) => {
    const message = `maxNorm is ${value}; ${BOUND}`;
    await refused(() => clipByGlobalNorm(value), RangeError, `clipByGlobalNorm's ${message}`);
    const clip = bench.clipper.prepare([bench.buffer([3, 4])]);
    await bench.refuses(() => clip.set({ maxNorm: value }), RangeError, `set's ${message}`);
  });

  test.each([
    [0, [0, 0]],
    [-0, [0, 0]],
    [2 ** -126, [Math.fround(0.6 * 2 ** -126), Math.fround(0.8 * 2 ** -126)]],
    [2.5, [1.5, 2]],
    [3.4028234663852886e38, [3, 4]],
    [Infinity, [3, 4]],
    [undefined, [Math.fround(0.6), Math.fround(0.8)]],
  ])("%d is taken", async (maxNorm, wanted) => {
    const [buffer, array] = [bench.buffer([3, 4]), new Float32Array([3, 4])];
    for (const gradients of [[buffer], [array]]) {
      const clip = bench.clipper.prepare(gradients, clipByGlobalNorm(maxNorm));
      clip.run();
      expect((await clip.report()).norm).toBe(5);
      clip.destroy();
    }
    for (const values of [await bench.values(buffer), [...array]]) {
      expect(values).toHaveLength(2);
      // A subnormal number may be flushed; a zero may have either sign.
      values.forEach((value, i) => {
        expect(Math.abs(value - (wanted[i] as number))).toBeLessThanOrEqual(
          Math.max((wanted[i] as number) * 1e-6, 2 ** -126),
        );
      });
    }
  });
});

type OptionRow = [options: () => unknown, kind: ErrorClass, message: string | RegExp];

const gradScales: OptionRow[] = [
  ...noNumbers.map(
    ([shown, value]): OptionRow => [
      () => ({ gradScale: value }),
      TypeError,
      `options.gradScale is ${shown}; pass a number, or a GPUBuffer that holds one float32.`,
    ],
  ),
  ...[...noFloats, 0, Infinity].map(
    (value): OptionRow => [() => ({ gradScale: value }), RangeError, `options.gradScale is ${value}; ${FACTOR}`],
  ),
  [
    () => ({ gradScale: new Float32Array(1) }),
    TypeError,
    "options.gradScale is a Float32Array; pass a number, or a GPUBuffer that holds one float32.",
  ],
  [
    () => ({ gradScale: bench.buffer([1], { usage: COPY_SRC }) }),
    TypeError,
    "options.gradScale is a buffer with usage 0x4, without STORAGE (0x80); add that usage.",
  ],
  [
    () => ({ gradScale: bench.buffer([1], { size: 2 }) }),
    RangeError,
    "options.gradScale needs 4 bytes from byte 0, but the buffer has 2; pass a buffer that holds one float32.",
  ],
];

const NORM_BUFFER = "pass a GPUBuffer that holds one float32.";
const totalNorms: OptionRow[] = [
  ...noNumbers
    .filter(([, value]) => typeof value !== "object" || value === null)
    .map(
      ([shown, value]): OptionRow => [
        () => ({ totalNorm: value }),
        TypeError,
        new RegExp(`^options\\.totalNorm is ${shown.replace(/[()]/g, "\\$&")}; pass a norm, which is at least 0\\.$`),
      ],
    ),
  [() => ({ totalNorm: [] }), TypeError, "options.totalNorm is an Array; pass an object with buffer and byteOffset."],
  [() => ({ totalNorm: {} }), TypeError, `options.totalNorm.buffer is undefined; ${NORM_BUFFER}`],
  [
    () => ({ totalNorm: bench.buffer([1]) }),
    TypeError,
    "options.totalNorm is a GPUBuffer; pass an object with buffer and byteOffset.",
  ],
  [
    () => ({ totalNorm: { buffer: new Float32Array(1) } }),
    TypeError,
    `options.totalNorm.buffer is a Float32Array; ${NORM_BUFFER}`,
  ],
  [
    () => ({ totalNorm: { buffer: bench.buffer([1]), offset: 4 } }),
    TypeError,
    'options.totalNorm has an unknown property "offset"; it takes buffer and byteOffset.',
  ],
  [
    () => ({ totalNorm: { buffer: bench.buffer([1], { usage: COPY_SRC }) } }),
    TypeError,
    "options.totalNorm is a buffer with usage 0x4, without STORAGE (0x80); add that usage.",
  ],
  [
    () => ({ totalNorm: { buffer: bench.buffer([1, 2]), byteOffset: 2 } }),
    RangeError,
    "options.totalNorm.byteOffset is 2; pass a multiple of 4 from 0 on.",
  ],
  [
    () => ({ totalNorm: { buffer: bench.buffer([1, 2]), byteOffset: 8 } }),
    RangeError,
    "options.totalNorm needs 4 bytes from byte 8, but the buffer has 8; pass a buffer that holds one float32.",
  ],
  [() => ({ totalNorm: -1 }), RangeError, "options.totalNorm is -1; pass a norm, which is at least 0."],
  [() => ({ totalNorm: -Infinity }), RangeError, "options.totalNorm is -Infinity; pass a norm, which is at least 0."],
];

describe("tensorNorms", () => {
  const groups = { kernel: 1 };
  const rows: [name: string, method: () => ClipMethod][] = [
    ["clipByValue", () => clipByValue(1)],
    ["clipByGlobalNorm", () => clipByGlobalNorm(1, { members: 2 })],
    ["clipPerExample", () => clipPerExample(1, { examples: 2 })],
  ];
  test.each(rows)("refused by %s", (name, method) => {
    const norm = name === "clipByValue" ? "norm" : "norm of a whole gradient";
    const message = `options.tensorNorms is true, but ${name} takes no ${norm}; leave it out.`;
    const prepare = (tensorNorms: unknown) => () =>
      cpu.prepare([new Float32Array([3, 4])], method(), { tensorNorms } as ClipOptions);
    expect(prepare(true)).toThrow(new TypeError(message));
    expect(prepare(false)).not.toThrow();
    expect(prepare(1)).toThrow(new TypeError("options.tensorNorms is 1; pass true or false."));
  });

  test("methods with a norm for each gradient have them anyway, groups beside their own, and clip.scales has none", async () => {
    const views = () => [3, 4].map((value) => ({ buffer: bench.buffer([value]), group: "kernel" }));
    for (const [method, scales] of [
      [clipByNorm(1), 64],
      [clipByGroupNorm(groups), 32],
      [measureNorm(), undefined],
    ] as const) {
      const clip = bench.clipper.prepare(views(), method, { tensorNorms: true });
      clip.run();
      expect([...((await clip.report()).tensorNorms ?? [])]).toEqual([3, 4]);
      expect(clip.scales?.size).toBe(scales);
      clip.destroy();
    }
  });
});

const NON_FINITE = 'use "zero" or "keep" or "propagate".';
const KNOWN =
  /^options has an unknown property "(max_norm|maxnorm|maxNorm|nonfinite)"; it takes (device, throwIfNonFinite, )?nonFinite, apply, gradScale, totalNorm, skip, tensorNorms and history\.$/;
const choices: OptionRow[] = [
  [() => ({ nonFinite: "ignore" }), TypeError, `options.nonFinite is the string "ignore"; ${NON_FINITE}`],
  [() => ({ nonFinite: true }), TypeError, `options.nonFinite is true; ${NON_FINITE}`],
  [() => ({ nonFinite: null }), TypeError, `options.nonFinite is null; ${NON_FINITE}`],
  [() => ({ apply: "scales" }), TypeError, 'options.apply is the string "scales"; use "scale" or "record".'],
  [() => ({ apply: 1 }), TypeError, 'options.apply is 1; use "scale" or "record".'],
  ...["max_norm", "maxnorm", "maxNorm", "nonfinite"].map((key): OptionRow => [() => ({ [key]: 1 }), TypeError, KNOWN]),
  [
    () => null,
    TypeError,
    "options is null; pass an object with nonFinite, apply, gradScale, totalNorm, skip, tensorNorms and history.",
  ],
  [
    () => 2,
    TypeError,
    "options is 2; pass an object with nonFinite, apply, gradScale, totalNorm, skip, tensorNorms and history.",
  ],
  [
    () => [],
    TypeError,
    "options is an Array; pass an object with nonFinite, apply, gradScale, totalNorm, skip, tensorNorms and history.",
  ],
];

describe.each([
  ["gradScale", gradScales],
  ["totalNorm", totalNorms],
  ["options", choices],
])("prepare's %s", (_, rows) => {
  const named = rows.map(([options, kind, message]) => [message, options, kind] as const);
  test.each(named)("refused: %s", async (message, options, kind) => {
    const given = options() as ClipOptions;
    const buffer = bench.buffer([3, 4]);
    const array = new Float32Array([3, 4]);
    const made = bench.live.size;
    await bench.refuses(() => bench.clipper.prepare([buffer], clipByGlobalNorm(1), given), kind, message);
    expect(bench.live.size, "buffers left").toBe(made);
    await refusedOnArrays([array], () => cpu.prepare([array], clipByGlobalNorm(1), given), kind, message);
  });
});

describe("set", () => {
  test("refuses a bound for a method without one", async () => {
    const clip = bench.clipper.prepare([bench.buffer([3, 4])], measureNorm());
    const message = "measureNorm has no single maxNorm to set; prepare another.";
    await bench.refuses(() => clip.set({ maxNorm: 1 }), TypeError, message);
  });

  test("refuses a gradScale where a buffer holds it", async () => {
    const clip = bench.clipper.prepare([bench.buffer([3, 4])], undefined, { gradScale: bench.buffer([1]) });
    const message = "gradScale is read from the buffer in options.gradScale; write it there.";
    await bench.refuses(() => clip.set({ gradScale: 1 }), TypeError, message);
  });

  test.each(noNumbers)("refuses the gradScale %s", async (shown, value) => {
    const clip = bench.clipper.prepare([bench.buffer([3, 4])]);
    const act = () => clip.set({ gradScale: value as number });
    await bench.refuses(act, TypeError, `set's gradScale is ${shown}; ${FACTOR}`);
  });

  test.each([...noFloats, 0, Infinity])("refuses the gradScale %d", async (value) => {
    const clip = bench.clipper.prepare([bench.buffer([3, 4])]);
    await bench.refuses(() => clip.set({ gradScale: value }), RangeError, `set's gradScale is ${value}; ${FACTOR}`);
  });

  test("refuses what it does not know", async () => {
    const clip = bench.clipper.prepare([bench.buffer([3, 4])]);
    const act = (values: unknown) => () => clip.set(values as { maxNorm?: number });
    const known = "maxNorm and gradScale.";
    await bench.refuses(act({ max: 1 }), TypeError, `set's values has an unknown property "max"; it takes ${known}`);
    await bench.refuses(act(2), TypeError, `set's values is 2; pass an object with ${known}`);
  });

  test("that is refused in part changes nothing", async () => {
    const array = new Float32Array([3, 4]);
    const clip = cpu.prepare([array], clipByGlobalNorm(10));
    await refused(() => clip.set({ maxNorm: 1, gradScale: 0 }), RangeError, /^set's gradScale is 0; /);
    await refused(() => clip.set({ maxNorm: -1, gradScale: 2 }), RangeError, /^set's maxNorm is -1; /);
    clip.run();
    expect([...array]).toEqual([3, 4]);
  });
});

describe("createClipper", () => {
  const NO_DEVICE = "pass a GPUDevice, or leave it out.";
  const rows: [string, unknown][] = [
    [`createClipper's options is the string "webgpu"; pass an object with device, backend and label.`, "webgpu"],
    ["createClipper's options is null; pass an object with device, backend and label.", null],
    [`createClipper's options has an unknown property "gpu"; it takes device, backend and label.`, { gpu: 1 }],
    ['options.backend is the string "gpu"; use "auto" or "webgpu" or "cpu".', { backend: "gpu" }],
    ['options.backend is null; use "auto" or "webgpu" or "cpu".', { backend: null }],
    ["options.label is 3; pass a string.", { label: 3 }],
    [`options.device is null; ${NO_DEVICE}`, { device: null }],
    [`options.device is an Object; ${NO_DEVICE}`, { device: {} }],
    [`options.device is a Promise; ${NO_DEVICE}`, { device: Promise.resolve() }],
    [`options.device is the string "gpu"; ${NO_DEVICE}`, { device: "gpu" }],
  ];

  test.each(rows)("says: %s", async (message, options) => {
    await refused(() => createClipper(options as ClipperOptions), TypeError, message);
  });

  test("refuses a device for the CPU", async () => {
    const act = () => createClipper({ device: bench.device, backend: "cpu" });
    await bench.rejects(act, TypeError, 'options.backend is "cpu", but options.device is a GPUDevice; leave one out.');
  });
});

test("clipGradients refuses what prepare and createClipper refuse", async () => {
  const array = new Float32Array([3, 4]);
  const clip = (options: unknown) => () => clipGradients([array], clipByGlobalNorm(1), options as ClipOptions);
  await refused(clip({ max_norm: 1 }), TypeError, KNOWN);
  await refused(clip({ device: {} }), TypeError, "options.device is an Object; pass a GPUDevice, or leave it out.");
  await refused(clip(2), TypeError, /^options is 2; pass an object with .*\.$/);
  await refused(() => clipGradients([array], null as never), TypeError, /^method is null; .*\.$/);
  expect([...array]).toEqual([3, 4]);
});

describe("options objects", () => {
  test("may be frozen, without a prototype, or hold undefined", async () => {
    const bare: ClipOptions = Object.assign(Object.create(null), { nonFinite: undefined, gradScale: 2 });
    const clip = cpu.prepare([new Float32Array([3, 4])], clipByGlobalNorm(100), Object.freeze(bare));
    clip.run();
    expect((await clip.report()).norm).toBe(10);
  });

  test("are read once", async () => {
    const reads: string[] = [];
    const counted = <T extends object>(target: T): T => {
      const get = (object: T, key: string | symbol) => {
        reads.push(String(key));
        return Reflect.get(object, key);
      };
      return new Proxy(target, { get });
    };
    const clip = cpu.prepare([new Float32Array([3, 4])], undefined, counted({ gradScale: 2 }));
    clip.set(counted({ maxNorm: 10 }));
    expect(reads).toEqual(["gradScale", "maxNorm"]);
  });

  const planted = { nonFinite: "x", apply: "x", gradScale: -1, totalNorm: -1, maxNorm: -1, device: {}, backend: "x" };
  const ofOthers = { label: 1, signal: 1, throwIfNonFinite: true, buffer: 1, byteOffset: 4, length: 1, dtype: "x" };
  const ofMethods = { normType: 1, eps: 1, members: 3, shape: [1] };
  const rows = Object.entries({ ...planted, ...ofOthers, ...ofMethods, into: {}, name: "x", offset: 1 });

  test.each(rows)("are not read from Object.prototype: %s", async (key, value) => {
    const [array, bad] = [new Float32Array([3, 4]), new Float32Array([3, Number.NaN])];
    const [buffer, apart] = [bench.buffer([3, 4]), new Float32Array(2)];
    const view = key === "into" ? { buffer: array } : { buffer: array, into: { buffer: apart } };
    const norms: number[] = [];
    Object.defineProperty(Object.prototype, key, { value, configurable: true, writable: true });
    try {
      const method = clipByGlobalNorm(100, {});
      const clipper = await createClipper({ backend: "cpu" });
      const clips = [clipper.prepare([array], method, {}), clipper.prepare([view], method), clipper.prepare([bad])];
      clips.push(clipper.prepare([array], measureNorm()));
      // GPU dictionaries inherit properties: some keys cannot be planted there.
      if (!["label", "offset", "buffer"].includes(key)) clips.push(bench.clipper.prepare([buffer], method, {}));
      for (const clip of clips) {
        if (clip !== clips[2]) clip.set({});
        clip.run();
        norms.push((await clip.report({})).norm);
      }
      norms.push((await clipGradients([array], method, {})).norm);
    } finally {
      delete (Object.prototype as Record<string, unknown>)[key];
    }
    expect(norms).toEqual([5, 5, Number.NaN, 5, ...(norms.length > 5 ? [5] : []), 5]);
    expect([...array, ...bad]).toEqual([3, 4, 0, 0]);
    expect([...apart]).toEqual(key === "into" ? [0, 0] : [3, 4]);
  });
});

test("a call that has to throw is not taken for one that rejects", async () => {
  await expect(synchronously(() => Promise.reject(new TypeError("late")))).toThrow(/has to throw/);
});
