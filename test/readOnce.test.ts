/** Every property of the caller's objects is read once and then checked: gradients, views, methods, options, a saved state. */
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import {
  adaptiveGradClip,
  autoClip,
  type ClipMethod,
  type ClipOptions,
  clipByGlobalNorm,
  clipByNorm,
  clipGradients,
  clipPerExample,
  createClipper,
  type Gradients,
  measureNorm,
  NonFiniteGradientError,
  zClip,
} from "../src/index.ts";
import { bench, clipperOn, cpu, memoryOn, sides } from "./support/bench.ts";
import { structuredReads } from "./support/reads.ts";
import { type ErrorClass, refused, refusedOnArrays } from "./support/refused.ts";

describe("everything of the caller's is read once", () => {
  const { counted, expectOnce } = structuredReads();

  test.each(sides)("by prepare, run and encode on the %s", async (side) => {
    const clipper = clipperOn(side);
    const make = () => memoryOn(side, [3, 4]);
    const view = () =>
      counted("view", {
        buffer: make(),
        byteOffset: 0,
        length: 2,
        dtype: "f32" as const,
        name: "n",
        shape: counted("shape", [2]),
        into: counted("into", { buffer: make(), byteOffset: 0 }),
        parameter: counted("parameter", { buffer: make(), byteOffset: 0, dtype: "f32" as const }),
      });
    const record = () => counted("record", { w: view(), v: null });
    const list = () => counted("list", [view(), null]);
    const map = () =>
      new Map([
        ["w", view()],
        ["v", null],
      ]);
    const method = counted("method", { ...adaptiveGradClip() });
    const options = counted("options", { nonFinite: "keep" as const, apply: "scale" as const, gradScale: 1 });
    for (const gradients of [record, list, map]) {
      const clip = expectOnce(() => clipper.prepare(gradients(), method, options));
      expectOnce(() => clip.run(gradients()));
      if (side === "GPU") {
        const encoder = bench.device.createCommandEncoder();
        expectOnce(() => clip.encode(encoder, gradients()));
        bench.device.queue.submit([encoder.finish()]);
      }
      expectOnce(() => clip.set(counted("values", { maxNorm: 1, gradScale: 2 })));
      await expectOnce(() => clip.report(counted("report", { throwIfNonFinite: false, signal: undefined })));
    }
  });

  test("by createClipper, clipGradients and the methods", async () => {
    const array = new Float32Array([3, 4]);
    await expectOnce(() => createClipper(counted("options", { backend: "cpu" as const, label: "x" })));
    await expectOnce(() =>
      clipGradients(
        counted("list", [array]),
        counted("method", { ...clipByGlobalNorm(1) }),
        counted("options", { throwIfNonFinite: false, gradScale: 1 }),
      ),
    );
    expectOnce(() => clipByNorm(1, counted("options", { axes: counted("axes", [0, 1]) })));
    expectOnce(() => clipByGlobalNorm(1, counted("options", { normType: 2, eps: 0, members: 2 })));
  });

  test("a totalNorm in a buffer", () => {
    const totalNorm = counted("totalNorm", { buffer: bench.buffer([5]), byteOffset: 0 });
    expectOnce(() => bench.clipper.prepare([bench.buffer([3, 4])], undefined, counted("options", { totalNorm })));
  });

  test("a getter that gives another array each time", async () => {
    const [a, b] = [new Float32Array([3, 4]), new Float32Array([6, 8])];
    let reads = 0;
    const gradients = {
      get w() {
        reads += 1;
        return reads === 1 ? a : b;
      },
    };
    await clipGradients(gradients, clipByGlobalNorm(2.5));
    expect([...a, ...b]).toEqual([1.5, 2, 6, 8]);
  });

  test("a set that was seen is found by what was read, not by what is read next", async () => {
    const [a, b] = [bench.buffer([3, 4]), bench.buffer([6, 8])];
    const clip = bench.clipper.prepare({ w: a }, clipByGlobalNorm(100));
    const gradients = [b, a];
    clip.run({
      get w() {
        return gradients.shift() as GPUBuffer;
      },
    });
    expect((await clip.report()).norm).toBe(10);
  });
});

