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

/** The methods of this page, for one network. */
export const methods = {
  none: () => undefined,
  value: (bound: number) => clipByValue(bound),
  norm: (bound: number) => clipByGlobalNorm(bound),
  "each tensor": (bound: number) => clipByNorm(bound),
  "block RMS": (bound: number) => clipByBlockRms(bound),
  // The arrays have a leading axis of one network: a unit is a column of its kernel, or a whole bias.
  "each unit": (bound: number) => adaptiveGradClip({ clipping: bound, axes: [0, 1] }),
  // In their first steps these have no history and clip to the bound only.
  autoClip: (bound: number) => autoClip({ maxNorm: bound }),
  zClip: (bound: number) => zClip({ maxNorm: bound }),
} satisfies Record<string, (bound: number) => ClipMethod | undefined>;

export type MethodName = keyof typeof methods;
