/** Bounds that follow from the norm of the parameter, unit by unit. */
import { type Axes, adaptiveGradClip } from "../../../src/index.ts";
import { range, tensor, unit } from "../build.ts";
import { refuses, untouched } from "../expect.ts";
import { bits16From, bitsFrom, floatsOf, randomBits } from "../numbers.ts";
import { onEveryGrid, planned } from "../plans.ts";
import { agc } from "../rules.ts";
import type { Bits, Case, Dtype, Tensor, Unit } from "../types.ts";

const size = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);

function encoded(dtype: Dtype | undefined, bits: Uint32Array): Bits {
  return dtype === "f16" || dtype === "bf16" ? bits16From(dtype, floatsOf(bits)) : bits;
}

/** Some units are above their bound, some below. */
function layer(
  shape: readonly number[],
  seed: number,
  { dtype, parameterDtype, ...extras }: Partial<Tensor> & { parameterDtype?: Dtype } = {},
): Tensor {
  const count = size(shape);
  const gradient = randomBits(count, seed, 0.02);
  return {
    bits: encoded(dtype, gradient),
    shape,
    ...(dtype ? { dtype } : {}),
    parameter: {
      bits: encoded(parameterDtype, randomBits(count, seed + 100, 1)),
      ...(parameterDtype ? { dtype: parameterDtype } : {}),
    },
    ...extras,
  };
}

const SHAPES: readonly (readonly number[])[] = [
  [12],
  [1, 40],
  [30, 20],
  [5, 6, 7],
  [3, 3, 16, 24],
  [2, 3, 2, 5, 6],
  [64, 10],
  [900, 3],
];
const DTYPES: readonly Dtype[] = ["f32", "f16", "bf16"];

const timm: Axes = (shape) => shape.map((_, axis) => axis).slice(shape.length > 1 ? 1 : 0);

function model(): Tensor[] {
  return range(20).flatMap((k) => [layer([3 + k, 7 + ((k * 13) % 40)], k), layer([7 + ((k * 13) % 40)], k + 40)]);
}

function whateverThePlan(): Unit[] {
  return [
    unit("40 layers", model(), agc()),
    unit("long columns", [layer([20_000, 3], 5)], agc()),
    unit("long rows", [layer([3, 20_000], 6)], agc({ axes: timm })),
    unit("timm's axes", [layer([24, 16, 3, 3], 7), layer([24], 8)], agc({ axes: timm })),
    unit("everything in one arena", arena(), agc()),
  ];
}

/** Gradients and parameters side by side, starting anywhere. */
function arena(): Tensor[] {
  let byteOffset = 260;
  return SHAPES.map((shape, seed): Tensor => {
    const one = layer(shape, seed + 20);
    const place = { memory: "arena", byteOffset };
    byteOffset += one.bits.byteLength;
    const parameterPlace = { memory: "arena", byteOffset };
    byteOffset += one.bits.byteLength + 4;
    return { ...one, place, parameter: { bits: one.parameter?.bits as Bits, place: parameterPlace } };
  });
}

function withParameter(values: number[], parameter: number[], shape: number[]): Tensor {
  return tensor(values, { shape, parameter: { bits: bitsFrom(parameter) } });
}

