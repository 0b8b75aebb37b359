import { type Dtype, ELEMENT_BYTES, type Range } from "./ranges.ts";
import type { ClipReport, Entries } from "./record.ts";
import type { Units } from "./units.ts";
import { type Declared, isPresent, type Tensor } from "./view.ts";

/** Which values share a norm: all values, or those of a tensor, of a member along the leading axis, or of a unit along axes. */
export type Grouping =
  | { readonly kind: "all" | "tensor" }
  | Members
  | NamedGroups
  | FoundGroups
  | {
      readonly kind: "units";
      readonly unitsOf: (shape: readonly number[], label: string) => Units;
      /** @throws TypeError or RangeError for gradients that have no such units; `name` is the method's. */
      readonly check: (list: CheckedGradients, name: string) => void;
    };

/** Gradients that are checked one by one: those that are present, and all that are declared. */
export interface CheckedGradients {
  readonly tensors: readonly Tensor[];
  readonly declared: readonly Declared[];
}

/** Parts along the leading axis of every gradient. What only examples need comes with them. */
export interface Members {
  readonly kind: "members";
  readonly count: number;
  /** How many of them a step brings, if one of these gradients is present; default all. */
  readonly presentIn?: (declared: readonly Declared[]) => number | undefined;
  /** The number of a part's norm, by the number of its gradient and its own; default its own. */
  readonly groupOf?: (tensor: Declared, ordinal: number, part: number) => number;
  /** The runs of those norms. */
  readonly runsOf?: (declared: readonly Declared[]) => GroupRun[];
}

/** Groups that the caller names. What only they need comes with them, so that other methods ship none of it. */
export interface NamedGroups {
  readonly kind: "groups";
  readonly count: number;
  /** The numbers of the groups whose bound is Infinity: a skip rule does not judge them. */
  readonly measured: readonly number[];
  /** The number of a gradient's group. */
  readonly groupOf: (tensor: Declared) => number;
  /** Refuses a gradient without a bound, and a range in two groups. */
  readonly check: (list: CheckedGradients) => void;
  readonly report: (entries: Entries) => ClipReport["groups"];
}

/** Groups that only the gradients name: prepare puts NamedGroups in their place. */
export interface FoundGroups {
  readonly kind: "found";
  readonly among: (declared: readonly Declared[]) => NamedGroups;
}

/** A run of one gradient's elements that is processed as one. */
export interface Piece<T extends Declared = Tensor> {
  /** Pieces are numbered in the order of prepare's list. */
  readonly number: number;
  readonly tensor: T;
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
  /** How many values share one norm; for members and named groups the average. */
  readonly valuesPerGroup: number;
  /** Whether they are those of a gradient, or of an example, that is absent. */
  readonly absent: boolean;
  /** The part of a bound that several norms share. */
  readonly share?: number;
}

/** The pieces of the gradients that are present. */
export function presentPiecesOf(declared: readonly Declared[], grouping: Grouping, pieceElements: number): Piece[] {
  return piecesOf(declared, grouping, pieceElements).filter(
    (piece): piece is Piece => isPresent(piece.tensor) && piece.first < presentElements(piece.tensor),
  );
}

/** A step may bring the first examples of a gradient only. */
export function presentElements({ source, dtype }: Tensor): number {
  return source.byteLength / ELEMENT_BYTES[dtype];
}

/** Pieces depend on the declared lengths only: a record's piece numbers hold for all buffers. */
export function piecesOf(declared: readonly Declared[], grouping: Grouping, pieceElements: number): Piece<Declared>[] {
  const pieces: Piece<Declared>[] = [];
  const parts = grouping.kind === "members" ? grouping.count : 1;
  const { groupOf } = grouping as Partial<Pick<Members, "groupOf">>;
  const runs = "count" in grouping ? [] : groupRunsOf(declared, grouping);
  declared.forEach((tensor, ordinal) => {
    const length = tensor.length / parts;
    const units = (runs[ordinal]?.count ?? 1) > 1 ? unitsOf(tensor, grouping) : undefined;
    for (let part = 0; part < parts; part++) {
      const group = groupOf?.(tensor, ordinal, part) ?? runs[ordinal]?.group ?? part;
      for (let first = 0; first < length; first += pieceElements) {
        const elements = Math.min(pieceElements, length - first);
        pieces.push({ number: pieces.length, tensor, first: part * length + first, length: elements, group, units });
      }
    }
  });
  return pieces;
}

/** Empty if all values share one norm. */
export function groupRunsOf(declared: readonly Declared[], grouping: Grouping): GroupRun[] {
  if (grouping.kind === "all") return [];
  if ("runsOf" in grouping && grouping.runsOf) return grouping.runsOf(declared);
  if ("count" in grouping) {
    const valuesPerGroup = declared.reduce((sum, { length }) => sum + length, 0) / grouping.count;
    const present = (grouping as Partial<Members>).presentIn?.(declared) ?? grouping.count;
    return Array.from({ length: grouping.count }, (_, group) => ({
      group,
      count: 1,
      valuesPerGroup,
      absent: group >= present,
    }));
  }
  let next = 0;
  return declared.map((tensor) => {
    const { count, size } = unitsOf(tensor, grouping) ?? { count: 1, size: tensor.length };
    const group = next;
    next += count;
    return { group, count, valuesPerGroup: size, absent: !isPresent(tensor) };
  });
}

export function groupCount(declared: readonly Declared[], grouping: Grouping): number {
  return grouping.kind === "all" ? 1 : groupRunsOf(declared, grouping).reduce((sum, { count }) => sum + count, 0);
}

function unitsOf({ shape = [], label }: Declared, grouping: Grouping): Units | undefined {
  return grouping.kind === "units" ? grouping.unitsOf(shape, label) : undefined;
}

/** The number of a gradient's named group; 0 without such groups. */
export function groupOf(tensor: Declared, grouping: Grouping): number {
  return grouping.kind === "groups" ? grouping.groupOf(tensor) : 0;
}

/** The bytes of some elements of a range. */
export function partOf(range: Range, dtype: Dtype, first: number, length: number): Range {
  const bytes = ELEMENT_BYTES[dtype];
  return { ...range, byteOffset: range.byteOffset + bytes * first, byteLength: bytes * length };
}
