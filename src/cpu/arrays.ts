import type { TensorList } from "../gradients.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { distinctWrites } from "../overlaps.ts";
import { type GroupRun, groupOf, groupRunsOf, type Piece, partOf, presentPiecesOf } from "../pieces.ts";
import type { Dtype, Range } from "../ranges.ts";
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
  /** The gradients of these, with their pieces. */
  readonly written: readonly Tensor[];
  readonly pieces: readonly Piece[];
  /** Groups that a skip rule does not judge; undefined if it judges nothing. */
  readonly unjudged: readonly number[] | undefined;
}

export function bindArrays(
  list: TensorList,
  { grouping, examples, parametersOf }: ClipMethod,
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
  return { ...common, written, pieces, writes: examples ? [] : writesOf(written, pieces, parts) };
}

function partFor(piece: Piece): Part {
  const { tensor, number, group, units } = piece;
  return { elements: elementsFor(tensor.source, tensor.dtype, piece), piece: number, group, units };
}

export function elementsFor(range: Range, dtype: Dtype, { first, length }: Pick<Piece, "first" | "length">): Elements {
  return elementsOf(partOf(range, dtype, first, length), dtype);
}

function writesOf(written: readonly Tensor[], pieces: readonly Piece[], parts: readonly Part[]): Write[] {
  const byTensor = new Map<Tensor, Write[]>(written.map((tensor) => [tensor, []]));
  for (const [i, piece] of pieces.entries()) {
    const { elements: source, ...part } = parts[i] as Part;
    const target = piece.tensor.into;
    const into = target ? elementsFor(target, target.dtype, piece) : source;
    byTensor.get(piece.tensor)?.push({ ...part, source, into });
  }
  return [...byTensor.values()].flat();
}
