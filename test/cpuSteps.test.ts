/** Whole steps on arrays, worked out by hand. */
import { describe, expect, test } from "vitest";
import { bindArrays } from "../src/cpu/arrays.ts";
import { checkGradients, readGivenGradients } from "../src/gradients.ts";
import {
  adaGC,
  type Clipper,
  clipByGlobalNorm,
  clipByGroupNorm,
  clipByNorm,
  clipPerExample,
  createClipper,
  type GradientView,
  skipAbove,
} from "../src/index.ts";
import { checkOptions } from "../src/options.ts";

const clipper: Clipper = await createClipper({ backend: "cpu" });
const f32 = (...values: number[]) => Float32Array.from(values);

/** The report of one step, and what it has left. */
async function stepOf(
  views: Float32Array[],
  ...rest: [Parameters<Clipper["prepare"]>[1], Parameters<Clipper["prepare"]>[2]?]
) {
  const clip = clipper.prepare(views, ...rest);
  clip.run();
  return { ...(await clip.report()), left: views.map((values) => [...values]) };
}

describe("a scale", () => {
  test("below the normal numbers keeps 24 bits, as a product of two", async () => {
    const { scale } = await stepOf([f32(1.5)], clipByGlobalNorm(2 ** -126));
    expect(scale).toBe(Math.fround(2 / 3) * 2 ** -126);
  });

  test("is no smaller than the product of the two smallest normal numbers: below it is 0", async () => {
    const least = clipByGlobalNorm(2 ** -126);
    expect((await stepOf([f32(2 ** 126)], least)).scale).toBe(2 ** -252);
    expect((await stepOf([f32(1.5 * 2 ** 126)], least)).scale).toBe(0);
  });
});

describe("a step", () => {
  test("with norms of its own for each gradient is skipped where one of them is not finite", async () => {
    const { skippedSteps, left } = await stepOf([f32(Number.NaN), f32(2)], clipByNorm(1));
    expect([skippedSteps, left]).toEqual([1, [[0], [1]]]);
  });

  test("of independent members is skipped where each of them is", async () => {
    const members = clipByGlobalNorm(1, { members: 2 });
    expect((await stepOf([f32(Number.NaN, 0.5)], members)).skippedSteps).toBe(0);
    expect((await stepOf([f32(Infinity, -Infinity)], members)).skippedSteps).toBe(1);
  });

  test("with few examples has no norm and a scale of 1 for the others", async () => {
    const memory = f32(3, 0, 0, 0);
    const clip = clipper.prepare([memory], clipPerExample(1, { examples: 4 }));
    clip.run([memory.subarray(0, 1)]);
    const { memberNorms, memberScales, clippedMembers } = await clip.report();
    expect([...(memberNorms ?? [])]).toEqual([3, Number.NaN, Number.NaN, Number.NaN]);
    expect([[...(memberScales ?? [])], clippedMembers]).toEqual([[Math.fround(1 / 3), 1, 1, 1], 1]);
  });
});

describe("sums of examples", () => {
  test("take the scales of their own layer", () => {
    const [first, second] = [f32(3, 4, 6, 8), f32(10, 0)];
    const method = clipPerExample(Math.SQRT2, { examples: 2, perLayer: true });
    clipper.prepare([first, second], method).run();
    // The norms are 5 and 10, and 10 and 0, and the bound of each layer is 1.
    expect([[...first], [...second]]).toEqual([
      [expect.closeTo(1.2, 6), expect.closeTo(1.6, 6), 6, 8],
      [expect.closeTo(1, 6), 0],
    ]);
  });

  test("have every element of long ones", () => {
    const memory = Float32Array.from({ length: 2 * 5000 }, (_, i) => i % 5000);
    clipper.prepare([memory], clipPerExample(Infinity, { examples: 2 })).run();
    expect([...memory.subarray(0, 5000)]).toEqual(Array.from({ length: 5000 }, (_, i) => 2 * i));
  });
});

describe("a warm-up", () => {
  const [norms, leave] = [{ relative: 1.5, decay: 0.5, warmup: 1 }, { skip: skipAbove(20) }];

  test("remembers each norm as the clip that all share left it", async () => {
    const of = async (maxNorm: number) => {
      const memory = f32(8);
      const clip = clipper.prepare([memory], adaGC({ ...norms, maxNorm }));
      clip.run();
      memory[0] = 16;
      clip.run();
      return memory[0];
    };
    expect([await of(100), await of(4)]).toEqual([12, 6]);
  });

  test("skips a spike as such, and counts neither it nor a step without gradients", async () => {
    const memory = f32(40);
    const clip = clipper.prepare([memory], adaGC({ ...norms, maxNorm: 4 }), leave);
    clip.run();
    clip.run([null]);
    expect(await clip.report()).toMatchObject({ steps: 2, spikeSteps: 1, skippedSteps: 1 });
    memory[0] = 8;
    clip.run();
    expect(memory[0]).toBe(4);
  });
});

test("a skip rule judges where there is something to judge", () => {
  const judged = (views: unknown[], method = clipByGlobalNorm(1), totalNorm?: number, skip = skipAbove(1)) => {
    const list = checkGradients(readGivenGradients(views as GradientView[]));
    return bindArrays(list, method, checkOptions({ skip, totalNorm }, method)).unjudged;
  };
  const view = (group?: string) => ({ buffer: f32(1), group });
  expect(judged([view()])).toEqual([]);
  expect(judged([{ length: 4 }])).toBeUndefined();
  expect(judged([{ length: 4 }], undefined, 1)).toEqual([]);
  expect(judged([view("a"), view("b")], clipByGroupNorm({ a: 1, b: Infinity }))).toEqual([1]);
  expect(judged([view("b")], clipByGroupNorm({ a: 1, b: Infinity }))).toBeUndefined();
});
