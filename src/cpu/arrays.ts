import type { TensorList } from "../gradients.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { writesOf } from "../overlaps.ts";
import { type Grouping, type GroupRun, groupOf, groupRunsOf, type Piece, partOf, presentPiecesOf } from "../pieces.ts";
import type { Dtype, Range } from "../ranges.ts";
import type { Declared, Tensor } from "../view.ts";
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
  /** In the order in which they are written. */
  readonly writes: readonly Write[];
  /** The gradients of these. */
  readonly written: readonly Tensor[];
  /** Groups that a skip rule does not judge; undefined if it judges nothing. */
  readonly unjudged: readonly number[] | undefined;
}

export function bindArrays(
  { tensors, declared }: TensorList,
  { grouping, examples, parametersOf }: ClipMethod,
  { tensorNorms, totalNorm, skip }: CheckedOptions,
): PreparedArrays {
  const parts = partsOf(declared, grouping);
  const lists = writesOf(tensors, parts);
  return {
    bundles: groupRunsOf(declared, grouping),
    groupsOfTensors: tensorNorms ? declared.map((tensor) => groupOf(tensor, grouping)) : undefined,
    parts: tensorNorms ? partsOf(declared, { kind: "tensor" }) : parts,
    parameters: partsOf(parametersOf?.(declared) ?? [], grouping),
    unjudged: skip?.unjudged(declared, grouping) ?? (totalNorm === undefined ? undefined : []),
    written: lists.flatMap(({ tensors }) => tensors),
    writes: examples ? [] : lists.flatMap(({ pieces }) => pieces.map(writeFor)),
  };
}

function partsOf(declared: readonly Declared[], grouping: Grouping): Part[] {
  return presentPiecesOf(declared, grouping, Infinity).map((piece) => {
    const { source, dtype } = piece.tensor;
    return { ...piece, source: elementsFor(source, dtype, piece) };
  });
}

function writeFor(part: Part): Write {
  const { into } = part.tensor;
  return { ...part, into: into ? elementsFor(into, into.dtype, part) : part.source };
}

export function elementsFor(range: Range, dtype: Dtype, { first, length }: Pick<Piece, "first" | "length">): Elements {
  return elementsOf(partOf(range, dtype, first, length), dtype);
}
