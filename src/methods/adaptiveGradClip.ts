import { readBound, readNormalFloat, readOptions } from "../check.ts";
import { l2 } from "../norms/l2.ts";
import { agcRule } from "../rules/agc.ts";
import type { Axes } from "../units.ts";
import { type Declared, declaredOf, isPresent } from "../view.ts";
import { unitsGrouping } from "./axesOption.ts";
import type { ClipMethod } from "./method.ts";
import { adaptiveUnitPasses } from "./passes.ts";

export interface AdaptiveGradClipOptions {
  /** The largest ratio of a gradient's norm to that of its parameter; default 0.01. `Clip.set({ maxNorm })` changes it. */
  clipping?: number;
  /** The least norm of a parameter that is used, so that zeros can grow; default 1e-3. */
  eps?: number;
  /**
   * The axes to reduce, for the gradient and its parameter, or a function that returns them for a shape. The default is
   * Optax's: all axes if at most one is longer than 1, axis 0 of 2 or 3 axes (weights of [in, out]), and all but the last of 4
   * or 5 (HWIO). timm's axes, for weights of [out, in, ...], are `(shape) => shape.map((_, axis) =>
   * axis).slice(shape.length > 1 ? 1 : 0)`.
   */
  axes?: Axes;
}

/**
 * Adaptive gradient clipping. Each unit of a gradient g is compared with the same unit of its parameter p and becomes
 * g * min(1, clipping * max(norm(p), eps) / norm(g)), with L2 norms over `axes`. Source: A. Brock, S. De, S. L. Smith,
 * K. Simonyan, "High-performance large-scale image recognition without normalization" (NFNets, 2021). Optax has it as
 * `adaptive_grad_clip` and timm as `agc`. Both divide by at least 1e-6; this divides by the norm. The paper does not clip the
 * last linear layer: leave its gradient out of the list.
 *
 * Every gradient is a view with `shape` and `parameter`. The parameter may have another offset and dtype than the gradient. It is
 * read for the norms, 4 more bytes for each float32, and never written. A parameter with a NaN or an infinity gives no bound:
 * that counts as a NaN among the gradients of the unit. The report has `tensorNorms`.
 *
 * @example
 * ```ts
 * const [gradient, parameter] = [new Float32Array([3, 4]), new Float32Array([30, 40])];
 * await clipGradients([{ buffer: gradient, shape: [2], parameter: { buffer: parameter } }], adaptiveGradClip());
 * gradient; // [0.3, 0.4]
 * ```
 * @throws RangeError for a `clipping` that is not 0, a positive normal float32 or Infinity (measure only), and for an `eps`
 * that is not a positive normal float32. `prepare` throws TypeError for a gradient without shape or parameter and for
 * `totalNorm`, and RangeError for a shape with more than 5 axes if `axes` is left out, for an axis that a shape does not have
 * and for axes that alternate more than 7 times.
 */
export function adaptiveGradClip(options?: AdaptiveGradClipOptions): ClipMethod {
  const keys = ["clipping", "eps", "axes"] as const;
  const { clipping = 0.01, eps = 1e-3, axes } = readOptions(options, "adaptiveGradClip's options", keys);
  return {
    name: "adaptiveGradClip",
    maxNorm: readBound(clipping, "adaptiveGradClip's clipping"),
    eps: 0,
    norm: l2,
    rule: agcRule(readNormalFloat(eps, "adaptiveGradClip's eps")),
    grouping: unitsGrouping(axes, "adaptiveGradClip's axes", unitwiseAxes),
    passes: adaptiveUnitPasses,
    parametersOf,
  };
}

/** They are read in the same way as gradients, and never written. */
function parametersOf(declared: readonly Declared[]): Declared[] {
  return declared.map((tensor) =>
    isPresent(tensor) && tensor.parameter
      ? { ...declaredOf(tensor), ...tensor.parameter, label: `${tensor.label}.parameter` }
      : declaredOf(tensor),
  );
}

/** Optax's `unitwise_norm`. */
function unitwiseAxes(shape: readonly number[], label: string): readonly number[] {
  const all = shape.map((_, axis) => axis);
  if (shape.filter((length) => length !== 1).length <= 1) return all;
  if (shape.length <= 3) return [0];
  if (shape.length <= 5) return all.slice(0, -1);
  throw new RangeError(
    `${label} has shape [${shape}], with ${shape.length} axes, and adaptiveGradClip's own axes are for at most 5; pass axes.`,
  );
}
