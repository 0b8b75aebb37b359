import wgsl from "../../shaders/skips/above.wgsl?raw";
import { readNormalFloat } from "../check.ts";
import { floatBits } from "../floats.ts";
import { struct } from "../struct.ts";
import { skipGroups } from "../webgpu/passes/skip_groups.ts";
import type { SkipRule, SkipState } from "./skip.ts";

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
 * @throws RangeError for any other number, TypeError for anything else; of `prepare`: TypeError for clipByValue, clipPerExample and
 * `members`.
 */
export function skipAbove(norm: number): SkipRule {
  const most = readNormalFloat(norm, "skipAbove's norm");
  return { name: "skipAbove", wgsl, groupPass: skipGroups, begin: () => new Threshold(most) };
}

/** Remembers nothing: its words are its setting. */
class Threshold implements SkipState {
  readonly subject = "skipAbove";
  readonly savedBytes = 0;
  readonly headWords = aboveStruct.words;
  readonly #norm: number;

  constructor(norm: number) {
    this.#norm = norm;
  }

  isSpike(norm: number): boolean {
    return norm > this.#norm && norm < Infinity;
  }

  save(): ArrayBuffer {
    return new ArrayBuffer(0);
  }

  load(): void {}

  toWords(): Uint32Array<ArrayBuffer> {
    const words = new Uint32Array(aboveStruct.words);
    aboveStruct.write(words, 0, { norm: floatBits(this.#norm) });
    return words;
  }

  fromWords(): void {}
}
