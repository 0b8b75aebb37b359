import wgsl from "../../shaders/rules/global.wgsl?raw";
import type { Rule } from "./method.ts";

export const globalRule: Rule = { name: "global", wgsl, boundFor: ({ maxNorm }) => maxNorm };
