/** Clipping each value by itself, computed independently of src/. */
import { bitsIn, FLT_MAX, MIN_NORMAL, number16, valuesOf } from "./numbers.ts";
import { scalar, summarise } from "./reference.ts";
import type { Bits, Content, Dtype, Expected, Place, Tensor, Unit } from "./types.ts";

export function referenceValue(unit: Unit, min: number, max: number): Expected {
  const gradScale = scalar(unit.options?.gradScale, Math.fround) ?? 1;
  const usable = gradScale >= MIN_NORMAL && gradScale <= FLT_MAX;
  const results = unit.tensors.map((tensor) => {
    if (!tensor) return null;
    return usable ? clamped(tensor, limitsIn(tensor.dtype, min, max), gradScale) : allNaN(tensor);
  });
  // A range that is written twice alike is read once.
  const once = unit.tensors.map((tensor, index) => {
    const isCopy = (other: Tensor | null | undefined) => tensor?.place && other && sameRanges(other, tensor);
    return unit.tensors.slice(0, index).some(isCopy) ? null : tensor;
  });
  const summary = summarise(once);
  let norm = usable ? gradScale * summary.largest : Number.NaN;
  if (summary.sawInfinity && usable) norm = Number.POSITIVE_INFINITY;
  if (summary.sawNaN) norm = Number.NaN;
  return {
    norm,
    scale: usable ? gradScale : Number.NaN,
    clipped: results.some((result) => result?.clipped),
    skipped: false,
    bound: Number.POSITIVE_INFINITY,
    nonFinite: summary.nonFinite,
    first: summary.first,
    maxAbs: Number.isFinite(norm) ? Math.min(FLT_MAX, norm) : norm,
    sawNaN: summary.sawNaN || !usable,
    sawInfinity: summary.sawInfinity,
    contents: results.map((result) => (result ? result.content : null)),
  };
}

function sameRanges(a: Tensor, b: Tensor): boolean {
  const same = (x: Place | undefined, y: Place | undefined) =>
    x?.memory === y?.memory && x?.byteOffset === y?.byteOffset;
  return same(a.place, b.place) && same(a.into, b.into);
}

/** The outermost numbers of a format that lie inside the limits: found among all of them. */
function limitsIn(dtype: Dtype = "f32", min: number, max: number): [number, number] {
  if (dtype === "f32") return [min, max];
  const numbers = finiteNumbers(dtype);
  const [first, last] = [numbers[0] as number, numbers.at(-1) as number];
  const low = min === -Infinity ? min : (numbers.find((x) => x >= min) ?? last);
  const above = max === Infinity ? -1 : numbers.findIndex((x) => x > max);
  const high = max === Infinity ? max : ((above < 0 ? last : numbers[above - 1]) ?? first);
  return [low, Math.max(low, high)];
}

const known = new Map<Dtype, number[]>();

/** In ascending order. */
function finiteNumbers(dtype: "f16" | "bf16"): number[] {
  const numbers =
    known.get(dtype) ??
    Array.from({ length: 0x10000 }, (_, pattern) => number16(dtype, pattern))
      .filter(Number.isFinite)
      .sort((a, b) => a - b);
  known.set(dtype, numbers);
  return numbers;
}

function clamped(tensor: Tensor, [min, max]: readonly [number, number], gradScale: number) {
  const { bits, dtype = "f32" } = tensor;
  const result = bits.slice();
  let clipped = false;
  let subnormal = false;
  valuesOf(tensor).forEach((before: number, i: number) => {
    if (Number.isNaN(before)) return;
    let value = before;
    if (gradScale !== 1 && Number.isFinite(before)) {
      value = Math.fround(before * gradScale);
      if (Math.abs(value) > FLT_MAX) value = value < 0 ? -FLT_MAX : FLT_MAX;
      if (value !== 0 && Math.abs(value) < MIN_NORMAL) subnormal = true;
    }
    const inside = value < min ? min : value > max ? max : value;
    if (inside !== value) clipped = true;
    if (inside !== value || gradScale !== 1) result[i] = bitsIn(dtype, inside);
  });
  // To the bit, but for products that are subnormal.
  const content: Content = subnormal
    ? { values: new Float64Array(valuesOf({ bits: result, dtype })) }
    : { bits: result };
  return { content, clipped };
}

/** A NaN keeps its payload, whatever it is multiplied by. */
function allNaN({ bits, dtype = "f32" }: Tensor): { content: Content; clipped: boolean } {
  const result = bits.slice() as Bits;
  valuesOf({ bits, dtype }).forEach((value: number, i: number) => {
    if (!Number.isNaN(value)) result[i] = { f32: 0x7fc00000, f16: 0x7e00, bf16: 0x7fc0 }[dtype];
  });
  return { content: { bits: result }, clipped: false };
}
