import wgsl from "../../shaders/rules/agc.wgsl?raw";
import type { Rule } from "./rule.ts";

/** @param eps what a smaller norm of a parameter counts as. */
export function agcRule(eps: number): Rule {
  return {
    name: "agc",
    wgsl,
    boundFor: ({ maxNorm, parameterNorm, weight }) => maxNorm * Math.max(parameterNorm, weight),
    weight: () => eps,
  };
}
