/** What methods are made of, part by part, on arrays: worked out by hand. */
import { describe, expect, test } from "vitest";
import { floatBits } from "../src/floats.ts";
import {
  adaptiveGradClip,
  autoClip,
  type ClipMethod,
  type Clipper,
  clipByGlobalNorm,
  clipByGroupNorm,
  clipByNorm,
  clipPerExample,
  createClipper,
  measureNorm,
  normalizeByGlobalNorm,
  type SkipRule,
  skipAbove,
  skipSpikes,
  zClip,
} from "../src/index.ts";
import { readMethod } from "../src/methods/method.ts";
import { normOf } from "../src/norms/normOf.ts";
import { autoStruct } from "../src/rules/auto.ts";
import type { Remembering } from "../src/rules/rule.ts";
import { aboveStruct } from "../src/skips/skipAbove.ts";
import { spikesStruct } from "../src/skips/skipSpikes.ts";
import { notedDevice } from "./support/notedDevice.ts";

const clipper: Clipper = await createClipper({ backend: "cpu" });
const f32 = (...values: number[]) => Float32Array.from(values);

async function stepOf(values: Float32Array, ...rest: [ClipMethod, Parameters<Clipper["prepare"]>[2]?]) {
  const clip = clipper.prepare([values], ...rest);
  clip.run();
  const { scale, clipped } = await clip.report();
  return [[...values], scale, clipped];
}

test("1, 2 and infinity have norms of their own, all else is a p-norm", () => {
  expect([1, 2, Infinity, 3].map((p) => normOf(p, "x").name)).toEqual(["l1", "l2", "linf", "lp"]);
});

test("the bits of a float32", () => {
  expect([0, 1, -2, Infinity, 1e-3].map(floatBits)).toEqual([0, 0x3f800000, 0xc0000000, 0x7f800000, 0x3a83126f]);
});

describe("normalizing", () => {
  test("makes longer and shorter what is not zero, and is a clip where it changes something", async () => {
    const [half, fifth] = [Math.fround(0.5), Math.fround(0.2)];
    expect(await stepOf(f32(3, 4), normalizeByGlobalNorm(1))).toEqual([
      [3 * fifth, 4 * fifth].map(Math.fround),
      fifth,
      true,
    ]);
    expect(await stepOf(f32(6, 8), normalizeByGlobalNorm(5))).toEqual([[3, 4], half, true]);
    expect(await stepOf(f32(3, 4), normalizeByGlobalNorm(10))).toEqual([[6, 8], 2, true]);
    expect(await stepOf(f32(3, 4), normalizeByGlobalNorm(5))).toEqual([[3, 4], 1, false]);
    expect(await stepOf(f32(0, 0), normalizeByGlobalNorm(5))).toEqual([[0, 0], 1, false]);
    // Their norm is 5 after gradScale: the scale is that alone.
    expect(await stepOf(f32(6, 8), normalizeByGlobalNorm(5), { gradScale: 0.5 })).toEqual([[3, 4], 0.5, false]);
  });
});

test("automatic clipping divides by the norm and its own number", async () => {
  const memory = f32(3, 1);
  clipper.prepare([memory], clipPerExample(2, { examples: 2, automatic: 1 })).run();
  // 3 * 2 / (3 + 1) + 1 * 2 / (1 + 1)
  expect(memory[0]).toBe(2.5);
});

test("a group is clipped to its bound, without an eps", async () => {
  const buffer = f32(30, 40);
  clipper.prepare([{ buffer, group: "a" }], clipByGroupNorm({ a: 5 })).run();
  expect([...buffer]).toEqual([3, 4]);
  expect(() => clipByGroupNorm({})).toThrow("clipByGroupNorm's bounds has no group; pass one, such as { encoder: 1 }.");
});

test("a gradient's group needs a bound", () => {
  const prepared = (view: object, method: ClipMethod) => clipper.prepare([{ buffer: f32(1), ...view }], method);
  expect(() => prepared({ group: "b" }, clipByGroupNorm({ a: 1 }))).toThrow(
    'has the group "b", for which clipByGroupNorm has',
  );
  expect(() => prepared({}, clipByGroupNorm({ a: 1 }))).toThrow(
    "has no group, and clipByGroupNorm no bound for others;",
  );
  expect(() => prepared({}, clipByGroupNorm({ a: 1 }, { others: 2 }))).not.toThrow();
});

test("the axes of adaptiveGradClip are those of unitwise_norm, and a shape with more is refused", () => {
  const { grouping } = adaptiveGradClip();
  const units = (...shape: number[]) => {
    if (grouping.kind !== "units") throw new Error("no units");
    const { count, size } = grouping.unitsOf(shape, "w");
    return [count, size];
  };
  expect([units(6), units(1, 6, 1), units(2, 3), units(2, 3, 5), units(2, 3, 5, 7), units(2, 3, 5, 7, 2)]).toEqual([
    [1, 6],
    [1, 6],
    [3, 2],
    [15, 2],
    [7, 30],
    [2, 210],
  ]);
  expect(() => units(2, 3, 5, 7, 2, 2)).toThrow("w has shape [2,3,5,7,2,2], with 6 axes");
});

test("parameters of gradients that are absent are absent", () => {
  const view = (...values: number[]) => ({ buffer: f32(...values), shape: [2], parameter: { buffer: f32(3, 4) } });
  const clip = clipper.prepare([view(3, 4), view(6, 8)], adaptiveGradClip({ clipping: 0.5 }));
  const second = view(6, 8);
  clip.run([null, second]);
  expect([...second.buffer]).toEqual([1.5, 2]);
});

