/** What the options mean, alone and together. */
import { clipByBlockRms, clipByNorm } from "../../../src/index.ts";
import { clipTo, measured, packed, raw, tensor, unit } from "../build.ts";
import { same } from "../expect.ts";
import { FLT_MAX, MIN_NORMAL, randomBits } from "../numbers.ts";
import type { Case, Tensor, Unit, UnitOptions } from "../types.ts";

const APPLY = ["scale", "record"] as const;
const POLICIES = ["zero", "keep", "propagate"] as const;
const WAYS = ["encode", "pass", "run"] as const;

const FINITE = randomBits(130, 1, 3);
const WITH_NAN = randomBits(130, 2, 3).fill(0x7fa00001, 64, 65);
const WITH_INFINITY = randomBits(130, 3, 3).fill(0xff800000, 129);
const CONTENTS = { finite: FINITE, NaN: WITH_NAN, infinity: WITH_INFINITY };

function layouts(bits: Uint32Array): [string, Tensor[]][] {
  const first = randomBits(77, 9);
  const [left, right] = packed([first, bits], 260) as [Tensor, Tensor];
  return [
    ["in place", [left, right]],
    ["into", [{ bits: first }, { bits, into: { memory: "target", byteOffset: 268 } }]],
  ];
}

/** Every combination of contents, layout, policy, what to apply, gradScale and bound. */
function combinations(nonFinite: (typeof POLICIES)[number], apply: (typeof APPLY)[number]): Unit[] {
  return Object.entries(CONTENTS).flatMap(([contents, bits]) => {
    // What "record" means for `into` is left open.
    return layouts(bits)
      .slice(0, apply === "record" ? 1 : 2)
      .flatMap(([layout, tensors]) => {
        return [undefined, 0.125, 3].flatMap((gradScale) => {
          return [0, 0.5, 1e4].map((bound, index) => {
            const options: UnitOptions = { nonFinite, apply, ...(gradScale === undefined ? {} : { gradScale }) };
            const label = `${contents}, ${layout}, gradScale ${gradScale}, bound ${bound}`;
            return unit(label, tensors, clipTo(bound), { options, via: WAYS[index] });
          });
        });
      });
  });
}

function held(value: number, options: UnitOptions = {}): Unit[] {
  return [0.5, 1e6].map((bound) => {
    const all = { ...options, gradScale: { held: value } };
    return unit(`${value}, bound ${bound}, ${options.nonFinite}`, [tensor([3, 4]), raw(FINITE)], clipTo(bound), {
      options: all,
    });
  });
}

function total(norm: number, bound: number, options: UnitOptions = {}): Unit {
  return unit(`norm ${norm}, bound ${bound}`, [tensor([3, 4]), raw(FINITE)], clipTo(bound), {
    exact: true,
    options: { ...options, totalNorm: norm },
  });
}

function heldTotal(norm: number, bound: number, byteOffset: number, nonFinite?: UnitOptions["nonFinite"]): Unit {
  const options = { nonFinite, totalNorm: { held: norm, byteOffset } };
  return unit(
    `norm ${norm} at ${byteOffset}, bound ${bound}, ${nonFinite}`,
    [tensor([3, 4]), raw(FINITE)],
    clipTo(bound),
    { options },
  );
}

