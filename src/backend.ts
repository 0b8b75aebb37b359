import type { TensorList } from "./gradients.ts";

/** What may change from step to step. */
export interface StepValues {
  readonly maxNorm: number;
  readonly gradScale: number;
}

/** Gradients as a backend has prepared them: opaque to everybody else. */
export type Prepared = object;

/** A method's memory, wherever it is. */
export interface StoredState {
  /** As it is after all that was submitted so far. */
  save(): Promise<ArrayBuffer>;
  /** For all that is submitted from now on. */
  load(saved: ArrayBuffer): void;
}

/** What a backend does for one clip: the same steps on the GPU and on the CPU, which know nothing of each other. */
export interface ClipBackend {
  readonly ready: Promise<void>;
  readonly record?: GPUBuffer;
  readonly scales?: GPUBuffer;
  /** A gradient with more elements than this is worked on in pieces; each has a number of its own in the record. */
  readonly pieceElements: number;
  prepare(list: TensorList): Prepared;
  encode(target: GPUCommandEncoder | GPUComputePassEncoder, prepared: Prepared, values: StepValues): void;
  run(prepared: Prepared, values: StepValues): void;
  /** The record as it is after all that was submitted so far, and the entries of the groups where there are several. An abort
   * frees what the copy takes. */
  readRecord(signal?: AbortSignal): Promise<readonly DataView[]>;
  /** What the method remembers; undefined for one that remembers nothing. */
  readonly state?: StoredState;
  destroy(): void;
}
