/** How a tensor is divided along its axes: by hand, and by counting. */
import { describe, expect, test } from "vitest";
import { MOST_AXES, type Units, unitsAlong } from "../src/units.ts";

/** Of each axis, from the innermost out: its length, and what a step along it adds to the number of the unit. */
const rows: [shape: number[], axes: number[], count: number, size: number, wanted: [number, number][]][] = [
  [
    [300, 4],
    [0],
    4,
    300,
    [
      [4, 1],
      [300, 0],
    ],
  ],
  [
    [300, 4],
    [1],
    300,
    4,
    [
      [4, 0],
      [300, 1],
    ],
  ],
  [
    [300, 4],
    [-1],
    300,
    4,
    [
      [4, 0],
      [300, 1],
    ],
  ],
  [
    [2, 2],
    [0],
    2,
    2,
    [
      [2, 1],
      [2, 0],
    ],
  ],
  [
    [2, 3, 4],
    [1],
    8,
    3,
    [
      [4, 1],
      [3, 0],
      [2, 4],
    ],
  ],
  [
    [2, 3, 4],
    [0, 1],
    4,
    6,
    [
      [4, 1],
      [6, 0],
    ],
  ],
  [
    [2, 3, 4],
    [-1],
    6,
    4,
    [
      [4, 0],
      [6, 1],
    ],
  ],
  [[2, 3, 4], [], 24, 1, [[24, 1]]],
  [[2, 3, 4], [2, 0, 1], 1, 24, [[24, 0]]],
  [[2, 1, 4], [0, 2], 1, 8, [[8, 0]]],
  [[1, 4, 1], [0, 2], 4, 1, [[4, 1]]],
  [
    [2, 3, 2, 5],
    [1, 3],
    4,
    15,
    [
      [5, 0],
      [2, 1],
      [3, 0],
      [2, 2],
    ],
  ],
  [[5], [0], 1, 5, [[5, 0]]],
  [[], [], 1, 1, []],
];

test.each(rows)("%j along %j", (shape, axes, count, size, wanted) => {
  const found = unitsAlong(shape, axes, "w");
  expect(found).toEqual({ count, size, axes: wanted.map(([length, stride]) => ({ length, stride })) });
  expect(unitsIn(found)).toEqual(new Map(Array.from({ length: count }, (_, unit) => [unit, size])));
});

/** How many elements each unit has. */
function unitsIn({ axes }: Units): Map<number, number> {
  const counts = new Map<number, number>();
  const walk = (axis: number, unit: number) => {
    const { length, stride } = axes[axis] ?? { length: 0, stride: 0 };
    if (axis === axes.length) counts.set(unit, (counts.get(unit) ?? 0) + 1);
    for (let step = 0; step < length; step++) walk(axis + 1, unit + step * stride);
  };
  walk(0, 0);
  return counts;
}

const every2 = (length: number) => Array.from({ length: Math.ceil(length / 2) }, (_, i) => 2 * i);
const twos = (length: number) => Array<number>(length).fill(2);

test("as many axes by turns as a shader has room for", () => {
  expect(MOST_AXES).toBe(8);
  expect(unitsAlong(twos(8), every2(8), "w").axes).toHaveLength(8);
});

describe("refused:", () => {
  test.each<[number[], number[], string]>([
    [[3, 4], [2], "w has shape [3,4], and axis 2 is none of its 2; pass axes from -2 to 1."],
    [[3, 4], [-3], "w has shape [3,4], and axis -3 is none of its 2; pass axes from -2 to 1."],
    [[3, 4], [0.5], "w has shape [3,4], and axis 0.5 is none of its 2; pass axes from -2 to 1."],
    [[3], [1], "w has shape [3], and axis 1 is none of its 1; pass axes from -1 to 0."],
    [[], [0], "w has shape [] and so no axis 0; pass axes as a function that gives none for it."],
    [[3, 4], [0, -2], "The axes [0,-2] for w name an axis twice; name each once."],
    [
      twos(9),
      every2(9),
      "w has axes [0,2,4,6,8] of shape [2,2,2,2,2,2,2,2,2] to reduce, which alternate with the others 8 times; transpose it to at most 7.",
    ],
  ])("%j along %j", (shape, axes, message) => {
    expect(() => unitsAlong(shape, axes, "w")).toThrow(new RangeError(message));
  });

  test("axes that are no list", () => {
    const message = "The axes for w are no list; pass a list of whole numbers.";
    expect(() => unitsAlong([3], 0 as never, "w")).toThrow(new TypeError(message));
  });
});
