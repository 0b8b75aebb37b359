import type { Tensor } from "../gradients.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { Plan } from "./plan.ts";

/** As in shaders/finish_groups.wgsl. */
const GROUP_WORDS = 8;

/**
 * For each group: where its ranges of partials stand and how many they are, the same for its parameter, and the bits of
 * its weight; then the ranges themselves, each its first partial and the one after its last.
 */
export function groupFacts(plan: Plan, tensors: readonly Tensor[], method: ClipMethod, count: number): Uint32Array {
  const facts = new Uint32Array(GROUP_WORDS * count + 2 * plan.ranges.length);
  const weights = new Float32Array(facts.buffer);
  const sorted = [...plan.ranges].sort((a, b) => a.group - b.group);
  sorted.forEach(({ group, first, end }, i) => {
    const at = GROUP_WORDS * count + 2 * i;
    facts.set([first, end], at);
    // A group's parameter is the group that follows all the others by as much.
    const field = GROUP_WORDS * (group % count) + (group < count ? 0 : 2);
    if (facts[field + 1] === 0) facts[field] = at;
    facts[field + 1] = (facts[field + 1] as number) + 1;
  });
  for (let group = 0; group < count; group++) {
    weights[GROUP_WORDS * group + 4] = method.rule.weight?.(tensors[group]?.length ?? 0) ?? 0;
  }
  return facts;
}