describe("look-alikes of gradients that were seen are checked", () => {
  const rows: [string, object, ErrorClass, RegExp][] = [
    ["a length that is a string", { length: "2" }, TypeError, /^gradients\[0\]\.length is the string "2"; .*\.$/],
    ["a length that is a list", { length: [2] }, TypeError, /^gradients\[0\]\.length is an Array; .*\.$/],
    [
      "a byteOffset that is a string",
      { byteOffset: "0" },
      TypeError,
      /^gradients\[0\]\.byteOffset is the string "0"; .*\.$/,
    ],
    ["a dtype that is a list", { dtype: ["f32"] }, TypeError, /^gradients\[0\]\.dtype is an Array; .*\.$/],
    ["a shape that is a string", { shape: "2" }, TypeError, /^gradients\[0\]\.shape is the string "2"; .*\.$/],
    ["a shape of strings", { shape: ["2"] }, TypeError, /^gradients\[0\]\.shape is an Array; .*\.$/],
  ];
  const like = () => ({ buffer: bench.buffer([3, 4]), byteOffset: 0, length: 2, dtype: "f32" as const, shape: [2] });

  test.each(rows)("%s", async (_, change, kind, message) => {
    const view = like();
    const clip = bench.clipper.prepare([view]);
    const given = [{ ...view, ...change }] as unknown as Gradients;
    await bench.refuses(() => clip.run(given), kind, message);
  });

  test("a misspelt key inside into and parameter", async () => {
    const view = { ...like(), into: { buffer: bench.buffer([0, 0]) }, parameter: { buffer: bench.buffer([1, 1]) } };
    const clip = bench.clipper.prepare([view]);
    for (const key of ["into", "parameter"] as const) {
      const given = [{ ...view, [key]: { ...view[key], ofset: 4 } }] as unknown as Gradients;
      const message = new RegExp(`^gradients\\[0\\]\\.${key} has an unknown property "ofset"; it takes .*\\.$`);
      await bench.refuses(() => clip.run(given), TypeError, message);
    }
  });
});

