import wgsl from "../../shaders/rules/rms.wgsl?raw";
import type { Rule } from "./rule.ts";

export const rmsRule: Rule = {
  name: "rms",
  wgsl,
  boundFor: ({ maxNorm, weight }) => maxNorm * weight,
  weight: (count) => Math.fround(Math.sqrt(count)),
};
