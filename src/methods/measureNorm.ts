import { readOptions } from "../check.ts";
import { normOf } from "../norms/normOf.ts";
import { globalRule } from "../rules/global.ts";
import type { ClipMethod } from "./method.ts";
import { measuringPasses } from "./passes.ts";

/**
 * Measures the joint norm of all gradients and changes none. The norm is sqrt(sum of all squares) unless `normType` says
 * otherwise. The record and the report have it.
 *
 * @example
 * ```ts
 * const { norm } = await clipGradients([new Float32Array([3, 4])], measureNorm());
 * norm; // 5
 * ```
 * @throws RangeError for a normType that is not 1, 2, Infinity or from 0.05 to 4,194,304; TypeError if it is not a number.
 */
export function measureNorm(options?: { normType?: number }): ClipMethod {
  const { normType = 2 } = readOptions(options, "measureNorm's options", ["normType"]);
  return {
    name: "measureNorm",
    // An own property: one of Object.prototype must not take its place.
    maxNorm: undefined,
    eps: 0,
    norm: normOf(normType, "measureNorm's normType"),
    rule: globalRule,
    grouping: { kind: "all" },
    passes: measuringPasses,
  };
}
