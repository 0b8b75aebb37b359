import {
  isPlain,
  readBoolean,
  readInteger,
  readNormalFloat,
  readOneOf,
  readOptions,
  readThat,
  refuseTypeGPU,
  wrongValue,
} from "./check.ts";
import type { ClipMethod } from "./methods/method.ts";
import { isGPUBuffer } from "./ranges.ts";
import type { SkipRule } from "./skips/skip.ts";
import { type Source, sourceIn } from "./source.ts";

/** How to clip, whatever the method: the third argument of `prepare`. `{ gradScale: 1 / 1024 }` unscales before the norm. */
export interface ClipOptions {
  /**
   * The action for a gradient with a NaN or an infinity. `"zero"` (default): all gradients that share its norm (everything, a
   * tensor, a unit, a group, a member) become 0, and the record's skip flag is set; with members or examples it is set only if
   * all of them are bad. `"keep"`: no byte changes, not even by gradScale.
   * `"propagate"`: as PyTorch, NaN everywhere, or zeros and NaN. `clipByValue` looks at each value by itself and ignores this.
   */
  nonFinite?: "zero" | "keep" | "propagate";
  /** `"scale"` (default) writes the gradients; `"record"` leaves them and publishes the scale for the optimizer. */
  apply?: "scale" | "record";
  /**
   * A factor for the gradients, applied before the norm: 1 / (lossScale * accumulationSteps). It is a positive normal float32;
   * default 1. A buffer holds one such float32, which the GPU reads. Anything else in the buffer counts as a NaN among the
   * gradients; with `clipByValue` it makes every value NaN. A factor above 1 must not take a gradient beyond float32.
   */
  gradScale?: number | GPUBuffer;
  /** A norm computed elsewhere, used instead of the clip's own: after gradScale, and not its square. */
  totalNorm?: number | { buffer: GPUBuffer; byteOffset?: number };
  /**
   * When to leave a step out although its gradients are finite: `skipAbove(norm)` or `skipSpikes(...)`, decided on the device. Every
   * gradient then becomes 0 (`apply: "scale"`), and the record has the skip flag, the spike flag and scale 0.
   */
  skip?: SkipRule;
  /** How many of the last steps are kept for `Clip.history`: 1 to 65,536, of 32 bytes each, where the gradients live. */
  history?: number;
  /**
   * Also measures each gradient alone, in the same read: the report has `tensorNorms`, by place in the list as `clip.names`, NaN where
   * there is no gradient. They are norms of the method's own kind, after gradScale, and change nothing else. `clip.scales` has none of
   * them. Methods with a norm for each gradient or unit have `tensorNorms` anyway; clipByValue, clipPerExample and `members` refuse it with a
   * TypeError.
   *
   * @example
   * ```ts
   * const gradients = { kernel: new Float32Array([3, 4]), bias: new Float32Array([12]) };
   * const { norm, tensorNorms } = await clipGradients(gradients, clipByGlobalNorm(1), { tensorNorms: true });
   * norm; // 13
   * tensorNorms; // [5, 12]
   * ```
   */
  tensorNorms?: boolean;
}

export const OPTIONS = ["nonFinite", "apply", "gradScale", "totalNorm", "skip", "tensorNorms", "history"] as const;

const LONGEST_HISTORY = 65_536;

export interface CheckedOptions {
  readonly nonFinite: "zero" | "keep" | "propagate";
  readonly apply: "scale" | "record";
  readonly gradScale: number | Source;
  readonly totalNorm: number | Source | undefined;
  readonly skip: SkipRule | undefined;
  readonly history: number | undefined;
  /** Whether each gradient is measured too; false where the method does so by itself. */
  readonly tensorNorms: boolean;
}

export function checkOptions(given: ClipOptions | undefined, method: ClipMethod): CheckedOptions {
  const {
    nonFinite = "zero",
    apply = "scale",
    gradScale = 1,
    totalNorm,
    skip,
    tensorNorms = false,
    history,
  } = readOptions(given, "options", OPTIONS);
  const checked: CheckedOptions = {
    nonFinite: readOneOf(nonFinite, "options.nonFinite", ["zero", "keep", "propagate"]),
    apply: readOneOf(apply, "options.apply", ["scale", "record"]),
    gradScale: readGradScale(gradScale),
    totalNorm: totalNorm === undefined ? undefined : readTotalNorm(totalNorm),
    skip: skip === undefined ? undefined : readSkip(skip),
    tensorNorms: readTensorNorms(tensorNorms, method),
    history: history === undefined ? undefined : readInteger(history, "options.history", 1, LONGEST_HISTORY),
  };
  method.checkOptions?.(checked);
  return checked;
}

function readTensorNorms(value: unknown, { name, grouping }: ClipMethod): boolean {
  const isAsked = readBoolean(value, "options.tensorNorms");
  if (isAsked && grouping.kind === "members") {
    throw new TypeError(`options.tensorNorms is true, but ${name} takes no norm of a whole gradient; leave it out.`);
  }
  return isAsked && ["all", "groups", "found"].includes(grouping.kind);
}

function readGradScale(value: unknown): number | Source {
  if (isGPUBuffer(value)) return sourceIn(value, 0, "options.gradScale");
  refuseTypeGPU(value, "options.gradScale");
  if (typeof value !== "number") {
    throw wrongValue(value, "options.gradScale", "a number, or a GPUBuffer that holds one float32");
  }
  return readNormalFloat(value, "options.gradScale");
}

function readTotalNorm(value: unknown): number | Source {
  if (typeof value === "object" && value !== null) {
    const { buffer, byteOffset } = readOptions(value, "options.totalNorm", ["buffer", "byteOffset"]);
    refuseTypeGPU(buffer, "options.totalNorm.buffer");
    if (!isGPUBuffer(buffer)) {
      throw wrongValue(buffer, "options.totalNorm.buffer", "a GPUBuffer that holds one float32");
    }
    return sourceIn(buffer, byteOffset, "options.totalNorm");
  }
  return readThat((norm) => !(norm < 0), value, "options.totalNorm", "a norm, which is at least 0");
}

function readSkip(value: unknown): SkipRule {
  const rule: Partial<SkipRule> = isPlain(value) ? { ...value } : {};
  const calls = [rule.check, rule.unjudged, rule.begin];
  if (isPlain(rule.passes) && calls.every((call) => typeof call === "function")) return rule as SkipRule;
  throw wrongValue(value, "options.skip", "what skipAbove(100) or skipSpikes() returns");
}
