import { readBound, readLimit } from "../check.ts";
import { linf } from "../norms/linf.ts";
import type { Dtype } from "../ranges.ts";
import { globalRule } from "../rules/global.ts";
import type { ClipMethod } from "./method.ts";
import { valuePasses } from "./passes.ts";

/**
 * Clips every value by itself, to [-limit, limit] or to [min, max]: PyTorch's `clip_grad_value_`, TensorFlow's
 * `clip_by_value`. The direction of the gradient may change. One pass: 4 bytes read for each float32, and written only
 * where a value changes (all of them with `into`, or with a `gradScale` other than 1, which multiplies first).
 *
 * `nonFinite` means nothing here: a NaN stays as it is, payload and all, an infinity becomes the limit, and both are
 * counted in the report. A value at or inside the limits keeps its bytes. No step is skipped. In 16 bits the limits are
 * the outermost numbers of the format that lie inside them.
 *
 * In the report `norm` is the largest magnitude before clipping, as is `maxAbs`: that is the norm which limits bound,
 * and no other is taken. `clipped` tells whether any value was outside the limits, `scale` is `gradScale`, and a range
 * that is listed twice is clipped and counted once. In the record the bound is Infinity.
 *
 * @example
 * ```ts
 * const gradient = new Float32Array([3, -0.5]);
 * await clipGradients([gradient], clipByValue(1));
 * gradient; // [1, -0.5]
 * ```
 * @param limit 0 (every number becomes 0), a positive normal float32, or Infinity (count and measure only).
 * @throws RangeError for any other number, or if `min` exceeds `max`, TypeError for what is no number; of `prepare`: TypeError for
 * `apply: "record"` and `totalNorm`, RangeError for a `gradScale` in a buffer that holds gradients.
 */
export function clipByValue(limit: number): ClipMethod;
/**
 * @param min 0, a normal float32, or -Infinity: no lower limit.
 * @param max 0, a normal float32, or Infinity: no upper limit.
 */
export function clipByValue(min: number, max: number): ClipMethod;
export function clipByValue(first: number, second?: number): ClipMethod {
  const [min, max] = limits(first, second);
  return {
    name: "clipByValue",
    // Its own, so that nothing on Object.prototype can stand in for them.
    maxNorm: undefined,
    eps: 0,
    norm: linf,
    rule: globalRule,
    grouping: { kind: "all" },
    passes: valuePasses,
    limits: (dtype) => inside(min, max, dtype),
  };
}

function limits(first: number, second: number | undefined): [number, number] {
  if (second === undefined) {
    const max = readBound(first, "clipByValue's limit");
    return [0 - max, max];
  }
  const min = readLimit(first, "clipByValue's min", -Infinity);
  const max = readLimit(second, "clipByValue's max", Infinity);
  if (min > max) {
    throw new RangeError(`clipByValue's min is ${min} and its max is ${max}; pass a min that is at most the max.`);
  }
  return [min, max];
}

/** Digits, the exponent of the smallest normal number, the largest number. */
const FORMATS = {
  f16: [11, -14, 65_504],
  bf16: [8, -126, 3.3895313892515355e38],
} as const;

/** The limits as numbers of a format, rounded towards each other: what is rounded to it afterwards stays inside. */
function inside(min: number, max: number, dtype: Dtype): readonly [number, number] {
  if (dtype === "f32") return [min, max];
  const [digits, leastExponent, largest] = FORMATS[dtype];
  const rounded = (value: number, towards: (units: number) => number) => {
    if (value === 0 || Math.abs(value) === Infinity) return value;
    const exponent = Math.max(Math.floor(Math.log2(Math.abs(value))), leastExponent);
    const unit = 2 ** (exponent - digits + 1);
    return Math.max(-largest, Math.min(largest, towards(value / unit) * unit));
  };
  const low = rounded(min, Math.ceil);
  return [low, Math.max(low, rounded(max, Math.floor))];
}
