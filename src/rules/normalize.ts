import wgsl from "../../shaders/rules/normalize.wgsl?raw";
import type { Rule } from "./rule.ts";

export const normalizeRule: Rule = {
  name: "normalize",
  wgsl,
  boundFor: ({ maxNorm }) => maxNorm,
  isScaled: (norm, bound, scale, gradScale) => norm > 0 && norm !== bound && scale !== gradScale,
};
