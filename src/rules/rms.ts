import wgsl from "../../shaders/rules/rms.wgsl?raw";
import type { Rule } from "./rule.ts";

export const rmsRule: Rule = {
  name: "rms",
  wgsl,
  boundFor: ({ maxNorm, weight }) => maxNorm * weight,
  weight: ({ valuesPerGroup }) => Math.fround(Math.sqrt(valuesPerGroup)),
};
