/** What methods are without options, the units along their axes, and what their functions refuse: without a device. */
import { describe, expect, test } from "vitest";
import {
  adaGC,
  adaptiveGradClip,
  autoClip,
  type ClipMethod,
  clipByGlobalNorm,
  clipByGroupNorm,
  clipByNorm,
  clipByValue,
  measureNorm,
  normalizeByGlobalNorm,
  zClip,
} from "../src/index.ts";
import { normOf } from "../src/norms/normOf.ts";
import { autoStruct } from "../src/rules/auto.ts";
import type { Facts, Remembering } from "../src/rules/rule.ts";
import { zStruct } from "../src/rules/z.ts";

function memoryOf({ rule }: ClipMethod, norms = 1) {
  return (rule as unknown as Remembering).begin(norms);
}

describe("without options", () => {
  test("bounds are as documented", () => {
    const methods = [
      clipByGlobalNorm(),
      adaptiveGradClip(),
      autoClip(),
      zClip(),
      adaGC(),
      clipByNorm(),
      measureNorm(),
      normalizeByGlobalNorm(),
    ];
    const wanted = [1, Math.fround(0.01), Infinity, Infinity, 1, 1, undefined, 1];
    expect(methods.map(({ maxNorm }) => maxNorm)).toEqual(wanted);
    expect(methods.map(({ eps = 0 }) => eps)).toEqual(wanted.map(() => 0));
    const kinds = ["all", "units", "all", "all", "tensor", "tensor", "all", "all"];
    expect(methods.map(({ grouping }) => grouping.kind)).toEqual(kinds);
  });

  test("autoClip takes the 10th percentile of 1024 norms", () => {
    const words = memoryOf(autoClip()).toWords(0);
    expect([autoStruct.read(words, 0, "percentile"), autoStruct.read(words, 0, "capacity")]).toEqual([100_000, 1024]);
  });

  test("zClip fills its averages for 25 steps, and then keeps 97 % and 2.5 deviations", () => {
    const words = memoryOf(zClip()).toWords(0);
    const float = (name: "threshold" | "weight") =>
      zStruct.read(words, 0, `${name}Mantissa`) * 2 ** (zStruct.read(words, 0, `${name}Exponent`) | 0);
    expect([zStruct.read(words, 0, "warmup"), float("threshold"), float("weight")]).toEqual([
      25,
      2.5,
      Math.fround(1 - 0.97),
    ]);
  });

  test("adaGC clips everything together for 100 steps, and then to 1.05 times an average that keeps 98 %", () => {
    const memory = memoryOf(adaGC());
    const facts = (norm: number, normNumber?: number) =>
      ({ norm, maxNorm: 1, weight: 0, parameterNorm: 0, normNumber }) as Facts;
    for (let step = 0; step < 100; step++) {
      expect(memory.warmUp, `step ${step}`).toBeTypeOf("function");
      memory.boundFor(facts(1));
      memory.warmUp?.([1]);
    }
    expect(memory.warmUp).toBeUndefined();
    expect(memory.boundFor(facts(10, 0))).toBeCloseTo(1.05, 6);
    // The average has moved by 2 % of what was left.
    expect(memory.boundFor(facts(10, 0)) / 1.05).toBeCloseTo(0.98 + 0.02 * 1.05, 6);
  });

  test("adaptiveGradClip takes a parameter of zeros for one of 0.001", () => {
    const { rule, maxNorm } = adaptiveGradClip();
    expect(rule.weight?.({ group: 0, count: 1, valuesPerGroup: 4, absent: false })).toBe(Math.fround(1e-3));
    const facts = { norm: 1, maxNorm: maxNorm as number, weight: 1e-3 };
    const bounds = [0, 1e-3, 2].map(
      (parameterNorm) => "boundFor" in rule && rule.boundFor({ ...facts, parameterNorm }),
    );
    expect(bounds).toEqual([1e-5, 1e-5, 0.02].map((bound) => expect.closeTo(bound, 9)));
  });
});

test("zClip's memory of several norms comes back from the GPU's words, and goes with its norms", () => {
  const memory = memoryOf(zClip({ per: "tensor" }), 3);
  const saved = (of = memory) => [...new Float64Array(of.save())].slice(1);
  expect(saved()).toEqual(Array(9).fill(0));
  for (const [normNumber, norm] of [2, 3, 5].entries()) {
    for (const times of [1, 2]) {
      memory.boundFor({ norm: norm * times, maxNorm: Infinity, weight: 0, parameterNorm: 0, normNumber });
    }
  }
  // Mean and variance of two norms.
  expect(saved()).toEqual([2, 3, 1, 2, 4.5, 2.25, 2, 7.5, 6.25]);
  const other = memoryOf(zClip({ per: "tensor" }), 3);
  other.fromWords(memory.toWords(0));
  expect(saved(other)).toEqual(saved());
  memory.renumber?.([2, undefined, 0]);
  expect(saved()).toEqual([2, 7.5, 6.25, 0, 0, 0, 2, 3, 1]);
});

test("the p of a norm is kept in 23 bits", () => {
  for (const p of [0.05, 0.3, 1.5, 3, 1000.5, 4_194_304, 2 - 2 ** -30]) {
    const { fixedPower } = normOf(p, "x");
    expect((fixedPower % 2 ** 23) / 2 ** Math.floor(fixedPower / 2 ** 23) / p).toBeCloseTo(1, 6);
  }
});

