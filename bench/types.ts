import type { Workload } from "./workloads.ts";

/**
 * A contestant's work in a step, which gives the right answer. clip: all values are scaled to the bound; keep: the norm is under
 * its bound and no byte changes; measure: only the norm; read: the sum of all words; rewrite: 1 is added to every 32-bit word;
 * copy: the bytes are copied.
 */
export type Work = "clip" | "keep" | "measure" | "read" | "rewrite" | "copy";

/** One variant of a contestant: the lanes of a workgroup, and how many workgroups a dispatch has at most. */
export interface Configuration {
  readonly lanes?: number;
  readonly workgroups?: number;
}

/** The result of one step on fresh gradients. */
export interface Answer {
  readonly norm?: number;
  /** Modulo 2^32. */
  readonly sum?: number;
  /** As stored, tensor by tensor. */
  readonly values?: readonly (Float32Array | Uint16Array)[];
}

/** Milliseconds of one step, by the host's clock and by the device's timestamps if there are any. */
export interface Sample {
  readonly clock: number;
  readonly gpu?: number;
}

/** A contestant ready to run on one workload. */
export interface Entry {
  /** One step on fresh gradients. */
  answer(): Promise<Answer>;
  /** The mean time of many steps, in one submit if the contestant can. */
  time(steps: number): Promise<Sample>;
  destroy(): void;
}

export interface Contestant {
  readonly name: string;
  readonly work: Work;
  /** The contestant to compare its time with. */
  readonly against?: string;
  /** Bytes that one step reads and writes at least. */
  readonly bytes: number;
  /** Whether it is only one pass of a step, or a limit. Then one step alone is not timed. */
  readonly isPart?: boolean;
  readonly configurations: readonly Configuration[];
  /** The shipped configuration, to compare the sweep with. */
  readonly shipped?: Configuration;
  /** The most steps of a batch; default: 200. What only the clock can time needs many where a step is short. */
  readonly mostSteps?: number;
  enter(configuration: Configuration): Promise<Entry>;
}

export interface Timing {
  readonly steps: number;
  /** By round, in milliseconds for each step: contestants' samples of one round were taken one after another. */
  readonly clock: readonly number[];
  readonly gpu?: readonly number[];
}

export interface Tried {
  readonly configuration: Configuration;
  /** Undefined if the answer was wrong. */
  readonly ms?: number;
}

export interface Row {
  readonly workload: string;
  readonly contestant: string;
  readonly work: Work;
  readonly against?: string;
  readonly bytes: number;
  readonly verdict: "right" | "wrong" | "failed";
  /** The largest relative error against float64. */
  readonly error?: number;
  readonly reason?: string;
  readonly configuration?: Configuration;
  /** Of one step, counted at the device's calls. */
  readonly dispatches?: number;
  readonly shipped?: Configuration;
  readonly sweep?: readonly Tried[];
  /** It has had its first batches only: the turns with the others have not ended. */
  readonly isPreliminary?: true;
  readonly throughput?: Timing;
  readonly latency?: Timing;
}

/** How long and how often things are timed. */
export interface Pace {
  readonly batchMs: number;
  readonly rounds: number;
  /** Steps alone, each waited for; 0: none. */
  readonly latencyRounds: number;
}

export type { Workload };
