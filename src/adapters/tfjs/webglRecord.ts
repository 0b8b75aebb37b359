// What the programs leave in textures, read: each group's decision, and the record of the step.

import { writeEntry } from "../../cpu/finish.ts";
import { LARGEST } from "../../floats.ts";
import type { ClipMethod } from "../../methods/method.ts";
import {
  CLIPPED,
  type ClipReport,
  type Counters,
  INFINITY_SEEN,
  NAN_SEEN,
  NONE,
  RECORD_BYTES,
  readReport,
  recordAt,
  SPIKE,
} from "../../record.ts";

export type Texels = (texel: number) => readonly [number, number, number, number];

export interface Decision {
  readonly norm: number;
  readonly scale: number;
  readonly flags: number;
  readonly bound: number;
  readonly gradScale: number;
}

export function decisionIn(
  texel: Texels,
  { eps = 0, limits }: ClipMethod,
  nonFinite: "zero" | "keep" | "propagate",
): Decision {
  const [, , , flags] = texel(0);
  const [n, power, bound, gradScale] = texel(1);
  const norm = normOf(flags, n * 2 ** power * gradScale);
  if (limits) return { norm, scale: gradScale, flags, bound, gradScale };
  const clipped = gradScale * (bound / (norm + eps));
  const kept = { zero: 0, keep: 1, propagate: Number.isNaN(norm) ? Number.NaN : 0 }[nonFinite];
  const finite = flags & SPIKE ? 0 : flags & CLIPPED ? clipped : gradScale;
  return { norm, scale: Number.isFinite(norm) ? finite : kept, flags, bound, gradScale };
}

/**
 * The record of the last group as the record that the other backends write.
 * @param decisions by the number of the group
 * @param places of the names, in the order of their numbers
 */
export function reportIn(
  texel: Texels,
  decisions: ReadonlyMap<number, Decision>,
  { grouping }: ClipMethod,
  places: ReadonlyMap<string, number>,
  totals: Counters,
): ClipReport {
  const view = new DataView(new ArrayBuffer(RECORD_BYTES));
  const put = (key: keyof typeof recordAt, value: number) => view.setUint32(recordAt[key], value, true);
  const [last] = [...decisions.values()].slice(-1) as [Decision];
  const [n, power, flags] = texel(2);
  const [most, nonFinite, high, low] = texel(3);
  const norm = normOf(flags, n * 2 ** power * last.gradScale);
  writeEntry(view, 0, { ...last, norm, flags, scale: grouping.kind === "all" ? last.scale : Number.NaN });
  const [steps, clippedSteps, skippedSteps, nonFiniteSteps] = texel(4);
  const [spikeSteps, badStepsInARow, lastStep, lastHigh] = texel(5);
  const first = placeOf(high, low);
  const latest = placeOf(lastHigh, texel(6)[0]);
  const counts = { nonFinite, steps, clippedSteps, skippedSteps, nonFiniteSteps, spikeSteps, badStepsInARow, lastStep };
  const found = { firstPiece: first.index, firstElement: first.element, lastPiece: latest.index };
  const all = { ...counts, ...found, lastElement: latest.element };
  for (const [key, value] of Object.entries(all)) put(key as keyof typeof all, value);
  view.setFloat32(recordAt.maxAbs, Number.isFinite(norm) ? Math.min(most * last.gradScale, LARGEST) : norm, true);
  const names = [...places.keys()];
  const report = readReport(view, totals, (index, element) => ({ index, name: names[index], element }));
  return { ...report, ...normsIn(decisions, grouping, places) };
}

function normsIn(
  decisions: ReadonlyMap<number, Decision>,
  grouping: ClipMethod["grouping"],
  places: ReadonlyMap<string, number>,
): Partial<ClipReport> {
  if (grouping.kind === "tensor" || grouping.kind === "units") {
    return { tensorNorms: Float64Array.from(places.values(), (place) => decisions.get(place)?.norm ?? Number.NaN) };
  }
  if (grouping.kind !== "groups") return {};
  const each = Array.from({ length: grouping.count }, (_, group) => decisions.get(group));
  return {
    groups: grouping.report({
      norms: Float64Array.from(each, (decision) => decision?.norm ?? 0),
      scales: Float64Array.from(each, (decision) => decision?.scale ?? 1),
      clipped: each.map((decision) => Boolean((decision?.flags ?? 0) & CLIPPED)),
    }),
  };
}

function normOf(flags: number, finite: number): number {
  return flags & NAN_SEEN ? Number.NaN : flags & INFINITY_SEEN ? Infinity : finite;
}

/** As the programs write it: the number of the gradient counts from 1, and an element takes more bits than a float has. */
function placeOf(high: number, low: number): { index: number; element: number } {
  if (high === 0) return { index: NONE, element: NONE };
  return { index: Math.floor(high / 256) - 1, element: (high % 256) * 2 ** 24 + low };
}
