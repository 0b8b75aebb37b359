import { readBound, readInteger, readOptions, readThat } from "../check.ts";
import { l2 } from "../norms/l2.ts";
import { autoRule } from "../rules/auto.ts";
import type { ClipMethod } from "./method.ts";
import { jointPasses } from "./passes.ts";

/** So long a history takes 12 * 65,536 bytes on the GPU. A longer one would need more digits for the place of its percentile. */
const LONGEST = 65_536;

/**
 * Clips by the global L2 norm, to a percentile of the norms so far, this one included: g * min(1, bound / norm) with
 * bound = min(percentile(last `history` norms), maxNorm), interpolated linearly as by numpy.percentile. Source:
 * P. Seetharaman, G. Wichern, B. Pardo, J. Le Roux, "AutoClip: Adaptive gradient clipping for source separation networks"
 * (2020).
 *
 * The norms stay on the GPU as float32 (12 bytes each); nothing waits for them. Unlike in other implementations, a step with NaN or
 * infinite gradients does not enter the history. Norms of 0 count like all others: a history full of them clips to 0.
 * `Clip.state()` and `Clip.restore()` save and resume the history; `Clip.set({ maxNorm })` changes the cap.
 *
 * @example
 * ```ts
 * const gradient = new Float32Array([3, 4]);
 * const clip = (await createClipper()).prepare([gradient], autoClip({ percentile: 50 }));
 * clip.run(); // the median of the norms so far is 5: nothing is clipped
 * gradient.set([30, 40]);
 * clip.run(); // the median of 5 and 50 is 27.5
 * gradient; // [16.5, 22]
 * ```
 * @param options.percentile in percent (90, not 0.9): above 0, up to 100, rounded to four decimals; default 10. A high one clips outliers only.
 * @param options.history the number of norms that count, 1 to 65,536; default 1024. The paper has no limit.
 * @param options.maxNorm a cap: 0, a positive normal float32, or Infinity (default, none).
 * @throws RangeError for any other number, TypeError for anything else and for an unknown option.
 */
export function autoClip(options?: { percentile?: number; history?: number; maxNorm?: number }): ClipMethod {
  const {
    percentile = 10,
    history = 1024,
    maxNorm = Infinity,
  } = readOptions(options, "autoClip's options", ["percentile", "history", "maxNorm"]);
  const inMillionths = (value: number) => Math.round(value * 1e4);
  const isRight = (value: number) => inMillionths(value) > 0 && value <= 100;
  const read = readThat(isRight, percentile, "autoClip's percentile", "a number from 0.0001 to 100");
  return {
    name: "autoClip",
    maxNorm: readBound(maxNorm, "autoClip's maxNorm"),
    norm: l2,
    grouping: { kind: "all" },
    passes: jointPasses,
    rule: autoRule(inMillionths(read), readInteger(history, "autoClip's history", 1, LONGEST)),
  };
}
