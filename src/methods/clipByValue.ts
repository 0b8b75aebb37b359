import { readBound, readLimit, shown } from "../check.ts";
import { linf } from "../norms/linf.ts";
import type { Dtype } from "../ranges.ts";
import { globalRule } from "../rules/global.ts";
import type { ClipMethod } from "./method.ts";
import { valuePasses } from "./passes.ts";

/**
 * Clips every value by itself, to [-limit, limit] or to [min, max]. It is PyTorch's `clip_grad_value_` and TensorFlow's
 * `clip_by_value`. The direction of the gradient may change. One pass reads 4 bytes for each float32 and writes only values that
 * change. With `into`, or with a `gradScale` other than 1, it writes all of them. `gradScale` multiplies first.
 *
 * `nonFinite` has no effect. A NaN keeps its bytes, an infinity becomes the limit, and the report counts both. A value at or
 * inside the limits keeps its bytes. No step is skipped. For 16-bit formats the limits are rounded inwards to numbers of the
 * format.
 *
 * In the report `norm` is the largest magnitude before clipping, as is `maxAbs`; no other norm is computed. `clipped` says
 * whether any value was outside the limits, and `scale` is `gradScale`. A range that is listed twice is clipped and counted once.
 * In the record the bound is Infinity.
 *
 * @example
 * ```ts
 * const gradient = new Float32Array([3, -0.5]);
 * await clipGradients([gradient], clipByValue(1));
 * gradient; // [1, -0.5]
 * ```
 * @param limit 0 (every number becomes 0), a positive normal float32, or Infinity (count and measure only).
 * @throws RangeError for any other number, or if `min` exceeds `max`; TypeError for anything else. `prepare` throws TypeError for
 * `apply: "record"` and `totalNorm`, and RangeError for a `gradScale` in a buffer that holds gradients.
 */
export function clipByValue(limit: number): ClipMethod;
/**
 * @param min 0, a normal float32, or -Infinity for no lower limit.
 * @param max 0, a normal float32, or Infinity for no upper limit.
 */
export function clipByValue(min: number, max: number): ClipMethod;
export function clipByValue(first: number, second?: number): ClipMethod {
  const [min, max] = limits(first, second);
  return {
    name: "clipByValue",
    // An own property: one of Object.prototype must not take its place.
    maxNorm: undefined,
    eps: 0,
    norm: linf,
    rule: globalRule,
    grouping: { kind: "all" },
    passes: valuePasses,
    limits: (dtype) => inside(min, max, dtype),
    checkOptions({ apply, totalNorm, tensorNorms }) {
      const aboutNorms = {
        apply: apply === "record" ? apply : undefined,
        totalNorm,
        tensorNorms: tensorNorms || undefined,
      };
      const [key, value] = Object.entries(aboutNorms).find(([, value]) => value !== undefined) ?? [];
      if (!key) return;
      throw new TypeError(`options.${key} is ${shown(value)}, but clipByValue takes no norm; leave it out.`);
    },
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

/** The number of digits, the exponent of the smallest normal number, and the largest number. */
const FORMATS = {
  f16: [11, -14, 65_504],
  bf16: [8, -126, 3.3895313892515355e38],
} as const;

/** The limits as numbers of a format, rounded inwards: a value that is rounded to the format later stays inside. */
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
