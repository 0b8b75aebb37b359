import wgsl from "../../shaders/rules/automatic.wgsl?raw";
import type { Rule } from "./rule.ts";

export const automaticRule: Rule = {
  name: "automatic",
  wgsl,
  boundFor: ({ maxNorm, weight }) => maxNorm * weight,
  weight: () => 1,
  isScaled: () => true,
};
