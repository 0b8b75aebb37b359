/** Pieces and groups of lists, and the lists that a method or a step refuses: by hand, without a device. */
import { describe, expect, test } from "vitest";
import type { TensorList } from "../src/gradients.ts";
import type { ClipMethod } from "../src/methods/method.ts";
import type { CheckedOptions } from "../src/options.ts";
import {
  type Grouping,
  groupCount,
  groupOf,
  groupRunsOf,
  partOf,
  piecesOf,
  presentElements,
  presentPiecesOf,
} from "../src/pieces.ts";
import type { Dtype } from "../src/ranges.ts";
import { refuseOtherStructure, refuseUnsuited } from "../src/requirements.ts";
import type { Declared, Tensor } from "../src/view.ts";
import { range } from "./support/segments.ts";

function declared(index: number, length: number, shape?: readonly number[], dtype: Dtype = "f32"): Declared {
  return { index, label: `t${index}`, length, dtype, shape };
}

function present(index: number, length: number, shape?: readonly number[], extras: Partial<Tensor> = {}): Tensor {
  return { ...declared(index, length, shape), source: range(0, 4 * length), ...extras };
}

const ALL: Grouping = { kind: "all" };
const EACH: Grouping = { kind: "tensor" };
const HALVES = { kind: "members", count: 2 } as const;
/** A unit along the last axis: as many as the first axis has. */
const ROWS: Grouping = {
  kind: "units",
  unitsOf: ([count = 1, size = 1]) => ({ count, size, axes: [] }),
  check() {},
};
const NAMED: Grouping = {
  kind: "groups",
  count: 2,
  measured: [],
  groupOf: ({ index }) => 1 - index,
  check() {},
  report: () => ({}),
};

describe("pieces", () => {
  const list = [declared(0, 4, [2, 2]), declared(1, 6, [1, 6])];
  /** The gradient, the elements from and up to, the group of each, and how many units it has. */
  const shown = (grouping: Grouping, pieceElements = Infinity) =>
    piecesOf(list, grouping, pieceElements).map(({ number, tensor, first, length, group, units }, i) => {
      expect(number).toBe(i);
      return [tensor.index, first, first + length, group, units?.count ?? 0];
    });

  test.each<[string, Grouping, number[][], number?]>([
    [
      "of all",
      ALL,
      [
        [0, 0, 4, 0, 0],
        [1, 0, 6, 0, 0],
      ],
    ],
    [
      "no longer than a binding",
      ALL,
      [
        [0, 0, 4, 0, 0],
        [1, 0, 4, 0, 0],
        [1, 4, 6, 0, 0],
      ],
      4,
    ],
    [
      "of one element",
      ALL,
      Array.from({ length: 10 }, (_, i) => (i < 4 ? [0, i, i + 1, 0, 0] : [1, i - 4, i - 3, 0, 0])),
      1,
    ],
    [
      "of each gradient",
      EACH,
      [
        [0, 0, 4, 0, 0],
        [1, 0, 6, 1, 0],
      ],
    ],
    [
      "of members",
      { ...HALVES, runsOf: undefined },
      [
        [0, 0, 2, 0, 0],
        [0, 2, 4, 1, 0],
        [1, 0, 3, 0, 0],
        [1, 3, 6, 1, 0],
      ],
    ],
    [
      "of members, no longer than a binding",
      HALVES,
      [
        [0, 0, 2, 0, 0],
        [0, 2, 4, 1, 0],
        [1, 0, 2, 0, 0],
        [1, 2, 3, 0, 0],
        [1, 3, 5, 1, 0],
        [1, 5, 6, 1, 0],
      ],
      2,
    ],
    [
      "of members that have numbers of their own",
      { ...HALVES, groupOf: (_, ordinal, part) => 10 * ordinal + part },
      [
        [0, 0, 2, 0, 0],
        [0, 2, 4, 1, 0],
        [1, 0, 3, 10, 0],
        [1, 3, 6, 11, 0],
      ],
    ],
    [
      "of named groups",
      NAMED,
      [
        [0, 0, 4, 1, 0],
        [1, 0, 6, 0, 0],
      ],
    ],
    [
      "of units",
      ROWS,
      [
        [0, 0, 4, 0, 2],
        [1, 0, 6, 2, 0],
      ],
    ],
  ])("%s", (_, grouping, wanted, pieceElements) => {
    expect(shown(grouping, pieceElements)).toEqual(wanted);
  });

  test("that a step brings", () => {
    const first = present(0, 8, undefined, { source: range(0, 16) });
    const brought = presentPiecesOf([first, declared(1, 4), present(2, 4)], ALL, 4);
    expect(brought.map(({ number, tensor }) => [number, tensor.index])).toEqual([
      [0, 0],
      [3, 2],
    ]);
    expect([presentElements(first), presentElements({ ...first, dtype: "f16" })]).toEqual([4, 8]);
    expect(partOf(range(16, 64), "f32", 2, 3)).toEqual(range(24, 12));
    expect(partOf(range(16, 64), "bf16", 2, 3)).toEqual(range(20, 6));
  });
});

