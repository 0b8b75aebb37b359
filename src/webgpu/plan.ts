import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { type Grouping, groupCount, parametersOf, piecesOf } from "../pieces.ts";
import type { Tensor } from "../view.ts";
import type { Limits } from "./dispatches.ts";
import type { Dispatch, Gradients, Pass, PassesInOrder, Planning } from "./passes/pass.ts";
import { pieceElementsOf } from "./segments.ts";
import { buffersOf } from "./windows.ts";

/** The dispatches that a clip records for one set of buffers. */
export interface Plan {
  readonly dispatches: readonly Dispatch[];
  /** The number of partials, of 32 bytes each, that the dispatches need. */
  readonly partialCount: number;
}

/** Plans the passes of a method in turn. Each one notes in `planning` where the next one finds its results. */
export function planOf(method: ClipMethod, options: CheckedOptions, tensors: readonly Tensor[], limits: Limits): Plan {
  const { grouping } = method;
  const read = (tensors: readonly Tensor[]): Gradients => ({
    tensors,
    pieces: piecesOf(tensors, grouping, pieceElementsOf(limits.maxBinding)),
    ranges: [],
  });
  const planning: Planning = {
    method,
    options,
    limits,
    buffers: buffersOf(tensors),
    gradients: read(tensors),
    parameters: read(method.usesParameters ? parametersOf(tensors) : []),
    groupCount: entryCount(tensors, grouping),
    partialCount: 0,
    found: { first: 0, count: 0 },
  };
  const { search, write } = method.passes.webgpu as PassesInOrder;
  const verdict = options.skip ? [options.skip.groupPass as Pass] : [];
  const dispatches = [...search, ...verdict, ...write].flatMap((pass) => pass.plan(planning));
  return { dispatches, partialCount: planning.partialCount };
}

/** The number of entries; 0 if all gradients share one norm. */
export function entryCount(tensors: readonly Tensor[], grouping: Grouping): number {
  return grouping.kind === "all" ? 0 : Math.max(1, groupCount(tensors, grouping));
}