export const cases: Case[] = [
  {
    name: "by hand",
    units: () => [
      // Columns of the parameter: norms 5 and 0; bounds 0.05 and 0.01 * 1e-3.
      unit("a matrix of [in, out]", [withParameter([3, 0, 4, 0.5], [3, 0, 4, 0], [2, 2])], agc(), {
        want: { clipped: true, values: [[0.03, 0, 0.04, 1e-5]] },
      }),
      unit("a vector is one unit", [withParameter([6, 8], [30, 40], [2])], agc(), {
        want: { clipped: true, values: [[0.3, 0.4]] },
      }),
      unit("below the bound", [withParameter([0.3, 0.4], [300, 400], [2])], agc(), {
        want: { clipped: false, values: [[0.3, 0.4].map(Math.fround)] },
      }),
      unit("clipping 0", [withParameter([3, 4], [3, 4], [2])], agc({ clipping: 0 }), { want: { values: [[0, 0]] } }),
      unit("clipping Infinity", [withParameter([3, 4], [3, 4], [2])], agc({ clipping: Infinity }), {
        want: { clipped: false, values: [[3, 4]] },
      }),
    ],
  },
  {
    name: "Optax's default axes for shapes of every rank",
    units: () => SHAPES.map((shape, seed) => unit(`[${shape}]`, [layer(shape, seed + 1)], agc({ clipping: 0.02 }))),
  },
  {
    name: "a format for the gradient, another for the parameter",
    units: () =>
      DTYPES.flatMap((dtype) =>
        DTYPES.map((parameterDtype) =>
          unit(
            `${dtype} with a parameter of ${parameterDtype}`,
            [layer([30, 21], 3, { dtype, parameterDtype }), layer([21], 4, { dtype, parameterDtype })],
            agc({ clipping: 0.02 }),
          ),
        ),
      ),
  },
  {
    name: "into, gradScale, and the record alone",
    units: () => [
      unit("into", [layer([30, 20], 1, { into: { memory: "target", byteOffset: 300 } })], agc()),
      unit("gradScale", [layer([30, 20], 2)], agc(), { options: { gradScale: 0.5 } }),
      unit("apply: record", [layer([30, 20], 3)], agc(), { options: { apply: "record" } }),
    ],
  },
  {
    name: "a parameter that is not finite concerns only its unit",
    units: () =>
      (["zero", "keep", "propagate"] as const).flatMap((nonFinite) =>
        [Number.NaN, Infinity].map((bad) =>
          unit(`${bad}, ${nonFinite}`, [withParameter([3, 4, 5, 6], [1, bad, 1, 1], [2, 2])], agc(), {
            options: { nonFinite },
          }),
        ),
      ),
  },
  { name: "whatever the plan", units: whateverThePlan },
  ...onEveryGrid(whateverThePlan),
  planned("ranges cut for bindings of 64 KiB", { maxBinding: 65_536 }, whateverThePlan),
  {
    name: "what it needs is asked for",
    script: async ({ allocate, prepare }) => {
      const memory = allocate([withParameter([3, 4], [1, 2], [2])]);
      const [view] = memory.gradients as {
        buffer: Float32Array;
        shape: number[];
        parameter: { buffer: Float32Array };
      }[];
      const without = (key: "shape" | "parameter") => [{ ...view, [key]: undefined }] as never;
      refuses(() => prepare(without("shape"), adaptiveGradClip()), [TypeError], "no shape");
      refuses(() => prepare(without("parameter"), adaptiveGradClip()), [TypeError], "no parameter");
      const clip = prepare([view] as never, adaptiveGradClip());
      refuses(() => clip.run(without("parameter")), [TypeError], "no parameter in a step");
      const short = [{ ...view, parameter: { ...view?.parameter, byteOffset: 4 } }] as never;
      refuses(() => prepare(short, adaptiveGradClip()), [RangeError], "a parameter that is too short");
      const parameter = view?.parameter as { buffer: Float32Array<ArrayBuffer> | GPUBuffer };
      const { buffer } = parameter;
      const bytes = ArrayBuffer.isView(buffer)
        ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
        : buffer;
      const twice = [view, { ...view, parameter: { ...parameter, buffer: bytes, dtype: "bf16" } }] as never;
      refuses(() => prepare(twice, adaptiveGradClip()), [RangeError], "a range with two parameters");
      const over = [{ ...view, into: view?.parameter }] as never;
      refuses(() => prepare(over, adaptiveGradClip()), [RangeError], "into the parameter");
      refuses(() => adaptiveGradClip({ eps: 0 }), [RangeError], "eps 0");
      refuses(() => adaptiveGradClip({ clipping: -1 }), [RangeError], "clipping -1");
      await untouched(memory);
    },
  },
];
