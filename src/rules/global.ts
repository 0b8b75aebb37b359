import wgsl from "../../shaders/rules/global.wgsl?raw";
import type { Rule } from "./rule.ts";

export const globalRule: Rule = { name: "global", wgsl, boundFor: ({ maxNorm }) => maxNorm };
