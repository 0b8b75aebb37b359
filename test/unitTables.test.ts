/** The tables of kernels for units along axes and for examples, planned without a device and worked out by hand. */
import { describe, expect, test } from "vitest";
import { checkGradients, readGivenGradients } from "../src/gradients.ts";
import { adaptiveGradClip, type ClipMethod, clipByNorm, clipPerExample, type GradientView } from "../src/index.ts";
import { checkOptions } from "../src/options.ts";
import { exampleSegmentStruct } from "../src/webgpu/passes/sum_examples.ts";
import { unitSegmentStruct, unitsStruct } from "../src/webgpu/passes/unit_norm.ts";
import { elementUnitsStruct, outerStruct } from "../src/webgpu/passes/unit_scale.ts";
import { numberingOf, numberingStruct } from "../src/webgpu/passes/units.ts";
import { planOf } from "../src/webgpu/plan.ts";
import { segmentStruct } from "../src/webgpu/table.ts";
import { fakeBuffer, fieldsOf, headOf, LIMITS, planned, rowsOf, view, wordsOf } from "./support/planned.ts";

const NEVER = 0xffffffff;
const along = (axes: number[]) => clipByNorm(1, { axes });

describe("units", () => {
  const words = unitsStruct.words + 2 * numberingStruct.words;
  function unitsOf(method: ClipMethod, views: GradientView[]) {
    const { named, partialCount } = planned(method, views);
    const norms = named("unit norm");
    const [first] = norms;
    const table = wordsOf(first, 2);
    const rows = rowsOf(unitSegmentStruct, first);
    expect(table).toHaveLength(words * rows.length);
    const units = rows.map((_, row): Record<string, unknown> => {
      const at = words * row + unitsStruct.words;
      return {
        ...fieldsOf(unitsStruct, table, words * row),
        runs: fieldsOf(numberingStruct, table, at),
        kept: fieldsOf(numberingStruct, table, at + numberingStruct.words),
      };
    });
    return { rows, units, norms, first, partialCount, head: headOf(first) };
  }
  const numbering = (changes = {}) => ({
    period0: NEVER,
    period1: NEVER,
    period2: NEVER,
    stride: 0,
    change0: 0,
    change1: 0,
    change2: 0,
    unused: 0,
    ...changes,
  });
  const shaped = (...shape: number[]) =>
    view(
      shape.reduce((product, length) => product * length, 1),
      { shape },
    );

  test("of columns have lanes abreast, and of rows 64 lanes together", () => {
    const { units, rows, head, first } = unitsOf(along([0]), [shaped(4, 16), shaped(8192, 4)]);
    expect(units).toEqual([
      {
        ...{ count: 16, size: 4, team: 1, chunks: 1, firstPartial: 0, runLength: 4, valueStride: 16, runShift: 0 },
        runs: numbering(),
        kept: numbering({ stride: 1 }),
      },
      {
        ...{
          count: 4,
          size: 8192,
          team: 16,
          chunks: 2,
          firstPartial: 16,
          runLength: 8192,
          valueStride: 4,
          runShift: 4,
        },
        runs: numbering(),
        kept: numbering({ stride: 1 }),
      },
    ]);
    // A tile each for the 16 units, and for each half of the other 4 with 16 lanes.
    expect(rows.map(({ tile, elementCount, piece, slot }) => [tile, elementCount, piece, slot])).toEqual([
      [0, 64, 0, 0],
      [1, 32_768, 1, 1],
    ]);
    expect(head).toMatchObject({ segmentCount: 2, tilesPerWorkgroup: 1, power: 0 });
    expect([first?.workgroups, first?.name]).toEqual([3, "unit norm l2 f32 u32 by 64"]);
    const rowsOfOne = unitsOf(along([1]), [shaped(2, 65_536)]);
    expect(rowsOfOne.units).toEqual([
      {
        ...{
          count: 2,
          size: 65_536,
          team: 64,
          chunks: 4,
          firstPartial: 0,
          runLength: 65_536,
          valueStride: 1,
          runShift: 6,
        },
        runs: numbering(),
        kept: numbering({ stride: 65_536 }),
      },
    ]);
    expect([rowsOfOne.first?.workgroups, rowsOfOne.partialCount]).toEqual([8, 9]);
  });

  test("have runs along the innermost axis that is reduced", () => {
    const { units } = unitsOf(along([0, 2]), [shaped(3, 5, 7)]);
    expect(units).toEqual([
      {
        ...{ count: 5, size: 21, team: 8, chunks: 1, firstPartial: 0, runLength: 7, valueStride: 1, runShift: 1 },
        runs: numbering({ stride: 35 }),
        kept: numbering({ stride: 7 }),
      },
    ]);
  });

  test("share 2,048 partials, and have as many tiles as an invocation's loops allow", () => {
    const { units, head, first } = unitsOf(along([1]), [shaped(1024, 65_536)]);
    expect(units[0]).toMatchObject({ count: 1024, team: 64, chunks: 2 });
    // 24 for a tile; twice, as a chunk may begin inside a run: two blocks of 70, and 512 values read twice.
    expect(head.tilesPerWorkgroup).toBe(Math.floor(65_535 / (24 + 2 * (2 * 70 + 2 * 512))));
    expect(first?.workgroups).toBe(Math.ceil(2048 / 27));
    expect(unitsOf(along([1]), [shaped(4096, 16_384)]).units[0]).toMatchObject({ team: 64, chunks: 1 });
    const many = unitsOf(along([1]), [shaped(2, 2 ** 17), shaped(4096, 16_384)]).units;
    expect(many.map(({ chunks, firstPartial }) => [chunks, firstPartial])).toEqual([
      [3, 0],
      [1, 6],
    ]);
  });

  test("count the iterations of tiles and of blocks", () => {
    const most = (shape: number[]) => unitsOf(along([1]), [shaped(...shape)]).head.tilesPerWorkgroup;
    // 257 values a lane in two blocks, and 4 values of one lane.
    expect(most([4096, 16_448])).toBe(Math.floor(65_535 / (24 + 2 * (2 * 70 + 2 * 257))));
    expect(most([2 ** 20, 4])).toBe(Math.floor(65_535 / (24 + 2 * (70 + 2 * 4))));
    expect(unitsOf(along([1]), [shaped(2, 16_385)]).units[0]).toMatchObject({ chunks: 2 });
    expect(unitsOf(along([1]), [shaped(2, 16_384)]).units[0]).toMatchObject({ chunks: 1 });
  });

  test("of 16-bit elements begin where they lie", () => {
    const f16 = view(64, { dtype: "f16", shape: [4, 16], byteOffset: 262 });
    expect(unitsOf(along([0]), [f16]).rows).toEqual([
      { firstElement: 3, elementCount: 64, tile: 0, piece: 0, inTensor: 0, slot: 0, unused0: 0, unused1: 0 },
    ]);
  });

  test("of parameters come behind those of gradients", () => {
    const views = [{ ...shaped(4, 16), parameter: { buffer: fakeBuffer() } }];
    const method = adaptiveGradClip({ axes: [0] });
    const { norms, partialCount } = unitsOf(method, views);
    expect(norms.map((one) => fieldsOf(unitsStruct, wordsOf(one, 2)).firstPartial)).toEqual([0, 16]);
    expect(partialCount).toBe(34);
  });

  test("are numbered by periods", () => {
    const axes = [3, 5, 2, 4].map((length, i) => ({ length, stride: [0, 1, 0, 5][i] as number }));
    expect(numberingOf(axes)).toMatchObject({
      ...{ stride: 0, period0: 3, period1: 15, period2: 30, period3: NEVER, period6: NEVER },
      ...{ change0: 1, change1: -5, change2: 5, change3: 0, change6: 0 },
    });
    expect(numberingOf([])).toMatchObject({ stride: 0, period0: NEVER, change0: 0 });
    const six = [1, 2, 3, 4, 5, 6, 7, 8].map((i) => ({ length: 2, stride: i % 2 ? 0 : 2 ** (i / 2 - 1) }));
    expect(numberingOf(six)).toMatchObject({ period5: 64, period6: 128, change5: -8, change6: 8 });
    expect(Object.keys(numberingOf(six))).toHaveLength(15);
  });

  test("have their scales in the order of the table, those behind a piece's first element too", () => {
    const [scale] = planned(along([0]), [shaped(2, 96), shaped(64)], {}, { maxBinding: 512 }).named("scale units");
    const size = elementUnitsStruct.words + numberingStruct.words + outerStruct.words;
    const table = wordsOf(scale, 2);
    const rows = rowsOf(segmentStruct, scale);
    expect(table).toHaveLength(size * rows.length);
    expect(rows.map((_, row) => fieldsOf(elementUnitsStruct, table, size * row))).toEqual([
      { firstElement: 0, axisCount: 2, unused0: 0, unused1: 0 },
      { firstElement: 64, axisCount: 2, unused0: 0, unused1: 0 },
      { firstElement: 128, axisCount: 2, unused0: 0, unused1: 0 },
      { firstElement: 0, axisCount: 0, unused0: 0, unused1: 0 },
    ]);
    const inner = numbering({ period0: 96, stride: 1, change0: -96 });
    expect(fieldsOf(numberingStruct, table, size + elementUnitsStruct.words)).toEqual({
      ...inner,
      change0: 2 ** 32 - 96,
    });
    const outer = fieldsOf(outerStruct, table, size + elementUnitsStruct.words + numberingStruct.words);
    expect(outer).toMatchObject({ period3: NEVER, period6: NEVER, change3: 0 });
  });
});