describe("a method edited by hand is validated again", () => {
  const MADE = "pass what a method such as clipByGlobalNorm(1) returns.";
  const rows: [string, () => object, ErrorClass, string | RegExp][] = [
    [
      "a negative bound",
      () => ({ ...clipByGlobalNorm(1), maxNorm: -1 }),
      RangeError,
      /^method\.maxNorm is -1; pass 0, a positive float32 from .*\.$/,
    ],
    [
      "a bound of NaN",
      () => ({ ...zClip(), maxNorm: Number.NaN }),
      RangeError,
      /^method\.maxNorm is NaN; pass 0, .*\.$/,
    ],
    [
      "a bound that is a string",
      () => ({ ...autoClip(), maxNorm: "1" }),
      TypeError,
      /^method\.maxNorm is the string "1"; pass 0, .*\.$/,
    ],
    [
      "an accumulate that is a string",
      () => ({ ...clipPerExample(1, { examples: 2 }), accumulate: "yes" }),
      TypeError,
      'method.accumulate is the string "yes"; pass true or false.',
    ],
    [
      "a negative eps",
      () => ({ ...clipByGlobalNorm(1), eps: -1 }),
      RangeError,
      /^method\.eps is -1; pass a number from 0 to .*\.$/,
    ],
    [
      "a misspelt property",
      () => ({ ...clipByGlobalNorm(1), maxnorm: 2 }),
      TypeError,
      /^method has an unknown property "maxnorm"; it takes name, maxNorm, .*\.$/,
    ],
    ["no name", () => ({ ...clipByGlobalNorm(1), name: undefined }), TypeError, `method.name is undefined; ${MADE}`],
    [
      "a norm that is a word",
      () => ({ ...clipByGlobalNorm(1), norm: "l1" }),
      TypeError,
      `method.norm is the string "l1"; ${MADE}`,
    ],
    [
      "a rule that is a word",
      () => ({ ...clipByGlobalNorm(1), rule: "rms" }),
      TypeError,
      `method.rule is the string "rms"; ${MADE}`,
    ],
    [
      "a grouping that is a word",
      () => ({ ...clipByGlobalNorm(1), grouping: "tensor" }),
      TypeError,
      `method.grouping is the string "tensor"; ${MADE}`,
    ],
    ...(["grouping", "passes"] as const).map((key): (typeof rows)[number] => [
      `a ${key} that is null`,
      () => ({ ...clipByGlobalNorm(1), [key]: null }),
      TypeError,
      `method.${key} is null; ${MADE}`,
    ]),
    [
      "a kind of grouping that is none",
      () => ({ ...clipByGlobalNorm(1), grouping: { kind: "none" } }),
      TypeError,
      /^method\.grouping\.kind is the string "none"; use "all" or .*\.$/,
    ],
    [
      "half a member",
      () => ({ ...clipByGlobalNorm(1), grouping: { kind: "members", count: 0.5 } }),
      RangeError,
      "method.grouping.count is 0.5; pass a whole number from 1 to 1000000.",
    ],
    [
      "other examples than members",
      () => {
        return { ...clipPerExample(1, { examples: 2 }), examples: 1 };
      },
      RangeError,
      "method.examples is 1, but method.grouping.count is 2; pass one number.",
    ],
  ];

  test.each(rows)("%s", async (_, method, kind, message) => {
    const [buffer, array] = [bench.buffer([3, 4]), new Float32Array([3, 4])];
    const given = method() as ClipMethod;
    await bench.refuses(() => bench.clipper.prepare([buffer], given), kind, message);
    await refusedOnArrays([array], () => cpu.prepare([array], given), kind, message);
  });

  test("and a sound edit is taken", async () => {
    const array = new Float32Array([3, 4]);
    await clipGradients([array], { ...clipByGlobalNorm(1), maxNorm: 2.5 });
    expect([...array]).toEqual([1.5, 2]);
  });

  test.each([{}, null, 5, () => 1, clipByGlobalNorm])("no method at all: %s", async (method) => {
    const act = () => cpu.prepare([new Float32Array(1)], method as unknown as ClipMethod);
    await refused(act, TypeError, /^method is .*; pass what a method such as clipByGlobalNorm\(1\) returns\.$/);
  });
});

describe("zeros with a sign", () => {
  test.each([0, -0])("a totalNorm of %d clips nothing, as a number and in a buffer", async (zero) => {
    const [onGpu, apart] = [bench.buffer([3, 4]), bench.buffer([3, 4])];
    const array = new Float32Array([3, 4]);
    const clips = [
      bench.clipper.prepare([onGpu], clipByGlobalNorm(1), { totalNorm: zero }),
      bench.clipper.prepare([apart], clipByGlobalNorm(1), { totalNorm: { buffer: bench.buffer([zero]) } }),
      cpu.prepare([array], clipByGlobalNorm(1), { totalNorm: zero }),
    ];
    for (const clip of clips) {
      clip.run();
      const report = await clip.report();
      expect(report).toMatchObject({ norm: 0, scale: 1, clipped: false, skippedSteps: 0, nonFinite: 0 });
    }
    for (const values of [await bench.values(onGpu), await bench.values(apart), [...array]]) {
      expect(values).toEqual([3, 4]);
    }
  });

  test("a bound of -0 is 0", async () => {
    const [buffer, array] = [bench.buffer([3, 4]), new Float32Array([3, 4])];
    for (const gradients of [[buffer], [array]]) {
      const clip = bench.clipper.prepare(gradients, clipByGlobalNorm(-0));
      clip.run();
      expect(await clip.report()).toMatchObject({ norm: 5, scale: 0, clipped: true });
      clip.set({ maxNorm: -0 });
      clip.run();
      if (clip.record) expect((await bench.bytes(clip.record)).slice(52, 56)).toEqual(new Uint8Array(4));
    }
    expect((await bench.values(buffer)).map(Math.abs)).toEqual([0, 0]);
    expect([...array].map(Math.abs)).toEqual([0, 0]);
  });
});

