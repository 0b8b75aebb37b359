import type { ClipMethod } from "../../methods/method.ts";
import type { CheckedOptions } from "../../options.ts";
import type { GroupRun, Piece } from "../../pieces.ts";
import type { Tensor } from "../../view.ts";
import type { Batch, Limits } from "../dispatches.ts";
import type { BindingType } from "../layouts.ts";
import type { Buffers } from "../windows.ts";

/** One kernel of shaders/: how it is spread over dispatches, what it binds, and its text. */
export interface Pass {
  /** Notes in the planning what it leaves to the passes after it. */
  readonly plan: (planning: Planning) => Dispatch[];
}

/** What passes plan by, and what they leave to each other. */
export interface Planning {
  readonly method: ClipMethod;
  readonly options: CheckedOptions;
  readonly limits: Limits;
  /** The gradients that are there. */
  readonly tensors: readonly Tensor[];
  readonly buffers: Buffers;
  readonly gradients: Gradients;
  /** The parameters that belong to the gradients, for a method that uses them. */
  readonly parameters: Gradients;
  /** Of absent gradients too. */
  readonly groupRuns: readonly GroupRun[];
  /** 0 where all gradients share one norm. */
  readonly groupCount: number;
  /** The partials of the passes so far: those of the next one follow. */
  partialCount: number;
  /** The partials that hold what was found in all gradients together. */
  found: { readonly first: number; readonly count: number };
}

export interface Gradients {
  readonly pieces: readonly Piece[];
  /** Which partials belong to which group; empty where all share one norm. */
  readonly ranges: PartialRange[];
}

/** The partials of a row of groups: `each` for the first of them, as many for the next, and so on. */
export interface PartialRange {
  readonly group: number;
  readonly first: number;
  each: number;
}

export interface Dispatch {
  /** Says all that its text depends on. */
  readonly name: string;
  readonly source: () => string;
  /** The gradients that it works on, which group 0 binds; its own bindings are then group 1, else group 0. */
  readonly batch?: Batch;
  readonly bindings: readonly Binding[];
  /** Which values of the step it takes, behind its own bindings in group 1. */
  readonly values?: readonly StepValue[];
  readonly workgroups: number;
}

/** A binding of the pass's own: a buffer of the clip, or words that the pass brings. */
export type Binding =
  | { readonly type: BindingType; readonly buffer: BufferName }
  | { readonly type: BindingType; readonly words: Uint32Array; readonly bytes?: number };

/** "gradScale" and "totalNorm": where options name a buffer, else a placeholder; "tables": what all words are in. */
export type BufferName = "partials" | "record" | "entries" | "state" | "gradScale" | "totalNorm" | "tables";

/** In the order in which a step gives them. */
export type StepValue = "maxNorm" | "gradScale";
