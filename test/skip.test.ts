/** Every skip rule that is wrong is refused, before anything runs. */
import { describe, expect, test } from "vitest";
import {
  adaGC,
  autoClip,
  type ClipMethod,
  clipByGlobalNorm,
  clipByNorm,
  clipByValue,
  clipGradients,
  clipPerExample,
  type SkipRule,
  skipAbove,
  skipSpikes,
  zClip,
} from "../src/index.ts";
import { bench, cpu } from "./support/bench.ts";
import { refused, refusedOnArrays } from "./support/refused.ts";

const array = Float32Array.of(3, 4);
const LIMITS = "1.1754943508222875e-38 to 3.4028234663852886e+38";

describe("a number that is wrong", () => {
  test.each([0, -1, Number.NaN, Infinity, 1e39, 1e-40])("skipAbove(%s)", async (norm) => {
    await refused(
      () => skipAbove(norm),
      RangeError,
      `skipAbove's norm is ${norm}; pass a positive float32 from ${LIMITS}.`,
    );
  });

  test.each([
    [{ sigmas: 0 }, `sigmas is 0; pass a positive float32 from ${LIMITS}.`],
    [{ sigmas: -6 }, `sigmas is -6; pass a positive float32 from ${LIMITS}.`],
    [{ window: 1 }, "window is 1; pass a whole number from 2 to 65536."],
    [{ window: 65_537 }, "window is 65537; pass a whole number from 2 to 65536."],
    [{ window: 2.5 }, "window is 2.5; pass a whole number from 2 to 65536."],
    [{ warmup: 2 }, "warmup is 2; pass a whole number from 3 to 1000000."],
    [{ warmup: Number.NaN }, "warmup is NaN; pass a whole number from 3 to 1000000."],
  ])("skipSpikes(%o)", async (options, message) => {
    await refused(() => skipSpikes(options), RangeError, `skipSpikes's ${message}`);
  });
});

test("another type, and an option that is not known, are refused", async () => {
  const notNumber = `skipAbove's norm is the string "5"; pass a positive float32 from ${LIMITS}.`;
  await refused(() => skipAbove("5" as never), TypeError, notNumber);
  await refused(
    () => skipSpikes({ sigma: 6 } as never),
    TypeError,
    'skipSpikes\'s options has an unknown property "sigma"; it takes sigmas, window, warmup and loss.',
  );
  for (const [value, shown] of [
    [5, "5"],
    [{}, "an Object"],
    [skipAbove, "a function"],
    [clipByGlobalNorm(1), "an Object"],
    [{ check() {} }, "an Object"],
    [{ ...skipAbove(1), begin: undefined }, "an Object"],
    [{ ...skipSpikes(), passes: null }, "an Object"],
  ] as const) {
    await refusedOnArrays(
      [array],
      () => cpu.prepare([array], clipByGlobalNorm(1), { skip: value as unknown as SkipRule }),
      TypeError,
      `options.skip is ${shown}; pass what skipAbove(100) or skipSpikes() returns.`,
    );
  }
});

describe("a method that has no step to skip", () => {
  const members = clipByGlobalNorm(1, { members: 2 });
  test.each<[string, ClipMethod, string]>([
    ["clipByValue", clipByValue(1), "it takes no norm"],
    [
      "clipPerExample",
      clipPerExample(1, { examples: 2 }),
      "a skip that depends on the data breaks the accounting of privacy",
    ],
    ["clipByGlobalNorm", members, "its members are networks of their own"],
  ])("%s", async (name, method, why) => {
    for (const skip of [skipAbove(1), skipSpikes()]) {
      await refusedOnArrays(
        [array],
        () => cpu.prepare([array], method, { skip }),
        TypeError,
        `options.skip is ${skip.name}, but ${name} has no step to skip: ${why}; leave it out.`,
      );
    }
  });
});

describe("a loss that is wrong", () => {
  test("a buffer or an array that is too small", async () => {
    const buffer = bench.buffer([1]);
    await refused(
      () => skipSpikes({ loss: { buffer, byteOffset: 4 } }),
      RangeError,
      "skipSpikes's loss needs 4 bytes from byte 4, but the buffer has 4; pass a buffer that holds one float32.",
    );
    await refused(
      () => skipSpikes({ loss: { buffer: new Float32Array(1), byteOffset: 4 } }),
      RangeError,
      "skipSpikes's loss needs 4 bytes from byte 4, but the array has 4; pass an array that holds one float32.",
    );
    await refused(
      () => skipSpikes({ loss: { buffer: new Float64Array(1) as never } }),
      TypeError,
      "skipSpikes's loss.buffer is a Float64Array; pass a GPUBuffer or a Float32Array that holds one float32.",
    );
  });

  test("one that is not where the gradients are", async () => {
    const onGpu = skipSpikes({ loss: { buffer: bench.buffer([1]) } });
    await refusedOnArrays(
      [array],
      () => cpu.prepare([array], clipByGlobalNorm(1), { skip: onGpu }),
      TypeError,
      "options.skip's loss is a GPUBuffer, but the gradients are arrays; pass a Float32Array.",
    );
    const inArray = skipSpikes({ loss: { buffer: new Float32Array(1) } });
    await bench.refuses(
      () => bench.clipper.prepare([bench.buffer([3, 4])], clipByGlobalNorm(1), { skip: inArray }),
      TypeError,
      "options.skip's loss is a Float32Array, but the gradients are GPU buffers; pass a GPUBuffer.",
    );
  });
});

