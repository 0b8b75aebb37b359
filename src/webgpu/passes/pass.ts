import type { ClipMethod } from "../../methods/method.ts";
import type { CheckedOptions } from "../../options.ts";
import type { Grouping, GroupRun, Piece } from "../../pieces.ts";
import type { Source } from "../../source.ts";
import type { Tensor } from "../../view.ts";
import type { Batch, Limits } from "../dispatches.ts";
import type { BindingType } from "../layouts.ts";
import type { Filling } from "../template.ts";
import type { Buffers } from "../windows.ts";

/** One kernel of shaders/: its dispatches, with their bindings and texts. Also notes in `planning` where later passes find the results. */
export type Pass = (planning: Planning) => Dispatch[];

/** What a method records: up to the decision, and what carries it out. */
export interface PassesInOrder {
  readonly search: readonly Pass[];
  readonly write: readonly Pass[];
}

/** The input of planning, and the notes that passes leave for each other. */
export interface Planning {
  readonly method: ClipMethod;
  readonly options: CheckedOptions;
  readonly limits: Limits;
  /** The gradients that are present. */
  readonly tensors: readonly Tensor[];
  readonly buffers: Buffers;
  readonly gradients: Gradients;
  /** The gradients' parameters, for a method that uses them. */
  readonly parameters: Gradients;
  /** Those of absent gradients too. */
  readonly groupRuns: readonly GroupRun[];
  /** The number of groups; 0 if all gradients share one norm. */
  readonly groupCount: number;
  /** Whose partials are kept apart: a group's, or with tensorNorms a gradient's. */
  readonly searchedBy: Grouping;
  /** With tensorNorms every gradient, absent ones too, as a group of its own, and the number of the group that it is in; else empty. */
  readonly tensorRuns: readonly GroupRun[];
  readonly groupsOfTensors: readonly number[];
  /** Groups that a skip rule does not judge. */
  readonly unjudged: readonly number[];
  /** The number of partials so far. Those of the next pass follow. */
  partialCount: number;
  /** The partials of all gradients together. */
  found: { readonly first: number; readonly count: number };
}

export interface Gradients {
  readonly pieces: readonly Piece[];
  /** Which partials belong to which group; empty if all share one norm. */
  readonly ranges: PartialRange[];
}

/** The partials of consecutive groups: the first `each` are for the first group, the next `each` for the second, and so on. */
export interface PartialRange {
  readonly group: number;
  readonly first: number;
  each: number;
}

export interface Dispatch {
  /** Names everything that the text depends on. */
  readonly name: string;
  readonly source: () => string;
  /** The gradients, bound in group 0. The pass's own bindings are then group 1; without gradients they are group 0. */
  readonly batch?: Batch;
  readonly bindings: readonly Binding[];
  /** The first byte of the step's values that it takes, bound after its own bindings in group 1. */
  readonly valuesFrom?: ValuesFrom;
  readonly workgroups: number;
}

/** What a skip rule adds to the passes of a method. */
export interface SkipPasses {
  /** To finish: for the name, the text and the bindings of the kernel. */
  readonly inFinish: (
    planning: Planning,
  ) => Pick<Dispatch, "bindings"> &
    Pick<Required<Filling>, "texts" | "conditions" | "tokens"> & { readonly names: readonly string[] };
  /** After finish. */
  readonly groups: Pass;
}

/** A pass's own binding: a buffer of the clip, words of the pass, or a float32 that may be in a buffer of the caller. */
export type Binding =
  | { readonly type: BindingType; readonly source: number | Source | undefined }
  | { readonly type: BindingType; readonly buffer: BufferName }
  | { readonly type: BindingType; readonly words: Uint32Array; readonly bytes?: number };

export type BufferName = "partials" | "record" | "entries" | "tensorNorms" | "state";

/** A step has 4 bytes of maxNorm, then 4 of gradScale: 0 takes both, 4 gradScale. */
export type ValuesFrom = 0 | 4;

export const VALUE_BYTES = 8;
