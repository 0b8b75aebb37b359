import type { TensorList } from "../gradients.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { type Grouping, groupCount, groupOf, groupRunsOf, presentPiecesOf } from "../pieces.ts";
import { globalRule } from "../rules/global.ts";
import type { Declared } from "../view.ts";
import type { Limits } from "./dispatches.ts";
import type { Dispatch, Gradients, PassesInOrder, Planning, SkipPasses } from "./passes/pass.ts";
import { pieceElementsOf } from "./segments.ts";
import { buffersOf } from "./windows.ts";

/** The dispatches that a clip records for one set of buffers. */
export interface Plan {
  readonly dispatches: readonly Dispatch[];
  /** The number of partials, of 32 bytes each, that the dispatches need. */
  readonly partialCount: number;
}

/** Plans the passes of a method in turn. Each one notes in `planning` where the next one finds its results. */
export function planOf(method: ClipMethod, options: CheckedOptions, list: TensorList, limits: Limits): Plan {
  const planning = planningFor(method, options, list, limits);
  const { search, write } = method.passes.webgpu as PassesInOrder;
  const { skip } = planning.options;
  const verdict = skip ? [(skip.passes.webgpu as SkipPasses).groups] : [];
  const { declared } = list;
  const written = options.tensorNorms ? { ...planning, gradients: read(declared, method.grouping, limits) } : planning;
  const dispatches = [
    ...[...search, ...verdict].flatMap((pass) => pass(planning)),
    ...write.flatMap((pass) => pass(written)),
  ];
  return { dispatches, partialCount: planning.partialCount };
}

function planningFor(
  given: ClipMethod,
  givenOptions: CheckedOptions,
  { tensors, declared }: TensorList,
  limits: Limits,
): Planning {
  const { grouping } = given;
  const { tensorNorms, totalNorm } = givenOptions;
  // A step without gradients changes no memory. A step in which nothing is scaled does not enter the skip window.
  const isEmpty = tensors.length === 0 && totalNorm === undefined;
  const method = isEmpty && "begin" in given.rule ? { ...given, rule: globalRule } : given;
  const unjudged = givenOptions.skip?.unjudged(declared, grouping) ?? (totalNorm === undefined ? undefined : []);
  const options = unjudged ? givenOptions : { ...givenOptions, skip: undefined };
  const searchedBy: Grouping = tensorNorms ? { kind: "tensor" } : grouping;
  return {
    method,
    options,
    limits,
    tensors,
    buffers: buffersOf(tensors),
    gradients: read(declared, searchedBy, limits),
    parameters: read(method.parametersOf?.(declared) ?? [], searchedBy, limits),
    groupRuns: groupRunsOf(declared, grouping),
    searchedBy,
    tensorRuns: tensorNorms ? groupRunsOf(declared, searchedBy) : [],
    groupsOfTensors: tensorNorms ? declared.map((tensor) => groupOf(tensor, grouping)) : [],
    groupCount: grouping.kind === "all" ? 0 : Math.max(1, groupCount(declared, grouping)),
    unjudged: unjudged ?? [],
    partialCount: 0,
    found: { first: 0, count: 0 },
  };
}

function read(declared: readonly Declared[], grouping: Grouping, { maxBinding }: Limits): Gradients {
  return { pieces: presentPiecesOf(declared, grouping, pieceElementsOf(maxBinding)), ranges: [] };
}
