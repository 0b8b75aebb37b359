/** What the passes on arrays find and write, one by one: small values, worked out by hand. */
import { describe, expect, test } from "vitest";
import { clamp } from "../src/cpu/clamp.ts";
import type { Elements } from "../src/cpu/formats.ts";
import { type Found, norm, noteFault, nothing, type Part, regrouped } from "../src/cpu/norm.ts";
import { type Scaling, scale, scaleUnits, type Write } from "../src/cpu/scale.ts";
import { judgedOnCpu } from "../src/cpu/skip.ts";
import { unitNorm } from "../src/cpu/unit_norm.ts";
import { clipPerExample, createClipper } from "../src/index.ts";
import { normOf } from "../src/norms/normOf.ts";
import { INFINITY_SEEN, NAN_SEEN, NONE } from "../src/record.ts";
import { unitsAlong } from "../src/units.ts";

function f32(...values: number[]): Elements {
  return { dtype: "f32", stored: Float32Array.from(values) };
}

function part(number: number, group: number, source: Elements, shape?: number[], axes: number[] = []): Part {
  const units = shape && unitsAlong(shape, axes, "w");
  return { number, group, source, first: 0, length: source.stored.length, units, tensor: {} } as Part;
}

const found = (changes: Partial<Found>) => ({ ...nothing(), ...changes });
const [l2, l3] = [2, 3].map((normType) => normOf(normType, "x"));
const parts = [part(0, 0, f32(3, -4)), part(1, 1, f32(5)), part(2, 0, f32(-6, 0))];

describe("norms", () => {
  test.each([
    ["of squares", l2, Math.sqrt(61), 5, Math.sqrt(86)],
    ["of cubes", l3, Math.cbrt(27 + 64 + 216), 5, Math.cbrt(27 + 64 + 216 + 125)],
  ])("%s, of each group and of all", (_, kind, first, second, whole) => {
    const { each, all } = norm(parts, 2, kind as NonNullable<typeof kind>);
    const shown = [...each, all].map(({ sum, largest }) => [kind?.norm(sum, largest), largest]);
    expect(shown.map(([value]) => value)).toEqual([first, second, whole].map((value) => expect.closeTo(value, 12)));
    expect(shown.map(([, largest]) => largest)).toEqual([6, 5, 6]);
  });

  test("of one group are those of all", () => {
    const { each, all } = norm([part(0, 0, f32(1, 2)), part(1, 0, f32(3))], 1, l3 as NonNullable<typeof l3>);
    expect(each).toEqual([all]);
    expect(l3?.norm(all.sum, all.largest)).toBeCloseTo(Math.cbrt(36), 12);
  });

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 10])(
    "of eight values at a time and the rest: value %i is the largest",
    (place) => {
      const values = Array.from({ length: 11 }, (_, i) => (i === place ? -20 : i + 1));
      const { all } = norm([part(0, 0, f32(...values))], 1, l2 as NonNullable<typeof l2>);
      expect([all.sum, all.largest]).toEqual([values.reduce((sum, value) => sum + value ** 2, 0), 20]);
    },
  );

  test("of units, where there are several", () => {
    const list = [part(0, 0, f32(3, 4, 5, 12), [2, 2], [1]), part(1, 2, f32(8, 15))];
    const { each, all } = norm(list, 3, l2 as NonNullable<typeof l2>, unitNorm);
    expect(each.map(({ sum, largest }) => [sum, largest])).toEqual([
      [25, 4],
      [169, 12],
      [289, 15],
    ]);
    expect([all.sum, all.largest]).toEqual([483, 15]);
    expect(norm(list, 3, l2 as NonNullable<typeof l2>).each.map(({ sum }) => sum)).toEqual([194, 0, 289]);
    expect(norm([part(1, 0, f32(8, 15))], 1, l2 as NonNullable<typeof l2>, unitNorm).all.sum).toBe(289);
  });

  test("of units have the places of what is not finite, in long ones too", () => {
    const long = f32(...Array(9000).fill(1));
    for (const [at, value] of [
      [8190, Number.NaN],
      [8191, Infinity],
    ] as const) {
      long.stored[at] = value;
    }
    const units = part(5, 0, long, [4500, 2], [0]).units as NonNullable<Part["units"]>;
    expect(unitNorm(long, 5, units)).toMatchObject([
      { nonFinite: 1, firstPiece: 5, firstElement: 8190, flags: NAN_SEEN },
      { nonFinite: 1, firstPiece: 5, firstElement: 8191, flags: INFINITY_SEEN },
    ]);
    const whole = unitNorm(f32(1, 2, 3, 4), 0, unitsAlong([2, 2], [1], "w"));
    expect(whole).toMatchObject([
      { nonFinite: 0, sum: 5, flags: 0 },
      { nonFinite: 0, sum: 25 },
    ]);
  });

  test("count what is not finite, and keep the first place", () => {
    const bad = [part(0, 0, f32(1, 2)), part(1, 1, f32(1, Infinity, Number.NaN)), part(2, 0, f32(-Infinity))];
    const { each, all } = norm(bad, 2, l2 as NonNullable<typeof l2>);
    const [first, second] = each;
    expect(first).toMatchObject({ nonFinite: 1, flags: INFINITY_SEEN, firstPiece: 2, firstElement: 0 });
    expect(second).toMatchObject({ nonFinite: 2, flags: INFINITY_SEEN | NAN_SEEN, firstPiece: 1, firstElement: 1 });
    expect(all).toMatchObject({ nonFinite: 3, flags: INFINITY_SEEN | NAN_SEEN, firstPiece: 1, firstElement: 1 });
    expect(norm(parts, 2, l2 as NonNullable<typeof l2>).all).toMatchObject({
      nonFinite: 0,
      firstPiece: NONE,
      flags: 0,
    });
  });
});

