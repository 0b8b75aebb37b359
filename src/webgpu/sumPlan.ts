import { distinctWrites } from "../overlaps.ts";
import { ELEMENT_BYTES, type Range } from "../ranges.ts";
import type { Tensor } from "../view.ts";
import { ALIGNMENT } from "./device.ts";
import { type Dispatch, draftsOf, type PlanLimits, pieceBytesOf } from "./plan.ts";
import type { Segment } from "./segments.ts";
import { tableOf } from "./table.ts";

/** Segments whose sums a first dispatch sets, and those that later ones add: see `addPieces`. */
type Rounds = Segment[][];

/** The last pass of a method that sums over examples; what goes elsewhere first, as in place overwrites what that reads. */
export function planSum(tensors: readonly Tensor[], limits: PlanLimits, examples: number): Dispatch[] {
  const written = distinctWrites(tensors);
  return [true, false].flatMap((into) => {
    const rounds: Rounds = [];
    for (const tensor of written.filter((tensor) => !!tensor.into === into))
      addPieces(rounds, tensor, limits, examples);
    return rounds.flatMap((segments, round) => dispatchesOf(segments, limits, round === 0));
  });
}

function dispatchesOf(segments: readonly Segment[], limits: PlanLimits, fresh: boolean): Dispatch[] {
  return [true, false].flatMap((into) => {
    const chosen = segments.filter((segment) => !!segment.into === into);
    return draftsOf("sum examples", chosen, into ? "into" : "in-place", limits).map((draft) => {
      const { placed: _, tilesPerWorkgroup: __, ...dispatch } = draft;
      return { ...dispatch, table: tableOf({ ...draft, power: 0, firstPartial: 0, fresh }) };
    });
  });
}

/**
 * What one binding can hold: as many whole examples as possible, or else a part of one. The first sum of an element is set,
 * each further one is added in a round of its own.
 */
function addPieces(rounds: Rounds, tensor: Tensor, { maxBinding }: PlanLimits, examples: number): void {
  const pieceElements = pieceBytesOf(maxBinding) / 4;
  const length = tensor.length / examples;
  const together = Math.max(1, Math.floor(pieceElements / length));
  for (let first = 0; first < length; first += pieceElements) {
    const part = Math.min(pieceElements, length - first);
    for (let example = 0, round = 0; example < examples; example += together, round++) {
      const count = Math.min(together, examples - example);
      const source = rangeOf(tensor, tensor.source, example * length + first, count * part);
      const target = tensor.into ?? (example > 0 ? tensor.source : undefined);
      const into = target && rangeOf(tensor, target, first, part);
      const { dtype, label } = tensor;
      if (into && !tensor.into) refuseSharedWindow(into, source, label, examples);
      const segment = { dtype, source, into, piece: 0, group: example, firstElement: 0, label, examples: count };
      const same = rounds[round];
      if (same) same.push(segment);
      else rounds[round] = [segment];
    }
  }
}

/** What is read later from the buffer of the sum must be bound beside it. */
function refuseSharedWindow(into: Range, source: Range, label: string, examples: number): void {
  const end = Math.ceil((into.byteOffset + into.byteLength) / ALIGNMENT) * ALIGNMENT;
  if (end <= source.byteOffset - (source.byteOffset % ALIGNMENT)) return;
  throw new RangeError(
    `${label} has ${examples} examples of ${into.byteLength} bytes and more, which no binding of the device holds together; pass an into in another buffer.`,
  );
}

function rangeOf({ dtype }: Tensor, range: Range, first: number, length: number): Range {
  const bytes = ELEMENT_BYTES[dtype];
  return { ...range, byteOffset: range.byteOffset + bytes * first, byteLength: bytes * length };
}