test("several norms have passes of their own", () => {
  const { passes } = clipByGlobalNorm(1);
  const each = clipByGlobalNorm(1, { members: 2 });
  expect(each.grouping).toEqual({ kind: "members", count: 2 });
  expect([zClip().passes, autoClip().passes, normalizeByGlobalNorm(1).passes]).toEqual([passes, passes, passes]);
  expect(each.passes).not.toEqual(passes);
  expect([zClip({ per: "tensor" }).passes, adaGC().passes]).toEqual([each.passes, each.passes]);
});

describe("axes", () => {
  const units = ({ grouping }: ClipMethod, shape: number[]) => {
    if (grouping.kind !== "units") return undefined;
    const { count, size } = grouping.unitsOf(shape, "w");
    return [count, size];
  };

  test.each([
    [[], 1, 1],
    [[5], 1, 5],
    [[1, 5, 1], 1, 5],
    [[1, 1, 1, 1, 1, 1, 5], 1, 5],
    [[2, 5], 5, 2],
    [[2, 3, 5], 15, 2],
    [[2, 3, 4, 5], 5, 24],
    [[2, 2, 3, 4, 5], 5, 48],
  ])("of adaptiveGradClip for %j are Optax's", (shape, count, size) => {
    expect(units(adaptiveGradClip(), shape)).toEqual([count, size]);
  });

  test("may be a list, which is copied, or a function of the shape", () => {
    const axes = [1];
    const [listed, told] = [axes, ([first = 0]: readonly number[]) => [first]].map((one) =>
      clipByNorm(1, { axes: one }),
    );
    axes[0] = 0;
    expect(units(listed as ClipMethod, [1, 6])).toEqual([1, 6]);
    expect(units(listed as ClipMethod, [3, 2])).toEqual([3, 2]);
    expect(units(told as ClipMethod, [1, 6])).toEqual([1, 6]);
    expect(units(adaptiveGradClip({ axes: [1] }), [3, 2])).toEqual([3, 2]);
    expect(clipByNorm(1).grouping.kind).toBe("tensor");
  });
});

test("limits of values are rounded inwards to the gradient's dtype", () => {
  const { limits } = clipByValue(-1.0001, 2 ** -24 * 1.5);
  expect((["f32", "f16", "bf16"] as const).map((dtype) => limits?.(dtype))).toEqual([
    [Math.fround(-1.0001), 2 ** -24 * 1.5],
    [-1, 2 ** -24],
    [-1, 2 ** -24 * 1.5],
  ]);
  const none = clipByValue(-Infinity, 0).limits;
  expect([none?.("f16"), none?.("bf16")]).toEqual([
    [-Infinity, 0],
    [-Infinity, 0],
  ]);
  expect([clipByValue(1e6).limits?.("f16"), clipByValue(1e6).limits?.("f32")]).toEqual([
    [-65_504, 65_504],
    [-1e6, 1e6],
  ]);
});

const PERCENTILE = "pass a number from 0.0001 to 100.";
const AXES = "pass a list, or a function from a shape to one.";

test.each<[() => ClipMethod, new (message: string) => Error, string]>([
  [() => autoClip({ percentile: 0 }), RangeError, `autoClip's percentile is 0; ${PERCENTILE}`],
  [() => autoClip({ percentile: 4e-5 }), RangeError, `autoClip's percentile is 0.00004; ${PERCENTILE}`],
  [() => autoClip({ percentile: 100.5 }), RangeError, `autoClip's percentile is 100.5; ${PERCENTILE}`],
  [() => autoClip({ history: 0 }), RangeError, "autoClip's history is 0; pass a whole number from 1 to 65536."],
  [
    () => autoClip({ history: 65_537 }),
    RangeError,
    "autoClip's history is 65537; pass a whole number from 1 to 65536.",
  ],
  [() => zClip({ warmup: 0 }), RangeError, "zClip's warmup is 0; pass a whole number from 1 to 1000000."],
  [() => adaGC({ warmup: -1 }), RangeError, "adaGC's warmup is -1; pass a whole number from 0 to 1000000."],
  [
    () => adaGC({ relative: 0.5 }),
    RangeError,
    "adaGC's relative is 0.5, so that bounds only shrink; pass a number from 1 on.",
  ],
  [() => clipByNorm(1, { axes: 1 as never }), TypeError, `clipByNorm's axes is 1; ${AXES}`],
  [() => clipByNorm(1, { axes: [0.5] }), TypeError, `clipByNorm's axes is an Array; ${AXES}`],
  [
    () => clipByGroupNorm(1 as never),
    TypeError,
    "clipByGroupNorm's bounds is 1; pass bounds by group, such as { encoder: 1 }.",
  ],
])("case %# is refused", (make, kind, message) => {
  expect(make).toThrow(new kind(message));
});

test("the least and the most that are taken", () => {
  const percentiles = [0.0001, 100].map((percentile) => memoryOf(autoClip({ percentile, history: 1 })).toWords(0));
  expect(percentiles.map((words) => autoStruct.read(words, 0, "percentile"))).toEqual([1, 1_000_000]);
  expect([zClip({ warmup: 1 }), adaGC({ warmup: 0, relative: 1 })].map(({ name }) => name)).toEqual(["zClip", "adaGC"]);
});