describe("sums of examples", () => {
  function sumsOf(views: GradientView[], method = clipPerExample(1, { examples: 4 }), maxBinding = 2 ** 30) {
    return planned(method, views, {}, { maxBinding })
      .named("sum examples")
      .map((one) => [
        one.name.replace(/sum examples | by 8/g, ""),
        headOf(one).accumulates,
        rowsOf(exampleSegmentStruct, one).map(({ first, count, examples, into, group }) => [
          first,
          count,
          examples,
          into,
          group,
        ]),
      ]);
  }
  const buffer = fakeBuffer();

  test("set what they add up, or go on", () => {
    expect(sumsOf([view(64)])).toEqual([["in-place f32 vec4", 0, [[0, 4, 4, 0, 0]]]]);
    const into = { buffer, byteOffset: 512 };
    expect(sumsOf([view(64, { into })])).toEqual([["into f32 vec4", 0, [[0, 4, 4, 0, 0]]]]);
    const on = clipPerExample(1, { examples: 4, accumulate: true });
    expect(sumsOf([view(64, { into })], on)).toEqual([["into f32 vec4", 1, [[0, 4, 4, 0, 0]]]]);
  });

  test("begin with the first norm of their gradient where each layer has its own", () => {
    const layers = clipPerExample(1, { examples: 4, perLayer: true });
    expect(sumsOf([view(64), view(32)], layers).map(([, , rows]) => rows)).toEqual([
      [
        [0, 4, 4, 0, 0],
        [0, 2, 4, 0, 4],
      ],
    ]);
  });

  test("have rounds where a binding holds fewer examples", () => {
    expect(sumsOf([view(128)], undefined, 512)).toEqual([
      ["in-place f32 vec4", 0, [[0, 8, 2, 0, 0]]],
      ["shared f32 vec4", 1, [[0, 8, 2, 0, 2]]],
    ]);
    const into = { buffer };
    const three = sumsOf([view(384, { into })], clipPerExample(1, { examples: 4 }), 512);
    expect(
      three.map(([, accumulates, rows]) => [
        accumulates,
        (rows as number[][]).map(([, count, , , group]) => [count, group]),
      ]),
    ).toEqual(
      [0, 1, 2, 3].map((round) => [
        Math.min(round, 1),
        [
          [16, round],
          [8, round],
        ],
      ]),
    );
    expect(() => sumsOf([view(192)], undefined, 512)).toThrow("gradients[0] has 4 examples of 192 bytes");
    expect(sumsOf([view(256)], undefined, 512).map(([, , rows]) => (rows as unknown[]).length)).toEqual([1, 1, 1, 1]);
  });

  test("have as many tiles as an invocation's loops allow", () => {
    const [sum] = planned(clipPerExample(1, { examples: 4 }), [view(2 ** 26)]).named("sum examples");
    // Of the 65,535, 264 are a workgroup's and 132 a segment's; a tile has 8, and each of four words 8 and twice 5 times 8.
    expect(headOf(sum).tilesPerWorkgroup).toBe(Math.floor((65_535 - 264 - 132) / (8 + 4 * (8 + 2 * 5 * 8))));
  });

  test("are 0 of none, where there is a place for them, and do not go on from there", () => {
    const of = (accumulate: boolean, into?: { buffer: GPUBuffer }) => {
      const method = clipPerExample(1, { examples: 4, accumulate });
      const given = view(64, { into });
      const declared = checkGradients(readGivenGradients([given]), 4);
      const step = checkGradients(readGivenGradients([{ ...given, length: 0 }], declared), 4, declared);
      const { dispatches } = planOf(method, checkOptions({}, method), step, LIMITS);
      return dispatches.filter(({ name }) => name.startsWith("sum")).map((one) => rowsOf(exampleSegmentStruct, one)[0]);
    };
    expect(of(false, { buffer })).toEqual([
      { first: 0, count: 4, tile: 0, examples: 0, into: 0, slot: 0, group: 0, edges: 0 },
    ]);
    expect(of(true, { buffer })).toEqual([]);
    expect(of(false)).toEqual([]);
  });
});