describe("groups", () => {
  const list = [present(0, 4, [2, 2]), declared(1, 6, [1, 6])];
  const run = (group: number, count: number, valuesPerGroup: number, absent = false) => ({
    group,
    count,
    valuesPerGroup,
    absent,
  });
  const own = [run(5, 1, 7)];

  test.each<[string, Grouping, ReturnType<typeof run>[], number]>([
    ["of all", ALL, [], 1],
    ["of each gradient", EACH, [run(0, 1, 4), run(1, 1, 6, true)], 2],
    ["of units", ROWS, [run(0, 2, 2), run(2, 1, 6, true)], 3],
    ["of members", { ...HALVES, runsOf: undefined }, [run(0, 1, 5), run(1, 1, 5)], 2],
    ["of examples of which one is there", { ...HALVES, presentIn: () => 1 }, [run(0, 1, 5), run(1, 1, 5, true)], 2],
    ["that a method counts", { ...HALVES, runsOf: () => own }, own, 1],
    ["that are named", NAMED, [run(0, 1, 5), run(1, 1, 5)], 2],
  ])("%s", (_, grouping, wanted, count) => {
    expect(groupRunsOf(list, grouping)).toEqual(wanted);
    expect(groupCount(list, grouping)).toBe(count);
  });

  test("have names for named groups alone", () => {
    const [, second] = list as [Declared, Declared];
    expect([groupOf(second, NAMED), groupOf(second, EACH)]).toEqual([0, 0]);
    expect(groupOf(list[0] as Declared, NAMED)).toBe(1);
  });
});

describe("a step's list is refused if it has another structure", () => {
  const into = { ...range(0, 16), dtype: "f32" as const };
  const parameter = { source: range(0, 16), dtype: "bf16" as const };
  const check = (now: Declared | undefined, then: Declared | undefined, byShape = false) =>
    refuseOtherStructure(
      { places: [now] } as unknown as TensorList,
      { places: [then], names: ["w"] } as unknown as TensorList,
      byShape,
    );

  test.each<[string, Declared | undefined, Declared | undefined, boolean?]>([
    ["not where it is the same", present(0, 4), present(0, 4)],
    ["not where it is absent", undefined, present(0, 4)],
    ["not where it was absent", present(0, 4, undefined, { into }), declared(0, 4)],
    ["not where it is declared alone", declared(0, 4), present(0, 4, undefined, { parameter })],
    ["not where units depend on no shape", present(0, 4, [4]), present(0, 4, [2, 2])],
    ["not where it has the same shape", present(0, 4, [2, 2]), present(0, 4, [2, 2]), true],
  ])("%s", (_, now, then, byShape) => {
    expect(() => check(now, then, byShape)).not.toThrow();
  });

  test.each<[Declared, Declared | undefined, string, boolean?]>([
    [present(0, 4), present(0, 5), "4 elements, but the clip was prepared for 5 elements"],
    [present(0, 1), undefined, "1 element, but the clip was prepared for no gradient"],
    [declared(0, 4, undefined, "f16"), declared(0, 4), "4 f16 elements, but the clip was prepared for 4 elements"],
    [
      present(0, 4, undefined, { into }),
      present(0, 4),
      "4 elements and an into of f32, but the clip was prepared for 4 elements",
    ],
    [
      present(0, 4, undefined, { into, parameter: { ...parameter, dtype: "f32" } }),
      present(0, 4, undefined, { into, parameter }),
      "4 elements and a parameter of f32 and an into of f32, but the clip was prepared for 4 elements and a parameter of bf16 and an into of f32",
    ],
    [present(0, 4, [4]), present(0, 4, [2, 2]), "shape [4], but the clip was prepared for [2,2]", true],
    [present(0, 4, [4]), present(0, 5, [5]), "4 elements, but the clip was prepared for 5 elements", true],
  ])("case %#", (now, then, fact, byShape) => {
    expect(() => check(now, then, byShape)).toThrow(new RangeError(`gradients[0] "w" has ${fact}; prepare another.`));
  });
});

