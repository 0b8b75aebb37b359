import { checkGradients, type Gradients, readGivenGradients } from "../src/gradients.ts";
import { type ClipMethod, type ClipOptions, clipByGlobalNorm } from "../src/index.ts";
import { checkOptions } from "../src/options.ts";
import type { Limits } from "../src/webgpu/dispatches.ts";
import { type Plan, planOf } from "../src/webgpu/plan.ts";

/** What one step does, counted from its plan; bytes are those of gradients. */
export interface Counts {
  readonly dispatches: number;
  /** Read by the norm pass: all that a step touches when it is under its bound. */
  readonly normReads: number;
  /** Read by the scale pass when it has to multiply, and as many are written. */
  readonly scaleReads: number;
}

/** What goes through gradients before the decision is the norm pass, and what does so after it the scale pass. */
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