test.each(["name", "norm", "rule", "grouping", "passes"])("a method without its %s is refused", (key) => {
  const subject = `method.${key}`;
  expect(() => readMethod({ ...clipByGlobalNorm(1), [key]: 5 })).toThrow(
    `${subject} is 5; pass what a method such as clipByGlobalNorm(1) returns.`,
  );
});

test("a method's grouping is one of six, and accumulate is a boolean", () => {
  const changed = (part: object) => () => readMethod({ ...clipByGlobalNorm(1), ...part });
  expect(changed({ grouping: { kind: "zap" } })).toThrow('method.grouping.kind is the string "zap"; use "all" or ');
  expect(changed({ accumulate: 5 })).toThrow("method.accumulate is 5; pass true or false.");
});

test("what is declared and absent suits the method too", () => {
  const prepare = (form: object, method: ClipMethod) => () => clipper.prepare([form as never], method);
  const inGroup = (group: string) => prepare({ length: 2, group }, clipByGroupNorm({ a: 1 }));
  expect(inGroup("a")).not.toThrow();
  expect(inGroup("b")).toThrow('gradients[0] has the group "b", for which clipByGroupNorm has no bound');
  expect(prepare({ shape: [2], length: 2 }, clipByNorm(1, { axes: [3] }))).toThrow(RangeError);
});

describe("a skip rule", () => {
  test("has a threshold in the GPU's words", () => {
    const { memory } = skipAbove(3).begin(undefined);
    expect(aboveStruct.read(memory.toWords(0), 0, "norm")).toBe(0x40400000);
  });

  test("has its list behind those of the method's rule", () => {
    const rule = (autoClip({ history: 4 }).rule as unknown as Remembering).begin(1);
    const words = skipSpikes({ window: 3, warmup: 3 }).begin(rule).memory.toWords(0);
    expect(spikesStruct.read(words, autoStruct.words, "listAt")).toBe(3 * 4);
    const alone = skipSpikes({ window: 3, warmup: 3 }).begin(undefined).memory.toWords(0);
    expect(spikesStruct.read(alone, 0, "listAt")).toBe(0);
  });

  test("is refused where every bound is Infinity, and nowhere else", () => {
    const refused = "but clipByGroupNorm has no step to skip: every bound is Infinity; leave it out.";
    const prepared = (bounds: Record<string, number>) =>
      clipper.prepare([{ buffer: f32(1), group: "a" }], clipByGroupNorm(bounds), { skip: skipAbove(1) });
    expect(() => prepared({ a: Infinity })).toThrow(refused);
    expect(() => prepared({ a: Infinity, b: Infinity })).toThrow(refused);
    expect(() => prepared({ a: 1, b: Infinity })).not.toThrow();
  });

  test("has a mean and a deviation of what came before", () => {
    const judge = () => {
      const { isSpike } = skipSpikes({ sigmas: 3, window: 8, warmup: 4 }).begin(undefined);
      for (const norm of [8, 10, 12]) expect(isSpike(norm)).toBe(false);
      return isSpike;
    };
    expect([judge()(15.9), judge()(16.1)]).toEqual([false, true]);
  });

  test("takes a loss that is whole, where the gradients are", async () => {
    const loss = (buffer: Float32Array, byteOffset: number) => skipSpikes({ loss: { buffer, byteOffset } });
    expect(() => loss(f32(1), 0)).not.toThrow();
    expect(() => loss(f32(1, 2), 4)).not.toThrow();
    expect(() => loss({ resourceType: "buffer" } as never, 0)).toThrow(
      "skipSpikes's loss.buffer is TypeGPU's buffer; pass",
    );
    expect(() => loss(f32(1), 4)).toThrow("skipSpikes's loss needs 4 bytes from byte 4, but the array has 4; pass");
    const on = notedDevice();
    const gpu = await createClipper({ device: on.device });
    const prepared = (skip: SkipRule) => gpu.prepare([on.buffer(8)], undefined, { skip });
    expect(() => prepared(skipSpikes())).not.toThrow();
    expect(() => prepared(loss(f32(1), 0))).toThrow(
      "options.skip's loss is a Float32Array, but the gradients are GPU buffers",
    );
  });

  test("counts to 2^32 - 1", () => {
    const skip = skipSpikes({ window: 3, warmup: 3 }).begin(undefined);
    const saved = new Float64Array(skip.memory.save());
    saved[saved.indexOf(0)] = 2 ** 32 - 1;
    skip.memory.load(saved.buffer);
    skip.isSpike(0);
    expect(skip.memory.save()).toEqual(saved.buffer);
    saved[saved.indexOf(2 ** 32 - 1)] = 2 ** 32;
    expect(() => skip.memory.load(saved.buffer)).toThrow(RangeError);
  });
});

test("a norm is measured, and nothing else changes", async () => {
  expect(await stepOf(f32(3, 4), measureNorm())).toEqual([[3, 4], 1, false]);
});

test("a deviation of 0 has a millionth of room", () => {
  const memory = (zClip({ warmup: 2 }).rule as unknown as Remembering).begin(1);
  const boundOf = (norm: number) => memory.boundFor({ norm, maxNorm: Infinity, weight: 0, parameterNorm: 0 });
  expect([boundOf(1), boundOf(1), boundOf(1 + 2e-6), boundOf(1.5)]).toEqual([
    Infinity,
    Infinity,
    Infinity,
    expect.closeTo(1, 4),
  ]);
});
