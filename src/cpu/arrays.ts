import type { TensorList } from "../gradients.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { distinctWrites } from "../overlaps.ts";
import { type GroupRun, groupOf, groupRunsOf, type Piece, partOf, presentPiecesOf } from "../pieces.ts";
import type { Range } from "../ranges.ts";
import type { Tensor } from "../view.ts";
import { type Elements, elementsOf } from "./formats.ts";
import type { Part } from "./norm.ts";
import type { Write } from "./scale.ts";

/** The gradients of a clip in the form that the passes work on. */
export interface PreparedArrays {
  readonly bundles: readonly GroupRun[];
  /** With tensorNorms: gradients are searched one by one, and these are the numbers of their groups, absent ones too. */
  readonly groupsOfTensors: readonly number[] | undefined;
  readonly parts: readonly Part[];
  readonly parameters: readonly Part[];
  /** Each pair of source and destination once. Writes into other arrays come first: an in-place write changes what they read. */
  readonly writes: readonly Write[];
  readonly sums: readonly Sum[];
  /** Groups that a skip rule does not judge; undefined if it judges nothing. */
  readonly unjudged: readonly number[] | undefined;
}

/** The examples of a gradient, and the place for their sum. */
export interface Sum {
  readonly examples: readonly Elements[];
  readonly into: Elements;
  /** Whether the sum is added to what is there. */
  readonly accumulate: boolean;
}

export function bindArrays(
  list: TensorList,
  { grouping, examples, accumulate = false, parametersOf }: ClipMethod,
  { tensorNorms, totalNorm, skip }: CheckedOptions,
): PreparedArrays {
  const { tensors, declared } = list;
  const pieces = presentPiecesOf(declared, grouping, Infinity);
  const parts = pieces.map(partFor);
  const searched = tensorNorms ? presentPiecesOf(declared, { kind: "tensor" }, Infinity).map(partFor) : parts;
  const parameters = presentPiecesOf(parametersOf?.(declared) ?? [], grouping, Infinity).map(partFor);
  const common = {
    bundles: groupRunsOf(declared, grouping),
    groupsOfTensors: tensorNorms ? declared.map((tensor) => groupOf(tensor, grouping)) : undefined,
    parts: searched,
    parameters,
    unjudged: skip?.unjudged(declared, grouping) ?? (totalNorm === undefined ? undefined : []),
  };
  const written = distinctWrites(tensors);
  if (examples) return { ...common, writes: [], sums: written.map((tensor) => sumFor(tensor, examples, accumulate)) };
  return { ...common, writes: writesOf(written, pieces, parts), sums: [] };
}

function partFor(piece: Piece): Part {
  const { tensor, number, group, units } = piece;
  return { elements: elementsFor(tensor.source, piece), piece: number, group, units };
}

function elementsFor(range: Range, { tensor, first, length }: Piece): Elements {
  return elementsOf(partOf(range, tensor.dtype, first, length), tensor.dtype);
}

function writesOf(written: readonly Tensor[], pieces: readonly Piece[], parts: readonly Part[]): Write[] {
  const byTensor = new Map<Tensor, Write[]>(written.map((tensor) => [tensor, []]));
  for (const [i, piece] of pieces.entries()) {
    const { elements: source, ...part } = parts[i] as Part;
    const into = piece.tensor.into ? elementsFor(piece.tensor.into, piece) : source;
    byTensor.get(piece.tensor)?.push({ ...part, source, into });
  }
  return [...byTensor.values()].flat();
}

function sumFor(tensor: Tensor, count: number, accumulate: boolean): Sum {
  const length = tensor.length / count;
  const example = (range: Range, number: number) =>
    elementsOf(partOf(range, tensor.dtype, number * length, length), tensor.dtype);
  return {
    accumulate,
    examples: Array.from({ length: count }, (_, number) => example(tensor.source, number)),
    into: example(tensor.into ?? tensor.source, 0),
  };
}