export const cases: Case[] = [
  ...POLICIES.flatMap((policy) => {
    return APPLY.map((apply) => ({
      name: `nonFinite "${policy}", apply "${apply}", with every content, layout, gradScale and bound`,
      units: () => combinations(policy, apply),
    }));
  }),
  {
    name: "bound 0 makes every gradient 0",
    units: () => [
      unit("[3, 4]", [tensor([3, 4])], clipTo(0), { want: { norm: 5, scale: 0, clipped: true, values: [[0, 0]] } }),
      unit("huge and tiny", [tensor([FLT_MAX, 1e-45])], clipTo(0), { want: { scale: 0, values: [[0, 0]] } }),
      unit("one subnormal", [tensor([1e-45])], clipTo(0), { want: { scale: 0, clipped: true, values: [[0]] } }),
    ],
  },
  {
    name: "an infinite bound never clips",
    units: () => [
      unit("[3, 4]", [tensor([3, 4])], clipTo(Infinity), { want: { norm: 5, scale: 1, clipped: false } }),
      unit("norm above every float", [tensor([FLT_MAX, FLT_MAX])], clipTo(Infinity), { want: { clipped: false } }),
      unit("gradScale", [tensor([3, 4])], clipTo(Infinity), {
        options: { gradScale: 0.5 },
        want: { norm: 2.5, scale: 0.5, values: [[1.5, 2]] },
      }),
    ],
  },
  {
    name: "scales that no single float32 holds",
    units: () => [
      unit("1 / 6e38", [tensor([3e38, 3e38, 3e38, 3e38])], clipTo(1), { want: { values: [[0.5, 0.5, 0.5, 0.5]] } }),
      unit("2^-251", [tensor([2 ** 126, 2 ** 100])], clipTo(2 ** -125), { want: { scale: 2 ** -251 } }),
      unit("2^-254, less than two normal factors give", [tensor([2 ** 127, 1])], clipTo(MIN_NORMAL), {
        want: { scale: 0, clipped: true },
      }),
      unit("2^-100 of 2^100", [tensor([2 ** 100])], clipTo(2 ** -100), {
        want: { scale: 2 ** -200, values: [[2 ** -100]] },
      }),
      unit("gradScale small, norm large", [tensor([1e38, 1e38])], clipTo(1e-30), { options: { gradScale: 2 ** -100 } }),
      unit("gradScale large, norm small", [tensor([1e-35, 1e-36])], clipTo(1e-3), { options: { gradScale: 2 ** 110 } }),
    ],
  },
  {
    name: "gradScale multiplies before the norm",
    units: () => [
      unit("clipped", [tensor([6, 8])], clipTo(1), {
        exact: true,
        options: { gradScale: 0.5 },
        want: { norm: 5, scale: 0.1, maxAbs: 4, values: [[0.6, 0.8]] },
      }),
      unit("under the bound", [tensor([6, 8])], clipTo(10), {
        exact: true,
        options: { gradScale: 0.5 },
        want: { norm: 5, scale: 0.5, clipped: false, values: [[3, 4]] },
      }),
      unit("1 leaves the bytes", [raw([0x80000000, 1, 0x3f800000])], clipTo(10), {
        options: { gradScale: 1 },
        want: { scale: 1 },
      }),
      unit("a loss scale of 65,536 over 4 steps", [tensor([65_536, 131_072])], clipTo(0.1), {
        options: { gradScale: 1 / (65_536 * 4) },
      }),
      unit("not a power of two", [raw(FINITE)], clipTo(0.7), { options: { gradScale: 0.1 } }),
      unit("largest magnitude beyond float32", [tensor([1e30, 1])], clipTo(1), {
        options: { gradScale: 1e20 },
        want: { maxAbs: FLT_MAX },
      }),
      unit("measured", [tensor([6, 8])], measured(), { options: { gradScale: 0.5 }, want: { norm: 5 } }),
    ],
  },
  {
    name: "gradScale held in a buffer",
    only: "webgpu",
    units: () => [0.125, 1, 3, MIN_NORMAL, 1e20].flatMap((value) => held(value)),
  },
  {
    name: "a gradScale buffer with anything else counts as NaN",
    only: "webgpu",
    units: () => {
      return [0, -1, Number.NaN, Infinity, -Infinity, 1e-40].flatMap((value) => {
        return POLICIES.flatMap((nonFinite) => held(value, { nonFinite }));
      });
    },
  },
  {
    name: "a total norm from elsewhere replaces the norm",
    units: () => [
      total(10, 1),
      total(10, 10),
      total(10, 20),
      total(0, 1),
      total(10, 0),
      total(1e38, 1e-30),
      total(6e38, 1),
      total(6e38, 1e38),
      total(1e-42, 1),
      total(10, 1, { apply: "record" }),
      total(10, 2, { gradScale: 0.5 }),
      total(10, 20, { gradScale: 0.5 }),
    ],
  },
  {
    name: "a total norm held in a buffer",
    only: "webgpu",
    units: () => [
      ...[0, 4, 8, 252, 256, 260].flatMap((at) => [heldTotal(10, 1, at), heldTotal(10, 20, at)]),
      ...POLICIES.flatMap((policy) => [heldTotal(Number.NaN, 1, 4, policy), heldTotal(Infinity, 1, 4, policy)]),
    ],
  },
  {
    name: "measured: a record and no change",
    units: () => {
      return Object.entries(CONTENTS).map(([label, bits]) => unit(label, [tensor([3, 4]), raw(bits)], measured()));
    },
  },
  {
    name: "no gradients at all",
    units: () => [
      unit("an empty list", [], clipTo(1), { want: { norm: 0, scale: 1, clipped: false, nonFinite: 0, maxAbs: 0 } }),
      unit("an empty list, measured", [], measured(), { want: { norm: 0 } }),
      unit("only absent ones", [null, undefined], clipTo(1), { want: { norm: 0, scale: 1 } }),
      unit("an empty list, bound 0", [], clipTo(0), { exact: true, want: { norm: 0, clipped: false } }),
    ],
  },
  {
    name: "no gradients at all, for methods with many norms",
    script: async (harness) => {
      for (const method of [clipByNorm(1), clipByNorm(1, { axes: [0] }), clipByBlockRms(1)]) {
        for (const gradients of [[], [null]]) {
          const clip = harness.prepare(gradients, method);
          clip.run();
          const { norm, clipped, nonFinite } = await clip.report();
          same(norm, 0, `${method.name}: norm`);
          same(clipped, false, `${method.name}: clipped`);
          same(nonFinite, 0, `${method.name}: values that are not finite`);
        }
      }
    },
  },
];
