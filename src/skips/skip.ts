import type { ClipMethod, Passes } from "../methods/method.ts";
import type { Grouping } from "../pieces.ts";
import type { Remembered } from "../remembered.ts";
import type { Source } from "../source.ts";
import type { Declared } from "../view.ts";

/**
 * When a step is left out although its gradients are finite: plain data, made by `skipAbove(...)` and `skipSpikes(...)`, to be passed
 * on as it is: what it holds besides its name is not part of the interface.
 */
export interface SkipRule {
  readonly name: string;
  /**
   * @internal
   * Defines `struct SkipMemory`, `fn prepare_skip(lane: u32)`, which all lanes call at the beginning, and
   * `fn is_spike(norm: SoftFloat, isFinite: bool) -> bool`, which is called once: see shaders/shared/judge.wgsl, which it imports.
   */
  readonly wgsl: string;
  /** @internal What that imports besides what every deciding kernel has. */
  readonly texts?: Readonly<Record<string, string>>;
  /** What carries it out, as a method's. */
  readonly passes: Passes;
  /** @internal A second number to judge by, on the GPU. */
  readonly loss?: Source;
  /** @internal Refuses methods whose steps cannot be left out, and a loss that is not where the gradients are. */
  readonly check: (method: ClipMethod, where: "webgpu" | "cpu") => void;
  /** @internal The groups that it does not judge in a step with these gradients; undefined if it judges nothing. */
  readonly unjudged: (declared: readonly Declared[], grouping: Grouping) => readonly number[] | undefined;
  /** @internal A memory for one clip, with that of its rule. */
  readonly begin: (ofRule: Remembered | undefined) => SkipState;
}

/** What judges the steps of one clip, and what is remembered of them. */
export interface SkipState {
  readonly memory: Remembered;
  /** Judges a step and takes note of it. `norm` is NaN or Infinity where a gradient is. */
  isSpike(norm: number): boolean;
}