describe("a method refuses lists that do not suit it", () => {
  const check = (tensors: Declared[], method: Partial<ClipMethod>, options: Partial<CheckedOptions> = {}) =>
    refuseUnsuited(
      { tensors: tensors.filter((tensor) => "source" in tensor), declared: tensors } as unknown as TensorList,
      { name: "m", grouping: ALL, maxNorm: 1, ...method } as ClipMethod,
      { apply: "scale", ...options } as CheckedOptions,
    );
  const into = { into: { ...range(0, 16), dtype: "f32" as const } };
  const moved = present(0, 4, undefined, into);
  const plain = present(1, 4);
  /** As many examples as the shape's first axis has. */
  const examples = { ...HALVES, presentIn: ([tensor]: readonly Declared[]) => tensor?.shape?.[0] };

  test.each<[string, Declared[], Partial<ClipMethod>, Partial<CheckedOptions>?]>([
    ["all at once", [moved, plain], {}],
    ["with accumulate and destinations", [moved], { accumulate: true }],
    ["with a total norm of all", [plain], {}, { totalNorm: 1 }],
    ["members that share equally", [plain, present(2, 6)], { grouping: HALVES }],
    ["members along the leading axis", [present(0, 4, [2, 2])], { grouping: HALVES }],
    ["fewer examples of each", [present(0, 2, [1, 2]), declared(1, 6, [2, 3])], { grouping: examples, examples: 2 }],
    ["limits without a bound", [moved], { maxNorm: undefined, limits: () => [0, 1] }],
    ["bounds of groups", [moved], { maxNorm: undefined, grouping: NAMED }],
    ["a record without destinations", [plain], {}, { apply: "record" }],
  ])("not %s", (_, list, method, options) => {
    expect(() => check(list, method, options)).not.toThrow();
  });

  const written = (apply: string) => `t0 has an into, but m with apply: "${apply}" writes no gradient; leave it out.`;
  test.each<[Declared[], Partial<ClipMethod>, Partial<CheckedOptions>, new (message: string) => Error, string]>([
    [
      [moved, plain],
      { accumulate: true },
      {},
      TypeError,
      "t1 has no into, which m with accumulate needs; pass a view with the range that holds the sum so far.",
    ],
    [
      [plain],
      { parametersOf: () => [] },
      {},
      TypeError,
      "t1 has no parameter, which m needs; pass a view with the range that holds its parameter.",
    ],
    [
      [plain],
      { grouping: EACH },
      { totalNorm: 0 },
      TypeError,
      "options.totalNorm is one norm, but m has many; leave it out.",
    ],
    [
      [plain, present(2, 5)],
      { grouping: HALVES },
      {},
      RangeError,
      "t2 has 5 elements, which 2 members cannot share equally; make the members its leading axis.",
    ],
    [
      [present(0, 6, [3, 2])],
      { grouping: HALVES },
      {},
      RangeError,
      "t0 has a leading axis of 3, but the method is for 2 members; pass as many.",
    ],
    [
      [present(0, 2, [1, 2]), present(1, 4, [2, 2])],
      { grouping: examples, examples: 2 },
      {},
      RangeError,
      "t1 has a leading axis of 2, but the method is for 1 example; pass as many.",
    ],
    [
      [present(0, 4), present(1, 4)],
      { grouping: { ...HALVES, presentIn: (list) => (list.length === 1 ? list[0]?.index : 0) }, examples: 2 },
      {},
      RangeError,
      "t1 has a leading axis of 1, but the method is for 0 examples; pass as many.",
    ],
    [
      [present(0, 2, [1, 2]), declared(1, 3, [1, 3])],
      { grouping: examples, examples: 2 },
      {},
      RangeError,
      "t1 has a leading axis of 1, but the method is for 2 examples; pass as many.",
    ],
    [[plain, moved], {}, { apply: "record" }, TypeError, written("record")],
    [[moved], { maxNorm: undefined }, {}, TypeError, written("scale")],
    [[moved], { maxNorm: undefined, limits: () => [0, 1] }, { apply: "record" }, TypeError, written("record")],
  ])("case %#", (list, method, options, kind, message) => {
    expect(() => check(list, method, options)).toThrow(new kind(message));
  });

  test("groups look at the list themselves", () => {
    const seen: unknown[] = [];
    check([plain, declared(2, 3)], {
      grouping: { ...NAMED, check: (...values: unknown[]) => seen.push(values) } as Grouping,
    });
    expect(seen).toEqual([[{ tensors: [plain], declared: [plain, declared(2, 3)] }, "m"]]);
  });
});
