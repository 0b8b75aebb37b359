import type { ClipMethod } from "../methods/method.ts";
import type { PartialRange, Plan } from "./plan.ts";

/** As in shaders/finish_groups.wgsl. */
const BUNDLE_WORDS = 8;
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
  const rangeCount = ranges.length + parameterRanges.length;
  const words = new Uint32Array(BUNDLE_WORDS * bundles.length + 2 * rangeCount);
  const floats = new Float32Array(words.buffer);
  const [own, parameters] = [byGroup(ranges), byGroup(parameterRanges)];
  let next = BUNDLE_WORDS * bundles.length;
  bundles.forEach(({ group, valuesPerGroup: values }, i) => {
    const at = BUNDLE_WORDS * i;
    words[at] = group;
    for (const [field, of] of [own.get(group), parameters.get(group)].entries()) {
      words.set([next, of?.length ?? 0], at + 1 + 2 * field);
      for (const { first, each } of of ?? []) {
        words.set([first, each], next);
        next += 2;
      }
    }
    floats[at + 5] = rule.weight?.(values) ?? 0;
  });
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
