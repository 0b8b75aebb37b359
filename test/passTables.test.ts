/** The tables of kernels for one norm and for several, planned without a device and worked out by hand. */
import { describe, expect, test } from "vitest";
import { floatBits } from "../src/floats.ts";
import {
  adaptiveGradClip,
  type ClipMethod,
  type ClipOptions,
  clipByGlobalNorm,
  clipByGroupNorm,
  clipByNorm,
  clipPerExample,
  type GradientView,
  skipAbove,
} from "../src/index.ts";
import { settingsStruct } from "../src/webgpu/passes/decide.ts";
import type { Dispatch } from "../src/webgpu/passes/pass.ts";
import { MOST_UNIT_SEGMENTS } from "../src/webgpu/segments.ts";
import { segmentStruct } from "../src/webgpu/table.ts";
import { fakeBuffer, fieldsOf, headOf, kindsOf, planned, rowsOf, view, wordsOf } from "./support/planned.ts";

const NEVER = 0xffffffff;
const along = (axes: number[]) => clipByNorm(1, { axes });

describe("the dispatches of a norm", () => {
  test("add to the same partials, those of the largest first", () => {
    const [wide, narrow] = [view(64), view(640, { dtype: "f16" })];
    const norms = planned(clipByGlobalNorm(1), [wide, narrow]).named("norm");
    expect(norms.map(({ name, workgroups }) => [name, workgroups])).toEqual([
      ["norm l2 f16 vec4 by 8", 3],
      ["norm l2 f32 vec4 by 8", 1],
    ]);
    expect(norms.map(headOf).map(({ accumulates, firstPartial }) => [accumulates, firstPartial])).toEqual([
      [0, 0],
      [1, 0],
    ]);
  });

  test("leave partials of their own where there are several norms", () => {
    const { named } = planned(clipByNorm(1), [view(64), view(640, { dtype: "f16" }), view(384)]);
    const norms = named("norm");
    expect(norms.map(headOf).map(({ accumulates, firstPartial }) => [accumulates, firstPartial])).toEqual([
      [0, 0],
      [0, 4],
    ]);
    expect(norms.map((one) => rowsOf(segmentStruct, one).map(({ piece, tile }) => [piece, tile]))).toEqual([
      [
        [0, 0],
        [2, 1],
      ],
      [[1, 0]],
    ]);
  });
});

describe("the segments of a norm", () => {
  test("stand in the order of their groups where there are several norms, and in their own where there is one", () => {
    const views = [view(64, { group: "b" }), view(64, { group: "a" })];
    const piecesOf = (method: ClipMethod) =>
      rowsOf(segmentStruct, planned(method, views).named("norm")[0]).map(({ piece }) => piece);
    expect(piecesOf(clipByGroupNorm({ a: 1, b: 1 }))).toEqual([1, 0]);
    expect(piecesOf(clipByGlobalNorm(1))).toEqual([0, 1]);
  });

  test("are fewer in a dispatch only where units are numbered", () => {
    const buffer = fakeBuffer();
    const views = Array.from({ length: 200 }, (_, i) => view(64, { buffer, byteOffset: 512 * i, shape: [64] }));
    expect(planned(clipByGlobalNorm(1), views).named("norm")).toHaveLength(1);
    expect(planned(along([0]), views).named("norm").length).toBe(Math.ceil(200 / MOST_UNIT_SEGMENTS));
  });
});