test("a state of another window, or without the rule's, is refused and changes nothing", async () => {
  const options = { skip: skipSpikes({ window: 8, warmup: 3 }) };
  const gradient = new Float32Array([3, 4]);
  const clip = cpu.prepare([gradient], autoClip({ history: 4 }), options);
  clip.run();
  const state = await clip.state();
  const others = [
    cpu.prepare([gradient], autoClip({ history: 4 })),
    cpu.prepare([gradient], clipByGlobalNorm(1), options),
    cpu.prepare([gradient], autoClip({ history: 4 }), { skip: skipSpikes({ window: 9, warmup: 3 }) }),
  ];
  for (const other of others) {
    expect(() => clip.restore(new ArrayBuffer(0))).toThrow(RangeError);
    expect(() => other.restore(state)).toThrow(RangeError);
  }
  const damaged = new Float64Array(state.slice(0));
  damaged[damaged.length - 1] = Number.NaN;
  expect(() => clip.restore(damaged)).toThrow("The state of skipSpikes with a window of 8 is damaged");
  expect(await clip.state()).toEqual(state);
});

test("skipAbove remembers nothing", async () => {
  const clip = cpu.prepare([new Float32Array(1)], clipByNorm(1), { skip: skipAbove(5) });
  await expect(clip.state()).rejects.toThrow("clipByNorm remembers nothing");
});

test("a loss in an array is read at each step", async () => {
  const loss = new Float32Array(1);
  const gradient = new Float32Array(1);
  const clip = cpu.prepare([gradient], clipByGlobalNorm(1), {
    skip: skipSpikes({ sigmas: 2, warmup: 3, loss: { buffer: loss } }),
  });
  for (const value of [1, 1.1, 1, 50, 1]) {
    gradient.fill(0.5);
    loss[0] = value;
    clip.run();
    expect(gradient[0]).toBe(value === 50 ? 0 : 0.5);
  }
  structuredClone(loss.buffer, { transfer: [loss.buffer] });
  await refusedOnArrays(
    [gradient],
    () => clip.run(),
    TypeError,
    "skipSpikes's loss is on a detached ArrayBuffer; pass the array that owns it now.",
  );
  const { spikeSteps } = await clipGradients([gradient], clipByGlobalNorm(1), { skip: skipAbove(0.25) });
  expect(spikeSteps).toBe(1);
});

test("a method that finds its groups takes a skip rule before there are any", async () => {
  const method = zClip({ per: "group" });
  const clip = cpu.prepare([], method, { skip: skipAbove(1) });
  clip.run();
  expect(await clip.report()).toMatchObject({ norm: 0, steps: 1, skippedSteps: 0 });
});

test("a loss that is lost leaves the report of the step before", async () => {
  const loss = Float32Array.of(1);
  const clip = cpu.prepare([Float32Array.of(3, 4)], clipByGlobalNorm(100), {
    skip: skipSpikes({ loss: { buffer: loss } }),
    tensorNorms: true,
  });
  clip.run();
  structuredClone(loss.buffer, { transfer: [loss.buffer] });
  const next = [Float32Array.of(30, 40)];
  await refusedOnArrays(next, () => clip.run(next), TypeError, /detached ArrayBuffer/);
  expect(await clip.report()).toMatchObject({ norm: 5, steps: 1, tensorNorms: Float64Array.of(5) });
});

test("adaGC takes a state of a longer warm-up", async () => {
  const gradient = () => [Float32Array.of(3, 4)];
  const long = cpu.prepare(gradient(), adaGC({ warmup: 9 }));
  for (let step = 0; step < 5; step++) long.run(gradient());
  const short = cpu.prepare(gradient(), adaGC({ warmup: 2, relative: 1, maxNorm: 1 }));
  short.restore(await long.state());
  short.run(gradient());
  expect((await short.report()).clipped).toBe(true);
});
