import type { ClipMethod } from "../methods/method.ts";
import type { PartialRange, Plan } from "./plan.ts";
import { floatBits, struct } from "./struct.ts";

/** As in shaders/finish_groups.wgsl. */
export const bundleStruct = struct(
  "group",
  "rangesAt",
  "rangeCount",
  "parameterRangesAt",
  "parameterRangeCount",
  "weight",
  "unused",
  "unused2",
);
const rangeStruct = struct("first", "each");
const GROUPS_A_WORKGROUP = 8;
/** Each leaves one partial for finish.wgsl, whose single workgroup reads them all. */
const MOST_WORKGROUPS = 256;

/** How the groups are spread over the workgroups of finish_groups.wgsl. */
export function groupRounds(groupCount: number): { rounds: number; workgroups: number } {
  const blocks = Math.ceil(groupCount / GROUPS_A_WORKGROUP);
  const rounds = Math.ceil(blocks / MOST_WORKGROUPS);
  return { rounds, workgroups: Math.ceil(blocks / Math.max(1, rounds)) };
}

/**
 * For each bundle: its first group, where its ranges of partials stand and how many they are, the same for its parameter,
 * and the bits of its weight; then the ranges themselves, each its first partial and how many there are for each group.
 */
export function bundleTable({ bundles, ranges, parameterRanges }: Plan, { rule }: ClipMethod): Uint32Array {
  const [own, parameters] = [byGroup(ranges), byGroup(parameterRanges)];
  const rangesStart = bundleStruct.words * bundles.length;
  const words = new Uint32Array(rangesStart + rangeStruct.words * (ranges.length + parameterRanges.length));
  let next = rangesStart;
  const written = (found: readonly PartialRange[] = []) => {
    const place = { at: next, count: found.length };
    for (const range of found) {
      rangeStruct.write(words, next, range);
      next += rangeStruct.words;
    }
    return place;
  };
  for (const [number, { group, valuesPerGroup }] of bundles.entries()) {
    const { at: rangesAt, count: rangeCount } = written(own.get(group));
    const { at: parameterRangesAt, count: parameterRangeCount } = written(parameters.get(group));
    const weight = floatBits(rule.weight?.(valuesPerGroup) ?? 0);
    const bundle = { group, rangesAt, rangeCount, parameterRangesAt, parameterRangeCount, weight };
    bundleStruct.write(words, bundleStruct.words * number, bundle);
  }
  return words;
}

function byGroup(ranges: readonly PartialRange[]): Map<number, PartialRange[]> {
  const groups = new Map<number, PartialRange[]>();
  for (const range of ranges) {
    const same = groups.get(range.group);
    if (same) same.push(range);
    else groups.set(range.group, [range]);
  }
  return groups;
}
