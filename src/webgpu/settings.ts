import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions, Source } from "../options.ts";
import { ALIGNMENT } from "./device.ts";
import { groupRounds } from "./groups.ts";
import type { Plan } from "./plan.ts";

/** As in shaders/shared/decide.wgsl. */
export const SETTINGS_BYTES = 56;
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
  const settings = new Uint32Array(SETTINGS_BYTES / 4);
  const grouped = groupCount > 0;
  const { rounds, workgroups } = groupRounds(groupCount);
  settings[0] = grouped ? workgroups : plan.partialCount;
  settings[1] = clamp ? EACH : POLICIES.indexOf(nonFinite);
  settings[2] = sourceIndex(gradScale);
  settings[3] = typeof totalNorm === "number" ? GIVEN : sourceIndex(totalNorm);
  if (typeof totalNorm === "number") settings.set(softFloatOf(totalNorm), 4);
  settings[7] = norm.fixedPower;
  settings.set(softFloatOf(eps).slice(0, 2), 8);
  settings[10] = groupCount;
  settings[11] = plan.bundles.length;
  settings[12] = grouped ? plan.partialCount + plan.parameterPartialCount : 0;
  settings[13] = rounds;
  return settings;
}

/** The word of a binding at which a number stands that the GPU holds. */
export function sourceIndex(source: number | Source | undefined): number {
  return typeof source === "object" ? (source.byteOffset % ALIGNMENT) / 4 : NONE;
}

/** mantissa, exponent and non-finite flags, as finish.wgsl takes them: a SoftFloat of 24 bits. */
function softFloatOf(norm: number): [number, number, number] {
  if (Number.isNaN(norm)) return [0, 0, 4];
  if (norm === Infinity) return [0, 0, 8];
  // No bound is near to so small a norm.
  if (norm < 2 ** -900) return [0, 0, 0];
  let exponent = Math.floor(Math.log2(norm)) - 31;
  let mantissa = Math.fround(norm * 2 ** -exponent);
  for (; mantissa >= 2 ** 32; exponent++) mantissa /= 2;
  for (; mantissa < 2 ** 31; exponent--) mantissa *= 2;
  return [mantissa, exponent, 0];
}
