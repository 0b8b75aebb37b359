import wgsl from "../../shaders/rules/groups.wgsl?raw";
import type { Rule } from "./rule.ts";

/** @param bounds by the number of the group. */
export function groupsRule(bounds: readonly number[]): Rule {
  return {
    name: "groups",
    wgsl,
    boundFor: ({ weight }) => weight,
    weight: ({ group }) => bounds[group] ?? 0,
  };
}
