import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions, Source } from "../options.ts";
import { INFINITY_SEEN, NAN_SEEN } from "../record.ts";
import { ALIGNMENT } from "./device.ts";
import { groupRounds } from "./groups.ts";
import type { Plan } from "./plan.ts";
import { struct } from "./struct.ts";

/** As in shaders/shared/decide.wgsl. */
export const settingsStruct = struct(
  "partialCount",
  "nonFinite",
  "gradScaleIndex",
  "totalNormIndex",
  "totalNormMantissa",
  "totalNormExponent",
  "totalNormFlags",
  "power",
  "epsMantissa",
  "epsExponent",
  "groupCount",
  "bundleCount",
  "firstPartial",
  "rounds",
);
export const SETTINGS_BYTES = 4 * settingsStruct.words;
const NONE = 0xffffffff;
const GIVEN = 0xfffffffe;
const POLICIES = ["zero", "keep", "propagate"] as const;
const EACH = 3;

/** What finish and finish_groups need to know, the same for every step. */
export function settingsOf(
  plan: Plan,
  { norm, eps = 0, clamp }: ClipMethod,
  { nonFinite, gradScale, totalNorm }: CheckedOptions,
  groupCount: number,
): Uint32Array {
  const grouped = groupCount > 0;
  const { rounds, workgroups } = groupRounds(groupCount);
  const given = typeof totalNorm === "number";
  const total = softFloatOf(given ? totalNorm : 0);
  const added = softFloatOf(eps);
  const settings = new Uint32Array(settingsStruct.words);
  settingsStruct.write(settings, 0, {
    partialCount: grouped ? workgroups : plan.partialCount,
    nonFinite: clamp ? EACH : POLICIES.indexOf(nonFinite),
    gradScaleIndex: sourceIndex(gradScale),
    totalNormIndex: given ? GIVEN : sourceIndex(totalNorm),
    totalNormMantissa: total.mantissa,
    totalNormExponent: total.exponent,
    totalNormFlags: total.flags,
    power: norm.fixedPower,
    epsMantissa: added.mantissa,
    epsExponent: added.exponent,
    groupCount,
    bundleCount: plan.bundles.length,
    firstPartial: grouped ? plan.partialCount + plan.parameterPartialCount : 0,
    rounds,
  });
  return settings;
}

/** The word of a binding at which a number stands that the GPU holds. */
export function sourceIndex(source: number | Source | undefined): number {
  return typeof source === "object" ? (source.byteOffset % ALIGNMENT) / 4 : NONE;
}

/** A SoftFloat of 24 bits, and the flags of what is no number. */
function softFloatOf(norm: number): { mantissa: number; exponent: number; flags: number } {
  if (Number.isNaN(norm)) return { mantissa: 0, exponent: 0, flags: NAN_SEEN };
  if (norm === Infinity) return { mantissa: 0, exponent: 0, flags: INFINITY_SEEN };
  // No bound is near to so small a norm.
  if (norm < 2 ** -900) return { mantissa: 0, exponent: 0, flags: 0 };
  let exponent = Math.floor(Math.log2(norm)) - 31;
  let mantissa = Math.fround(norm * 2 ** -exponent);
  for (; mantissa >= 2 ** 32; exponent++) mantissa /= 2;
  for (; mantissa < 2 ** 31; exponent--) mantissa *= 2;
  return { mantissa, exponent, flags: 0 };
}
