import { ELEMENT_BYTES, type Range, type Tensor, type TensorList } from "./gradients.ts";
import type { ClipMethod } from "./methods/method.ts";
import type { CheckedOptions } from "./options.ts";

/** Which values share a norm: all of them, those of a tensor, or those of a member along the leading axis. */
export type Grouping = { readonly kind: "all" | "tensor" } | { readonly kind: "members"; readonly count: number };

/** A run of a gradient's elements that is worked on as one. Its rank, its place among all cuts, follows the list. */
export interface Cut {
  readonly tensor: Tensor;
  /** Its first element, in the tensor. */
  readonly first: number;
  readonly length: number;
  readonly group: number;
}

/** The cuts depend on the lengths alone, so that a record can be read whatever buffers made it. */
export function cutsOf(tensors: readonly Tensor[], grouping: Grouping, pieceElements: number): Cut[] {
  const cuts: Cut[] = [];
  tensors.forEach((tensor, ordinal) => {
    const parts = grouping.kind === "members" ? grouping.count : 1;
    const length = tensor.length / parts;
    for (let part = 0; part < parts; part++) {
      const group = grouping.kind === "tensor" ? ordinal : part;
      for (let first = 0; first < length; first += pieceElements) {
        const piece = Math.min(pieceElements, length - first);
        cuts.push({ tensor, first: part * length + first, length: piece, group });
      }
    }
  });
  return cuts;
}

/** A cut's bytes in the range of its gradient, or of what goes with it. */
export function partOf(range: Range, { tensor, first, length }: Cut): Range {
  const bytes = ELEMENT_BYTES[tensor.dtype];
  return { ...range, byteOffset: range.byteOffset + bytes * first, byteLength: bytes * length };
}

export function groupCount({ tensors }: TensorList, grouping: Grouping): number {
  if (grouping.kind === "members") return grouping.count;
  return grouping.kind === "tensor" ? tensors.length : 1;
}

/** Members need a leading axis in every tensor, and a total norm is for all gradients. */
export function checkGrouping({ tensors }: TensorList, { name, grouping }: ClipMethod, options: CheckedOptions): void {
  if (grouping.kind === "all") return;
  if (options.totalNorm !== undefined) {
    throw new TypeError(`options.totalNorm is one norm, but ${name} has many; leave it out.`);
  }
  if (grouping.kind !== "members") return;
  for (const { label, length, shape } of tensors) {
    const leading = shape?.[0];
    if (leading !== undefined && leading !== grouping.count) {
      throw new RangeError(
        `${label} has a leading axis of ${leading}, but the method is for ${grouping.count} members; stack as many in every gradient.`,
      );
    }
    if (length % grouping.count !== 0) {
      throw new RangeError(
        `${label} has ${length} elements, which ${grouping.count} members cannot share equally; the leading axis of every gradient must be the members.`,
      );
    }
  }
}