describe("finish groups", () => {
  const settingsOf = (dispatch: Dispatch | undefined) => fieldsOf(settingsStruct, wordsOf(dispatch, 4));
  /** Bundles of seven words; behind all of them ranges of two. */
  function bundlesOf(dispatch: Dispatch | undefined, count: number) {
    const words = [...wordsOf(dispatch, 5)];
    const ranges = (at = 0, many = 0) =>
      Array.from({ length: many }, (_, i) => words.slice(at + 2 * i, at + 2 * i + 2));
    return Array.from({ length: count }, (_, i) => {
      const [group, at, many, ownedAt, owned, weight, traits] = words.slice(7 * i, 7 * i + 7);
      return { group, ranges: ranges(at, many), owned: ranges(ownedAt, owned), weight, traits };
    });
  }
  const bundle = (group: number, ranges: number[][], changes = {}) => ({
    group,
    ranges,
    owned: [],
    weight: 0,
    traits: 0,
    ...changes,
  });

  test("find the partials of each gradient, and none of an absent one", () => {
    const views = [view(64), { length: 8 } as GradientView, view(640, { dtype: "f16" }), view(384)];
    const { named, partialCount } = planned(clipByNorm(1), views);
    const [groups] = named("finish groups");
    expect(bundlesOf(groups, 4)).toEqual([
      bundle(0, [[0, 1]]),
      bundle(1, [], { traits: 1 }),
      bundle(2, [[4, 3]]),
      bundle(3, [[1, 3]]),
    ]);
    expect(wordsOf(groups, 5)).toHaveLength(7 * 4 + 2 * 3);
    expect(settingsOf(groups)).toMatchObject({
      partialCount: 1,
      groupCount: 4,
      bundleCount: 4,
      firstPartial: 7,
      rounds: 1,
    });
    expect(settingsOf(named("finish l2")[0])).toMatchObject({ bundleCount: 0, firstPartial: 7, rounds: 0 });
    expect([groups?.workgroups, partialCount]).toEqual([1, 8]);
  });

  test("find the partials of all pieces of a gradient in one range", () => {
    const [groups] = planned(clipByNorm(1), [view(192), view(64)], {}, { maxBinding: 512 }).named("finish groups");
    expect(bundlesOf(groups, 2)).toEqual([bundle(0, [[0, 3]]), bundle(1, [[3, 1]])]);
    const [last] = planned(clipByNorm(1), [view(64), view(192)], {}, { maxBinding: 512 }).named("finish groups");
    expect(bundlesOf(last, 2)).toEqual([bundle(0, [[0, 1]]), bundle(1, [[1, 3]])]);
    const layers = planned(clipPerExample(1, { examples: 4, perLayer: true }), [view(64), view(64)]);
    expect(bundlesOf(layers.named("finish groups")[0], 8).map(({ group }) => group)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test("decide one group where there is no gradient", () => {
    const [groups] = planned(clipByNorm(1), []).named("finish groups");
    expect([...wordsOf(groups, 5)]).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect(settingsOf(groups)).toMatchObject({ groupCount: 1, bundleCount: 0 });
  });

  test("have as few rounds as 256 workgroups of 8 groups need", () => {
    const of = (count: number) => {
      const { named, partialCount } = planned(along([0]), [view(2 * count, { shape: [2, count] })]);
      const [groups] = named("finish groups");
      return [groups?.workgroups, settingsOf(groups).rounds, settingsOf(groups).firstPartial, partialCount];
    };
    expect([8, 9, 2048, 2049, 4097].map(of)).toEqual([
      [1, 1, 8, 9],
      [2, 1, 9, 11],
      [256, 1, 2048, 2304],
      [129, 2, 2049, 2178],
      [171, 3, 4097, 4268],
    ]);
  });

  test("know groups that are independent, absent, or judged by no skip rule", () => {
    const traits = (dispatch: Dispatch | undefined, count: number) =>
      bundlesOf(dispatch, count).map((one) => one.traits);
    const members = planned(clipByGlobalNorm(1, { members: 2 }), [view(64)]).named("finish groups")[0];
    expect(traits(members, 2)).toEqual([2, 2]);
    const examples = planned(clipPerExample(1, { examples: 4 }), [view(64, { length: 48 })]);
    expect(traits(examples.named("finish groups")[0], 4)).toEqual([2, 2, 2, 2]);
    const views = [view(64, { group: "a" }), view(64, { group: "b" })];
    const skip = planned(clipByGroupNorm({ a: 2, b: Infinity }), views, { skip: skipAbove(1) });
    const [inPart] = skip.named("finish groups");
    expect(bundlesOf(inPart, 2)).toEqual([
      bundle(0, [[0, 1]], { weight: floatBits(2) }),
      bundle(1, [[1, 1]], { weight: floatBits(Infinity), traits: 4 }),
    ]);
    expect(inPart?.name).toBe("finish groups l2 groups in part");
    expect(inPart?.source()).not.toBe(
      planned(clipByGroupNorm({ a: 2, b: 1 }), views)
        .named("finish groups")[0]
        ?.source(),
    );
    // Its partials are there twice: of all, and of what is judged.
    const wide = { shape: [2, 4096] };
    expect(planned(along([0]), [view(8192, wide)]).partialCount).toBe(4096 + 256);
    expect(skip.partialCount).toBe(8);
    const small = { grid: { lanes: 8, minTiles: 1, normWorkgroups: 2, scaleWorkgroups: 2, finishLanes: 64 } };
    expect(planned(clipByGroupNorm({ a: 2, b: Infinity }), views, { skip: skipAbove(1) }, small).partialCount).toBe(4);
    expect(planned(clipByGroupNorm({ a: 2, b: 1 }), views, { skip: skipAbove(1) }, small).partialCount).toBe(3);
  });

  test("find the partials of parameters behind those of gradients", () => {
    const views = [view(64, { shape: [4, 16], parameter: { buffer: fakeBuffer() } })];
    const [groups] = planned(adaptiveGradClip({ axes: [0] }), views).named("finish groups");
    expect(bundlesOf(groups, 1)).toEqual([bundle(0, [[0, 1]], { owned: [[16, 1]], weight: floatBits(1e-3) })]);
  });

  test("decide each gradient for tensorNorms first, then the groups of the method", () => {
    const views = [view(64, { group: "b" }), view(640, { group: "a" }), view(64, { group: "b" })];
    const options: ClipOptions = { tensorNorms: true, totalNorm: 3, skip: skipAbove(1) };
    const { named } = planned(clipByGroupNorm({ a: 1, b: Infinity }), views, options);
    const [alone, joint] = named("finish groups");
    expect([alone, joint].map((one) => [one?.name, kindsOf(one as Dispatch)[1]])).toEqual([
      ["finish groups l2 global", "tensorNorms"],
      ["finish groups l2 groups in part", "entries"],
    ]);
    expect(bundlesOf(alone, 3)).toEqual([bundle(0, [[0, 1]]), bundle(1, [[1, 5]]), bundle(2, [[6, 1]])]);
    expect(bundlesOf(joint, 2).map(({ group, ranges }) => [group, ranges])).toEqual([
      [0, [[1, 5]]],
      [
        1,
        [
          [0, 1],
          [6, 1],
        ],
      ],
    ]);
    expect(
      [alone, joint]
        .map(settingsOf)
        .map(({ totalNormIndex, firstPartial, groupCount }) => [totalNormIndex, firstPartial, groupCount]),
    ).toEqual([
      [NEVER, 7, 3],
      [0xfffffffe, 8, 2],
    ]);
    // One norm of all is that of their partials.
    const whole = planned(clipByGlobalNorm(1), views, { tensorNorms: true });
    expect(whole.named("finish groups")).toHaveLength(1);
    expect(settingsOf(whole.named("finish l2")[0])).toMatchObject({ firstPartial: 7, partialCount: 1, groupCount: 0 });
  });

  test("leave the verdict of a skip rule to a pass with 64 groups a workgroup, at most 1,024 of them", () => {
    const of = (method: ClipMethod, count: number) =>
      planned(method, [view(2 * count, { shape: [2, count] })], { skip: skipAbove(1) })
        .named("skip groups")
        .map(({ name, workgroups }) => [name, workgroups]);
    expect(of(along([0]), 64)).toEqual([["skip groups by 64", 1]]);
    expect(of(along([0]), 65)).toEqual([["skip groups by 64", 2]]);
    expect(of(along([0]), 65_537)).toEqual([["skip groups by 64", 1024]]);
    expect(of(clipByGlobalNorm(1), 64)).toEqual([]);
  });
});
