import {
  adaptiveGradClip,
  autoClip,
  type ClipMethod,
  clipByBlockRms,
  clipByGlobalNorm,
  clipByNorm,
  clipByValue,
  zClip,
} from "../../src/index.ts";

/** What may become of gradients on this page. `members`: how many networks share the arrays. */
export const methods = {
  none: () => undefined,
  value: (bound: number) => clipByValue(bound),
  norm: (bound: number, members: number) => clipByGlobalNorm(bound, { members }),
  "each tensor": (bound: number) => clipByNorm(bound),
  "block RMS": (bound: number) => clipByBlockRms(bound),
  // For one member: a unit is a column of its kernel, or a whole bias.
  "each unit": (bound: number) => adaptiveGradClip({ clipping: bound, axes: [0, 1] }),
  autoClip: () => autoClip(),
  zClip: () => zClip(),
} satisfies Record<string, (bound: number, members: number) => ClipMethod | undefined>;

export type MethodName = keyof typeof methods;
