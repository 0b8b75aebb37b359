import decide from "../../../shaders/shared/decide.wgsl?raw";
import { softFloatOf } from "../../floats.ts";
import type { ClipMethod } from "../../methods/method.ts";
import { INFINITY_SEEN, NAN_SEEN, NONE } from "../../record.ts";
import type { Source } from "../../source.ts";
import { struct } from "../../struct.ts";
import { ALIGNMENT } from "../alignment.ts";
import { READ } from "../layouts.ts";
import { type Filling, resolved } from "../template.ts";
import type { Binding, Planning } from "./pass.ts";
import { lanesToken, partialTexts } from "./texts.ts";

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
  "history",
);
const SETTINGS_BYTES = 4 * settingsStruct.words;
const GIVEN = 0xfffffffe;
const POLICIES = ["zero", "keep", "propagate"] as const;
const EACH = 3;

/** The bindings of decide.wgsl: gradScale, totalNorm, and settings that are the same for every step. `ofGroups` is for finish_groups. */
export function decidingBindings(planning: Planning, ofGroups?: { bundleCount: number; rounds: number }): Binding[] {
  const { norm, eps = 0, limits } = planning.method;
  const { nonFinite, gradScale, totalNorm, history } = planning.options;
  const { first, count } = planning.found;
  const given = typeof totalNorm === "number";
  const total = wordsOf(given ? totalNorm : 0);
  const added = wordsOf(eps);
  const words = new Uint32Array(settingsStruct.words);
  settingsStruct.write(words, 0, {
    partialCount: count,
    nonFinite: limits ? EACH : POLICIES.indexOf(nonFinite),
    gradScaleIndex: sourceIndex(gradScale),
    totalNormIndex: given ? GIVEN : sourceIndex(totalNorm),
    totalNormMantissa: total.mantissa,
    totalNormExponent: total.exponent,
    totalNormFlags: total.flags,
    power: norm.fixedPower,
    epsMantissa: added.mantissa,
    epsExponent: added.exponent,
    groupCount: planning.groupCount,
    firstPartial: first,
    history,
    ...ofGroups,
  });
  return [
    { type: READ, source: gradScale },
    { type: READ, source: totalNorm },
    { type: "uniform", words, bytes: SETTINGS_BYTES },
  ];
}

/** A kernel that decides by the rule of a method. */
export function decidingText(kernel: string, { norm, rule }: ClipMethod, lanes: number, more: Filling): string {
  const texts = { ...partialTexts, "shared/decide": decide, root: norm.root, rule: rule.wgsl, ...rule.texts };
  return resolved(kernel, {
    texts: { ...texts, ...more.texts },
    conditions: { REMEMBERS: "begin" in rule, NORMALIZES: rule.isScaled !== undefined, ...more.conditions },
    tokens: { ...lanesToken(lanes), ...more.tokens },
  });
}

/** The index of a number's word in its binding; NONE if the number is not on the GPU. */
export function sourceIndex(source: number | Source | undefined): number {
  return typeof source === "object" ? (source.byteOffset % ALIGNMENT) / 4 : NONE;
}

/** A SoftFloat of 24 bits, and flags for NaN and infinity. */
function wordsOf(norm: number): { mantissa: number; exponent: number; flags: number } {
  if (Number.isNaN(norm)) return { mantissa: 0, exponent: 0, flags: NAN_SEEN };
  if (norm === Infinity) return { mantissa: 0, exponent: 0, flags: INFINITY_SEEN };
  // Every bound is far above so small a norm.
  if (norm < 2 ** -900) return { mantissa: 0, exponent: 0, flags: 0 };
  return { ...softFloatOf(norm, Math.fround), flags: 0 };
}
