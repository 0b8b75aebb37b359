import type { Remembered } from "../remembered.ts";
import type { Source } from "../source.ts";

/** When a step is left out although its gradients are finite: plain data, made by `skipAbove(...)` and `skipSpikes(...)`. */
export interface SkipRule {
  readonly name: string;
  /**
   * Defines `struct SkipMemory`, `fn prepare_skip(lane: u32)`, which all lanes call at the beginning, and
   * `fn is_spike(norm: SoftFloat, isFinite: bool) -> bool`, which is called once: see shaders/shared/decide.wgsl.
   */
  readonly wgsl: string;
  /** What that imports besides what every deciding kernel has. */
  readonly texts?: Readonly<Record<string, string>>;
  /** On the GPU, where the step's groups have norms of their own: a pass of a type that only that backend knows. */
  readonly groupPass: object;
  /** A second number to judge by. */
  readonly loss?: Source | LossInArray;
  /** A memory for one clip. */
  readonly begin: () => SkipState;
}

export interface LossInArray {
  readonly buffer: Float32Array;
  readonly byteOffset: number;
}

/** What judges the steps of one clip. */
export interface SkipState extends Remembered {
  /** Judges a step and takes note of it. `norm` is NaN or Infinity where a gradient is. */
  isSpike(norm: number, loss: number | undefined): boolean;
}
