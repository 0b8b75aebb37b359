import wgsl from "../../shaders/skips/above.wgsl?raw";
import { readNormalFloat } from "../check.ts";
import { floatBits } from "../floats.ts";
import type { Remembered } from "../remembered.ts";
import { struct } from "../struct.ts";
import type { SkipRule } from "./skip.ts";
import { skipRule } from "./skipRule.ts";

/** As in shaders/skips/above.wgsl. */
export const aboveStruct = struct("norm");

/**
 * Skips a step whose norm is above `norm`: for `ClipOptions.skip`. Megatron-LM's `--grad-norm-skip-threshold`, axlearn's
 * `drop_norm`. The norm is the one that the report has: after `gradScale`, or `totalNorm`.
 *
 * @example
 * ```ts
 * const gradient = new Float32Array([30, 40]);
 * const report = await clipGradients([gradient], clipByGlobalNorm(1), { skip: skipAbove(10) });
 * gradient; // [0, 0]
 * report.skippedSteps; // 1
 * ```
 * @param norm a positive normal float32; a norm that is equal is not skipped.
 * @throws RangeError for any other number, TypeError for anything else; of `prepare`: TypeError for clipByValue, clipPerExample,
 * `members`, and `clipByGroupNorm` where every bound is Infinity.
 */
export function skipAbove(norm: number): SkipRule {
  const most = readNormalFloat(norm, "skipAbove's norm");
  return skipRule({
    name: "skipAbove",
    wgsl,
    begin: () => ({ memory: threshold(most), isSpike: (value) => value > most && value < Infinity }),
  });
}

/** It remembers nothing: its words are its setting. */
function threshold(norm: number): Remembered {
  return {
    subject: "skipAbove",
    savedBytes: 0,
    headWords: aboveStruct.words,
    save: () => new ArrayBuffer(0),
    load() {},
    toWords() {
      const words = new Uint32Array(aboveStruct.words);
      aboveStruct.write(words, 0, { norm: floatBits(norm) });
      return words;
    },
    fromWords() {},
  };
}
