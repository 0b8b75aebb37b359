import { type Dtype, ELEMENT_BYTES, type Range } from "./ranges.ts";
import type { Units } from "./units.ts";
import type { Tensor } from "./view.ts";

/** Which values share a norm: all values, or those of a tensor, of a member along the leading axis, or of a unit along axes. */
export type Grouping =
  | { readonly kind: "all" | "tensor" }
  | { readonly kind: "members"; readonly count: number }
  | {
      readonly kind: "units";
      readonly unitsOf: (shape: readonly number[], label: string) => Units;
      /** @throws TypeError or RangeError for gradients that have no such units; `name` is the method's. */
      readonly check: (tensors: readonly Tensor[], name: string) => void;
    };

/** A run of one gradient's elements that is processed as one. */
export interface Piece {
  /** Pieces are numbered in the order of the list. */
  readonly number: number;
  readonly tensor: Tensor;
  /** The index of its first element in the tensor. */
  readonly first: number;
  readonly length: number;
  /** The group of its values, or of its first unit. */
  readonly group: number;
  /** Present if its values belong to several units. */
  readonly units?: Units;
}

/** Consecutive groups: a member, a tensor, or all units of a tensor. */
export interface GroupRun {
  readonly group: number;
  readonly count: number;
  /** How many values share one norm. */
  readonly valuesPerGroup: number;
}

/** Pieces depend on the lengths only: a record's piece numbers hold for all buffers. */
export function piecesOf(tensors: readonly Tensor[], grouping: Grouping, pieceElements: number): Piece[] {
  const pieces: Piece[] = [];
  const parts = grouping.kind === "members" ? grouping.count : 1;
  const perTensor = grouping.kind === "tensor" || grouping.kind === "units";
  const runs = perTensor ? groupRunsOf(tensors, grouping) : [];
  tensors.forEach((tensor, ordinal) => {
    const length = tensor.length / parts;
    const units = (runs[ordinal]?.count ?? 1) > 1 ? unitsOf(tensor, grouping) : undefined;
    for (let part = 0; part < parts; part++) {
      const group = runs[ordinal]?.group ?? part;
      for (let first = 0; first < length; first += pieceElements) {
        const elements = Math.min(pieceElements, length - first);
        pieces.push({ number: pieces.length, tensor, first: part * length + first, length: elements, group, units });
      }
    }
  });
  return pieces;
}

/** Empty if all values share one norm. */
export function groupRunsOf(tensors: readonly Tensor[], grouping: Grouping): GroupRun[] {
  if (grouping.kind === "all") return [];
  if (grouping.kind === "members") {
    const valuesPerGroup = tensors.reduce((sum, { length }) => sum + length, 0) / grouping.count;
    return Array.from({ length: grouping.count }, (_, group) => ({ group, count: 1, valuesPerGroup }));
  }
  let next = 0;
  return tensors.map((tensor) => {
    const { count, size } = unitsOf(tensor, grouping) ?? { count: 1, size: tensor.length };
    const group = next;
    next += count;
    return { group, count, valuesPerGroup: size };
  });
}

export function groupCount(tensors: readonly Tensor[], grouping: Grouping): number {
  return grouping.kind === "all" ? 1 : groupRunsOf(tensors, grouping).reduce((sum, { count }) => sum + count, 0);
}

function unitsOf({ shape = [], label }: Tensor, grouping: Grouping): Units | undefined {
  return grouping.kind === "units" ? grouping.unitsOf(shape, label) : undefined;
}

/** The bytes of some elements of a range. */
export function partOf(range: Range, dtype: Dtype, first: number, length: number): Range {
  const bytes = ELEMENT_BYTES[dtype];
  return { ...range, byteOffset: range.byteOffset + bytes * first, byteLength: bytes * length };
}

/** The gradients' parameters as tensors. They are read in the same way as gradients and never written. */
export function parametersOf(tensors: readonly Tensor[]): Tensor[] {
  return tensors.flatMap(({ parameter, into: _, ...tensor }) =>
    parameter ? [{ ...tensor, ...parameter, label: `${tensor.label}.parameter` }] : [],
  );
}
