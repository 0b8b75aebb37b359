import { linf } from "../norms/linf.ts";
import type { NormKind, Sum } from "../norms/norm.ts";
import type { Piece } from "../pieces.ts";
import { INFINITY_SEEN, NAN_SEEN, NONE } from "../record.ts";
import type { Units } from "../units.ts";
import { type Elements, read } from "./formats.ts";

/** The sum of the terms, and everything else that one reading finds; twin of shaders/norm.wgsl. */
export interface Found {
  sum: number;
  largest: number;
  nonFinite: number;
  firstPiece: number;
  firstElement: number;
  flags: number;
}

/** A piece with its elements. */
export interface Part extends Piece {
  readonly source: Elements;
}

/** The findings for each group and for all of them. `unitNorm` is for parts with units. */
export function norm(
  parts: readonly Part[],
  groups: number,
  kind: NormKind,
  unitNorm?: (elements: Elements, piece: number, units: Units) => Found[],
): { each: Found[]; all: Found } {
  const all = nothing();
  const each = Array.from({ length: groups }, nothing);
  const mosts = kind.isRelative ? largestIn(parts, groups) : [];
  for (const part of parts) {
    const { source, number, group, units } = part;
    const inUnits = units && unitNorm ? unitNorm(source, number, units) : [search(part, kind, mosts[group] ?? 0)];
    for (const [unit, found] of inUnits.entries()) {
      add(each[group + unit] as Found, found);
      add(all, found);
    }
  }
  // Sums relative to different magnitudes do not add up.
  if (kind.isRelative && groups > 1)
    all.sum = parts.reduce((sum, part) => sum + search(part, kind, all.largest).sum, 0);
  return { each, all };
}

function search({ source, number }: Part, kind: NormKind, most: number): Found {
  const found = nothing();
  read(source, (values, first) => {
    const { sum } = found;
    found.sum = 0;
    kind.add(found, values, most);
    // A NaN or an infinity makes the sum non-finite. Only then is each value checked.
    if (!Number.isFinite(found.sum)) noteFaults(values, number, first, found);
    found.sum += sum;
  });
  return found;
}

export function nothing(): Found {
  return { sum: 0, largest: 0, nonFinite: 0, firstPiece: NONE, firstElement: NONE, flags: 0 };
}

/** The findings of groups, from those of their parts and the number of each part's group. */
export function regrouped(parts: readonly Found[], count: number, groupOf: readonly number[]): Found[] {
  const totals = Array.from({ length: count }, nothing);
  for (const [i, part] of parts.entries()) add(totals[groupOf[i] as number] as Found, part);
  return totals;
}

function add(total: Found, part: Found): void {
  if (isBefore(part.firstPiece, part.firstElement, total)) {
    [total.firstPiece, total.firstElement] = [part.firstPiece, part.firstElement];
  }
  total.sum += part.sum;
  total.largest = Math.max(total.largest, part.largest);
  total.nonFinite += part.nonFinite;
  total.flags |= part.flags;
}

function isBefore(piece: number, element: number, { firstPiece, firstElement }: Found): boolean {
  return piece < firstPiece || (piece === firstPiece && element < firstElement);
}

/** The largest magnitude of each group; its p-norm is relative to it. */
function largestIn(parts: readonly Part[], groups: number): number[] {
  const found = Array.from({ length: groups }, () => ({ sum: 0, largest: 0 }));
  for (const { source, group } of parts) {
    read(source, (values) => linf.add(found[group] as Sum, values, 0));
  }
  return found.map(({ largest }) => largest);
}

function noteFaults(array: Float32Array, piece: number, first: number, found: Found): void {
  array.forEach((value, i) => {
    if (!Number.isFinite(value)) noteFault(found, value, piece, first + i);
  });
}

export function noteFault(found: Found, value: number, piece: number, element: number): void {
  if (isBefore(piece, element, found)) {
    [found.firstPiece, found.firstElement] = [piece, element];
  }
  found.nonFinite += 1;
  found.flags |= Number.isNaN(value) ? NAN_SEEN : INFINITY_SEEN;
}
