import type { MethodName } from "./methods.ts";

/** The methods for the third run. */
export const choices: readonly { name: MethodName; label: string }[] = [
  { name: "norm", label: "clipByGlobalNorm: all by one norm" },
  { name: "each tensor", label: "clipByNorm: each tensor by its own" },
  { name: "block RMS", label: "clipByBlockRms: each tensor by its RMS" },
  { name: "each unit", label: "adaptiveGradClip: each unit beside its weights" },
  { name: "autoClip", label: "autoClip: a percentile of the norms so far, at most the bound" },
  { name: "zClip", label: "zClip: what stands out of the norms so far, at most the bound" },
];
