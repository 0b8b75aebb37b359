import type { TensorList } from "./gradients.ts";
import type { RuleState } from "./rules/rule.ts";

/** The values that may change from step to step. */
export interface StepValues {
  readonly maxNorm: number;
  readonly gradScale: number;
}

/** What a clip keeps from step to step. An adapter's clip that goes on where another is begins with that. */
export interface Kept {
  /** On the GPU. */
  readonly record?: GPUBuffer;
  /** On the GPU: what the rules remember, then the history of the steps. */
  readonly memory?: GPUBuffer | undefined;
  /** On the CPU: what the method's rule remembers. */
  readonly ruleState?: RuleState | undefined;
}

/** Gradients that a backend has prepared. Only that backend looks inside. */
export type Prepared = object;

/** A method's memory, on the GPU or on the CPU. */
export interface StoredState {
  /** The memory after everything that was submitted so far. */
  save(): Promise<ArrayBuffer>;
  /** Sets the memory for everything that is submitted from now on. */
  load(saved: ArrayBuffer): void;
}

/** One clip's work. The GPU and the CPU both implement it and do not know each other. */
export interface ClipBackend {
  readonly ready: Promise<void>;
  readonly record?: GPUBuffer;
  readonly scales?: GPUBuffer;
  readonly kept: Kept;
  /** The record's flags after the last step, where they are known at once: on the CPU. */
  readonly flags?: () => number;
  /** A gradient with more elements than this is split into pieces. The record numbers each piece. */
  readonly pieceElements: number;
  prepare(list: TensorList): Prepared;
  encode(target: GPUCommandEncoder | GPUComputePassEncoder, prepared: Prepared, values: StepValues): void;
  run(prepared: Prepared, values: StepValues): void;
  /**
   * The record after everything that was submitted so far; with several groups also their entries, and last those of tensorNorms.
   * An abort frees the memory of the copy.
   */
  readRecord(signal?: AbortSignal): Promise<readonly DataView[]>;
  /** The rows of the last steps after everything that was submitted so far, for a clip with `history`: see history.ts. */
  readHistory(): Promise<DataView>;
  /** The method's memory, if it has one. */
  readonly state?: StoredState;
  /** On the GPU: what is freed with it. */
  readonly owned?: Set<GPUBuffer>;
  destroy(): void;
}
