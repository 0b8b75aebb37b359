import { checkGradients, type Gradients, readGivenGradients } from "../src/gradients.ts";
import { type ClipMethod, type ClipOptions, clipByGlobalNorm } from "../src/index.ts";
import { checkOptions } from "../src/options.ts";
import type { Limits } from "../src/webgpu/dispatches.ts";
import { type Plan, planOf } from "../src/webgpu/plan.ts";

/** The counts of one step, from its plan. Bytes are those of gradients. */
export interface Counts {
  readonly dispatches: number;
  /** Bytes that the norm pass reads. A step under its bound touches no others. */
  readonly normReads: number;
  /** Bytes that the scale pass reads if it multiplies. It writes as many. */
  readonly scaleReads: number;
}

/** Dispatches over gradients before the decision are the norm pass; those after it are the scale pass. */
export function countsOf({ dispatches }: Plan): Counts {
  const decision = dispatches.findIndex(({ batch }) => batch === undefined);
  const bytesIn = (some: Plan["dispatches"]) =>
    some.flatMap(({ batch }) => batch?.placed ?? []).reduce((sum, { segment }) => sum + segment.source.byteLength, 0);
  return {
    dispatches: dispatches.length,
    normReads: bytesIn(dispatches.slice(0, decision)),
    scaleReads: bytesIn(dispatches.slice(decision)),
  };
}

export function countsFor(
  gradients: Gradients,
  limits: Limits,
  method: ClipMethod = clipByGlobalNorm(1),
  options?: ClipOptions,
): Counts {
  const list = checkGradients(readGivenGradients(gradients));
  return countsOf(planOf(method, checkOptions(options, method), list, limits));
}
