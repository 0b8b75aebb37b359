/** What PyTorch tests of its own clip_grad_norm_, and inputs over which other systems disagree, with the right answers. */
import { clipByGlobalNorm, clipGradients, NonFiniteGradientError } from "../../../src/index.ts";
import { clipTo, filled, range, tensor, unit } from "../build.ts";
import { fail, rejects, same, untouched } from "../expect.ts";
import { MIN_NORMAL, randomSource } from "../numbers.ts";
import type { Case, Harness, Tensor, Unit, UnitOptions, Want } from "../types.ts";

/** 1..100 and ten of 1/1000, as in test_clip_grad_norm. */
const PYTORCH_GRADS = [tensor(range(100, 1)), filled(10, 1 / 1000)];

function smallGrads(): Tensor[] {
  const random = randomSource(1);
  return [tensor(range(100).map(() => Math.abs(random()) / 10_000)), filled(10, 1 / 500)];
}

function row(label: string, values: readonly number[], bound: number, want: Want, options?: UnitOptions): Unit {
  // Sums of two squares of these are exact, or the norm is far from the bound.
  return unit(label, [tensor(values)], clipTo(bound), { exact: true, want, options });
}

function nonFiniteTable(value: number): Unit[] {
  return [false, true].flatMap((oneElement) => {
    return [false, true].map((prefix) => {
      const scalars = range(10).map((index) => (oneElement && index !== 1 ? 0 : value));
      const tensors = [...(prefix ? [tensor([1])] : []), tensor(scalars)];
      const label = `${value}, one element ${oneElement}, prefix ${prefix}`;
      return unit(label, tensors, clipTo(1), { options: { nonFinite: "keep" } });
    });
  });
}

async function raisesUntouched(harness: Harness, value: number): Promise<void> {
  const memory = harness.allocate([tensor([1, 2]), tensor([value, 3])]);
  const clip = harness.prepare(memory.gradients, clipByGlobalNorm(1), { nonFinite: "keep" });
  clip.run();
  const error = await rejects(
    clip.report({ throwIfNonFinite: true }),
    [NonFiniteGradientError],
    `report over ${value}`,
  );
  if (error.message.length < 10) fail("the error has no message");
  await untouched(memory);
}

