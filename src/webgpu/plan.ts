import type { TensorList } from "../gradients.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { groupCount, groupRunsOf, isJudged, parametersOf, presentPiecesOf } from "../pieces.ts";
import { globalRule } from "../rules/global.ts";
import type { Declared } from "../view.ts";
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
export function planOf(
  given: ClipMethod,
  givenOptions: CheckedOptions,
  { tensors, declared }: TensorList,
  limits: Limits,
): Plan {
  const { grouping } = given;
  // A step without any gradient enters no memory, and one without any that is scaled enters no window.
  const isEmpty = tensors.length === 0 && givenOptions.totalNorm === undefined;
  const method = isEmpty && "begin" in given.rule ? { ...given, rule: globalRule } : given;
  const isLeft = givenOptions.totalNorm === undefined && !isJudged(declared, grouping);
  const options = isLeft ? { ...givenOptions, skip: undefined } : givenOptions;
  const read = (declared: readonly Declared[]): Gradients => ({
    pieces: presentPiecesOf(declared, grouping, pieceElementsOf(limits.maxBinding)),
    ranges: [],
  });
  const planning: Planning = {
    method,
    options,
    limits,
    tensors,
    buffers: buffersOf(tensors),
    gradients: read(declared),
    parameters: read(method.usesParameters ? parametersOf(declared) : []),
    groupRuns: groupRunsOf(declared, grouping),
    groupCount: grouping.kind === "all" ? 0 : Math.max(1, groupCount(declared, grouping)),
    partialCount: 0,
    found: { first: 0, count: 0 },
  };
  const { search, write } = method.passes.webgpu as PassesInOrder;
  const verdict = options.skip ? [options.skip.groupPass as Pass] : [];
  const dispatches = [...search, ...verdict, ...write].flatMap((pass) => pass.plan(planning));
  return { dispatches, partialCount: planning.partialCount };
}
