import type { Gradients } from "./gradients.ts";
import type { ClipHistory } from "./history.ts";
import type { ClipMethod } from "./methods/method.ts";
import type { ClipReport } from "./record.ts";

/** A method that is ready for the gradients of one model. Keep it and use it every step. */
export interface Clip {
  readonly method: ClipMethod;
  /**
   * Resolves when the pipelines are compiled. An `encode` before that compiles the missing ones immediately.
   *
   * Some faults are seen by the GPU process only: a buffer that is destroyed or of another device (TypeError), or too little
   * memory (RangeError). `ready`, `report`, `history` and `state` then reject with the fault until a `run` succeeds or an `encode`
   * binds other gradients without a fault. Read `ready` again to ask again.
   */
  readonly ready: Promise<void>;
  /** On the GPU: the record of 96 bytes (STORAGE, UNIFORM, COPY_SRC). An optimizer kernel can bind it. */
  readonly record?: GPUBuffer;
  /**
   * On the GPU, for methods with a norm for each tensor, unit, member or named group: 32 bytes for each norm, laid out as the
   * beginning of the record. A clipped one has bit 1 set in its flags, at byte 8.
   */
  readonly scales?: GPUBuffer;
  /**
   * The names of the gradients, by place in prepare's list, as `tensorNorms` and `scales` have them. A name is the view's name,
   * else the key in an object or a Map, else the buffer's label: `["kernel", undefined]` for `[{ buffer, name: "kernel" }, other]`.
   */
  readonly names: readonly (string | undefined)[];
  /**
   * Records the clip into an encoder or an open compute pass; never submits. In a pass it changes the pipeline and bind groups 0
   * and 1. You may pass other gradients of the same structure (names or count, lengths, formats). An object or a Map is matched
   * by key in any order, a list by place. Any gradient may be absent: null, undefined, or a key that is missing. Its entry in
   * `scales` then has scale 1 and norm NaN. A step with no gradient has norm 0 and clips nothing; it is counted but does not enter
   * a memory. After `prepare({ kernel, bias })`, `encode(encoder, { bias })` clips only `bias`.
   * @throws TypeError for arrays on the CPU, for a list if the clip was prepared for names, and for names if it was prepared for
   * a list. RangeError for an unknown name, for a gradient that was null at prepare, and for another length or format.
   * DeviceLostError. Before it records, it also throws a fault of an earlier call, once: see `ready`.
   */
  encode(target: GPUCommandEncoder | GPUComputePassEncoder, gradients?: Gradients): void;
  /**
   * Clips immediately: on the GPU with its own encoder and submit, on the CPU before it returns.
   * @throws as `encode` does.
   */
  run(gradients?: Gradients): void;
  /** Takes effect at the next `encode` or `run`. Steps that are already encoded keep their values. */
  set(values: { maxNorm?: number; gradScale?: number }): void;
  /**
   * Reports on the last submitted step. It copies the record in its own submit; an abort frees the memory of the copy. Counts
   * since the last report follow the order of the calls, even if the copies arrive in another order. An aborted report does not
   * count as one.
   * @throws (as rejections) TypeError before the first step, NonFiniteGradientError if asked to, DeviceLostError, the signal's
   * reason, or a fault: see `ready`.
   */
  report(options?: { throwIfNonFinite?: boolean; signal?: AbortSignal }): Promise<ClipReport>;
  /**
   * The latest report that `report()` gave; undefined before the first. It never waits: `clip.lastReport?.norm` in a loop that
   * draws.
   */
  readonly lastReport?: ClipReport;
  /**
   * The norms, scales, bounds and flags of the steps since the last call, at most `options.history` of them, as typed arrays that a
   * chart can take. One copy in one submit of its own, however many steps; calls are answered in the order in which they were made.
   * Empty arrays before the first step and where no step came since. `restore` does not change it.
   * @throws (as rejections) TypeError for a clip without `history`, DeviceLostError, or a fault: see `ready`.
   */
  history(): Promise<ClipHistory>;
  /**
   * The memory of an adaptive method and of a skip rule after all steps that were submitted so far, to be saved with a checkpoint. It is copied in
   * its own submit. A state of the GPU can be restored on the CPU and the reverse.
   * @throws (as rejections) TypeError for a clip without memory, DeviceLostError.
   */
  state(): Promise<ArrayBuffer>;
  /**
   * Continues from a state that `state()` returned, of this clip or of another one with the same method. The next steps decide as
   * the steps after that state did, to the bit on the same backend. On the GPU the state is written through the queue: it holds
   * for everything that is submitted after this call, even if it was encoded before.
   * @param state the ArrayBuffer, or a view of its bytes (a Uint8Array, a Node Buffer); only the bytes of the view count.
   * @throws TypeError for anything else and for a clip without memory. RangeError for the state of another method or skip rule
   * (also of another `window`, or another `history` of autoClip). After an error nothing has changed.
   */
  restore(state: ArrayBuffer | ArrayBufferView): void;
  /**
   * Frees the clip's buffers; does not touch the gradients and their device. Submit every encoder that holds the clip first. An
   * encoder that is submitted later fails as a whole, with everything else in it.
   */
  destroy(): void;
}