describe("words", () => {
  test.each([
    [new Uint8Array(1), "a Uint8Array"],
    [new URL("https://example.org"), "a URL"],
    [new Int8Array(1), "an Int8Array"],
  ])("the article of %s", async (value, shown) => {
    const message = new RegExp(`^gradients\\[0\\] is ${shown}; pass .*\\.$`);
    await refused(() => cpu.prepare([value] as unknown as Gradients), TypeError, message);
  });

  test("one of anything is singular", async () => {
    const array = new Float32Array(1);
    const rows: [() => unknown, RegExp][] = [
      [() => cpu.prepare([{ buffer: new Float32Array(1), length: 1, shape: [2] }]), /but it has 1 element; pass/],
      [() => cpu.prepare([{ buffer: array, byteOffset: 4, length: 1 }]), /\(1 element\), but/],
      [() => cpu.prepare([{ buffer: new Uint8Array(1), byteOffset: 4 }]), /a buffer of 1 byte; start/],
      [() => cpu.prepare([{ buffer: new Uint8Array(1) }]), /spans 1 byte, which/],
      [() => cpu.prepare([]).run([array]), /^There is 1 gradient, but the clip was prepared for 0; /],
      [() => cpu.prepare([array, array]).run([array]), /^There is 1 gradient, but the clip was prepared for 2; /],
      [() => cpu.prepare([array], clipByGlobalNorm(1, { members: 2 })), /has 1 element, which 2 members cannot/],
    ];
    for (const [act, message] of rows) await refused(act, RangeError, message);
  });

  test("one NaN is one value", async () => {
    const array = new Float32Array([Number.NaN, 1]);
    const act = clipGradients({ w: array }, clipByGlobalNorm(1), { throwIfNonFinite: true });
    const message =
      'The gradients hold 1 NaN or infinite value; the first is gradients[0] "w", element 0; skip this step or lower the loss scale.';
    const error = await act.then(
      () => undefined,
      (reason) => reason,
    );
    expect(error).toBeInstanceOf(NonFiniteGradientError);
    expect(error.message).toBe(message);
  });

  test("throwIfNonFinite is true or false, before anything is clipped", async () => {
    const array = new Float32Array([3, 4]);
    const options = { throwIfNonFinite: 1 } as unknown as ClipOptions;
    await refused(
      () => clipGradients([array], clipByGlobalNorm(1), options),
      TypeError,
      "options.throwIfNonFinite is 1; pass true or false.",
    );
    expect([...array]).toEqual([3, 4]);
  });

  test("a gradient without axes has none to reduce", async () => {
    const view = { buffer: new Float32Array([3]), shape: [] };
    const message = "gradients[0] has shape [] and so no axis 0; pass axes as a function that gives none for it.";
    await refused(() => cpu.prepare([view], clipByNorm(1, { axes: [0] })), RangeError, message);
  });
});

describe("restore", () => {
  test.each(sides)("takes the bytes of a view, its own only, on the %s", async (side) => {
    const clipper = clipperOn(side);
    const make = (...values: number[]) => memoryOn(side, values);
    const clip = clipper.prepare([make(3, 4)], autoClip({ history: 3, percentile: 100 }));
    clip.run();
    const state = await clip.state();
    const padded = new Uint8Array(state.byteLength + 7);
    padded.set(new Uint8Array(state), 3);
    const own = padded.subarray(3, 3 + state.byteLength);
    const foreignState = runInNewContext("new Uint8Array(bytes).buffer", {
      bytes: [...new Uint8Array(state)],
    }) as ArrayBuffer;
    for (const given of [
      state,
      own,
      Buffer.from(own),
      new DataView(padded.buffer, 3, state.byteLength),
      foreignState,
    ]) {
      const other = clipper.prepare([make(6, 8)], autoClip({ history: 3, percentile: 100 }));
      other.restore(given);
      expect(new Uint8Array(await other.state())).toEqual(new Uint8Array(state));
    }
    const message = "restore's state is a SharedArrayBuffer; pass what state() gave.";
    await refused(() => clip.restore(new SharedArrayBuffer(8) as unknown as ArrayBuffer), TypeError, message);
  });
});

test("measureNorm takes what others take", async () => {
  expect((await clipGradients(new Map([["w", new Float32Array([3, 4])]]), measureNorm())).norm).toBe(5);
});