export const cases: Case[] = [
  {
    name: "PyTorch: test_clip_grad_norm, p = 2",
    units: () => {
      const want = { norm: 581.6786054257111, scale: 0.0034383248376445652, clipped: true };
      const [weight, bias] = PYTORCH_GRADS as [Tensor, Tensor];
      return [
        unit("both", [weight, bias], clipTo(2), { want }),
        unit("with an absent gradient", [weight, null, bias], clipTo(2), { want }),
        unit("one tensor", [weight], clipTo(2)),
      ];
    },
  },
  {
    name: "PyTorch: small gradients keep a scale of exactly 1",
    units: () => [unit("rand / 10,000 and 1 / 500", smallGrads(), clipTo(2), { want: { scale: 1, clipped: false } })],
  },
  {
    name: "PyTorch: 220 ones in four tensors, bound 0.5",
    units: () => {
      const tensors = [filled(100, 1), filled(10, 1), filled(100, 1), filled(10, 1)];
      return [
        unit("as on two devices", tensors, clipTo(0.5), { want: { norm: 14.832396974191326, scale: 0.03370999 } }),
      ];
    },
  },
  {
    name: "PyTorch: test_clip_grad_norm_error_if_nonfinite, p = 2",
    units: () => [Infinity, -Infinity, Number.NaN, 2e22, -2e22].flatMap(nonFiniteTable),
  },
  {
    name: "PyTorch: an error for non-finite norms leaves the gradients alone",
    script: async (harness) => {
      for (const value of [Infinity, -Infinity, Number.NaN]) await raisesUntouched(harness, value);
    },
  },
  {
    name: "PyTorch: finite gradients raise nothing",
    script: async (harness) => {
      const { gradients } = harness.allocate([tensor([2e22, -2e22])]);
      const clip = harness.prepare(gradients, clipByGlobalNorm(1));
      clip.run();
      const report = await clip.report({ throwIfNonFinite: true });
      same(report.clipped, true, "2e22 clipped to 1");
    },
  },
  {
    name: "where systems disagree: the right answers",
    units: () => [
      row("[3, 4], max 5", [3, 4], 5, { scale: 1, values: [[3, 4]] }),
      row("[0, 0], max 1", [0, 0], 1, { norm: 0, values: [[0, 0]] }),
      row("[0, 0], max 0", [0, 0], 0, { norm: 0, values: [[0, 0]] }),
      row("[3, 4], max 0", [3, 4], 0, { norm: 5, values: [[0, 0]] }),
      row("[3, 4], max infinity", [3, 4], Infinity, { values: [[3, 4]] }),
      row("[1e20, 1e20], max 1", [1e20, 1e20], 1, { values: [[Math.SQRT1_2, Math.SQRT1_2]] }),
      row("[1e-7, 0], max 1e-7", [1e-7, 0], 1e-7, { clipped: false, values: [[1e-7, 0].map(Math.fround)] }),
      row("[1e-23, 1e-23], max 1e-24", [1e-23, 1e-23], 1e-24, { values: [[7.0710678e-25, 7.0710678e-25]] }),
      row("norm 1e-7, max 1e-8", [1e-7], 1e-8, { clipped: true, values: [[1e-8]] }),
    ],
  },
  {
    name: "where systems disagree: non-finite values, as PyTorch has them when asked",
    units: () => [
      row("[inf, 1], max 1", [Infinity, 1], 1, { values: [[Number.NaN, 0]] }, { nonFinite: "propagate" }),
      row("[nan, 1], max 1", [Number.NaN, 1], 1, { values: [[Number.NaN, Number.NaN]] }, { nonFinite: "propagate" }),
      row("[inf, 1], max 1, by default", [Infinity, 1], 1, { values: [[0, 0]] }),
      row("[nan, 1], max 1, by default", [Number.NaN, 1], 1, { values: [[0, 0]] }),
    ],
  },
  {
    name: "no bound is no exemption: NaN and infinities are dealt with as under any other",
    units: () => [
      row("[inf, 1], by default", [Infinity, 1], Infinity, { clipped: false, values: [[0, 0]] }),
      row("[nan, 1], by default", [Number.NaN, 1], Infinity, { clipped: false, values: [[0, 0]] }),
      row("[inf, 1], kept", [Infinity, 1], Infinity, { values: [[Infinity, 1]] }, { nonFinite: "keep" }),
      row("[inf, 1], propagated", [Infinity, 1], Infinity, { values: [[Number.NaN, 0]] }, { nonFinite: "propagate" }),
    ],
  },
  {
    name: "where systems disagree: bounds at which c * (1 / c) is not 1",
    units: () => {
      return [41, 47, 55, 61, 82, 83, 94, 97, 1.7, 2.9, 3.4, 3.7, 3.9, 5.8].map((bound) => {
        return row(`max ${bound}`, [Math.fround(bound), 0], bound, { scale: 1, clipped: false });
      });
    },
  },
  {
    name: "no epsilon: tiny norms are clipped to tiny bounds",
    units: () => {
      return [1e-6, 1e-10, 1e-20, 1e-30, 2 * MIN_NORMAL].map((bound) => {
        return unit(`bound ${bound}`, [tensor([bound * 30, bound * 40])], clipTo(bound), { want: { clipped: true } });
      });
    },
  },
  {
    name: "the one-liner",
    script: async (harness) => {
      const memory = harness.allocate([tensor([3, 4])]);
      const device = "device" in harness ? { device: harness.device as GPUDevice } : {};
      const report = await clipGradients(memory.gradients, clipByGlobalNorm(5), device);
      same(report.norm, 5, "norm");
      same(report.clipped, false, "clipped");
      await untouched(memory);
    },
  },
];