test.each([
  [
    [
      [2, 5],
      [1, 7],
      [3, 0],
    ],
    [1, 7],
  ],
  [
    [
      [1, 7],
      [1, 3],
      [2, 0],
    ],
    [1, 3],
  ],
  [
    [
      [1, 3],
      [1, 7],
    ],
    [1, 3],
  ],
  [
    [
      [1, 3],
      [0, 9],
    ],
    [0, 9],
  ],
])("of the places %j the first is %j", (places, wanted) => {
  const whole = nothing();
  for (const [piece, element] of places as [number, number][]) noteFault(whole, Number.NaN, piece, element);
  expect([whole.firstPiece, whole.firstElement, whole.nonFinite]).toEqual([...wanted, places.length]);
});

test("findings are added up by group, and a skip rule judges those that it may", () => {
  const each = [
    found({ sum: 1, largest: 2, nonFinite: 1, flags: 4 }),
    found({ sum: 3, largest: 5 }),
    found({ sum: 7 }),
  ];
  expect(
    regrouped(each, 2, [1, 0, 1]).map(({ sum, largest, nonFinite, flags }) => [sum, largest, nonFinite, flags]),
  ).toEqual([
    [3, 5, 0, 0],
    [8, 2, 1, 4],
  ]);
  const all = found({ sum: 11 });
  expect(judgedOnCpu({ each, all, parameters: [] }, [])).toBe(all);
  expect(judgedOnCpu({ each, all, parameters: [nothing()] }, [0])).toMatchObject({ sum: 10, flags: 0 });
  expect(judgedOnCpu({ each, all, parameters: [found({ flags: INFINITY_SEEN })] }, [])).toEqual({
    ...all,
    flags: NAN_SEEN,
  });
});

describe("writes", () => {
  const write = (source: Elements, into = source, shape?: number[]): Write => ({
    ...part(0, 0, source, shape, [1]),
    into,
  });
  const written = ({ into }: Write) => [...into.stored];
  const scaled = (one: Write, scaling: Partial<Scaling>) => {
    scale(one, { factor: 1, skip: false, ...scaling });
    return written(one);
  };
  const eleven = Array.from({ length: 11 }, (_, i) => i + 1);

  test("multiply eight at a time, and the rest", () => {
    expect(scaled(write(f32(...eleven)), { factor: 0.5 })).toEqual(eleven.map((value) => value / 2));
    expect(scaled(write(f32(...eleven), f32(...eleven.map(() => 0))), { factor: 2 })).toEqual(
      eleven.map((value) => 2 * value),
    );
    expect(scaled(write(f32(...eleven)), { skip: true })).toEqual(eleven.map(() => 0));
    expect(scaled(write(f32(1, 2), f32(0, 0)), { factor: 1 })).toEqual([1, 2]);
    expect(scaled(write(f32(1, 2)), { factor: 1 })).toEqual([1, 2]);
  });

  test("have a factor for each unit", () => {
    const one = write(f32(1, 2, 3, 4, 5, 6), undefined, [3, 2]);
    const scalings = [0.5, 1, 1].map((factor, i) => ({ factor, skip: i === 2 }));
    scaleUnits(one, scalings);
    expect(written(one)).toEqual([0.5, 1, 3, 4, 0, 0]);
  });

  test("keep values between limits, times gradScale first", () => {
    const one = write(f32(-3, 1, 3, Number.NaN, Infinity, -Infinity));
    const seen = clamp([one], () => [-2, 4], 2);
    expect(written(one)).toEqual([-2, 2, 4, Number.NaN, 4, -2]);
    expect(seen).toMatchObject({ largest: 3, nonFinite: 3, firstElement: 3, flags: 1 | NAN_SEEN | INFINITY_SEEN });
    const inside = write(f32(-2, 4));
    expect(clamp([inside], () => [-2, 4], 1)).toMatchObject({ flags: 0, largest: 4, nonFinite: 0 });
    expect(written(inside)).toEqual([-2, 4]);
    const large = write(f32(3e38, -3e38));
    expect(clamp([large], () => [-Infinity, Infinity], 2).flags).toBe(0);
    const most = (2 - 2 ** -23) * 2 ** 127;
    expect(written(large)).toEqual([most, -most]);
  });
});

test("where a step brings no example, the sum of none goes into its own place, and nowhere else", async () => {
  const clipper = await createClipper({ backend: "cpu" });
  const [memory, sum] = [Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6)];
  const none = { buffer: memory, length: 0 };
  const inPlace = clipper.prepare([memory], clipPerExample(1, { examples: 2 }));
  inPlace.run([none]);
  const moved = clipper.prepare([{ buffer: memory, into: { buffer: sum } }], clipPerExample(1, { examples: 2 }));
  moved.run([{ ...none, into: { buffer: sum } }]);
  expect([[...memory], [...sum]]).toEqual([
    [1, 2, 3, 4],
    [0, 0],
  ]);
});
