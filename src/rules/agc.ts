import wgsl from "../../shaders/rules/agc.wgsl?raw";
import type { Rule } from "./rule.ts";

/** @param eps the least norm of a parameter that is used. */
export function agcRule(eps: number): Rule {
  return {
    name: "agc",
    wgsl,
    boundFor: ({ maxNorm, parameterNorm, weight }) => maxNorm * Math.max(parameterNorm, weight),
    weight: () => eps,
  };
}
