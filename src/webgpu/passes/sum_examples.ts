import clipped from "../../../shaders/shared/clipped.wgsl?raw";
import entry from "../../../shaders/shared/entry.wgsl?raw";
import kernel from "../../../shaders/sum_examples.wgsl?raw";
import { writesOf } from "../../overlaps.ts";
import { partOf, presentElements } from "../../pieces.ts";
import type { Range } from "../../ranges.ts";
import { struct } from "../../struct.ts";
import type { Tensor } from "../../view.ts";
import { alignedDown, alignedUp } from "../alignment.ts";
import { batchesOf, type Walk } from "../dispatches.ts";
import { READ } from "../layouts.ts";
import { wordTilesWithin } from "../loopLimit.ts";
import { pieceElementsOf, type Segment } from "../segments.ts";
import { TABLE_BYTES, tableOf, wordsOf } from "../table.ts";
import type { Dispatch, Planning } from "./pass.ts";
import { gradientText, nameOf, wordTexts } from "./texts.ts";

/** The examples of a gradient that are present. */
interface Rows {
  /** The number of the first one's norm. */
  readonly first: number;
  readonly count: number;
  /** The elements of one. */
  readonly length: number;
}

/** As in shaders/sum_examples.wgsl. */
export const exampleSegmentStruct = struct("first", "count", "tile", "examples", "into", "slot", "group", "edges");

const walk: Walk = {
  writes: true,
  mostWorkgroups: ({ scaleWorkgroups }) => scaleWorkgroups,
  mostTiles: (segments, elements) =>
    wordTilesWithin(segments, ({ examples = 0 }) => 8 + 2 * (examples + 1) * (elements + 4)),
};

/** Sums the clipped gradients of the examples. */
export function sumExamples(planning: Planning): Dispatch[] {
  const { method, limits, gradients } = planning;
  const { examples = 1, accumulate = false } = method;
  // That of its first piece.
  const groups = new Map([...gradients.pieces].reverse().map(({ tensor, group }) => [tensor, group]));
  return writesOf(planning.tensors, []).flatMap(({ tensors }) => {
    // A first round sets the sums, unless they go on; each later round adds to them.
    const rounds: Segment[][] = [];
    for (const tensor of tensors) {
      const length = tensor.length / examples;
      const rows = { first: groups.get(tensor) ?? 0, count: presentElements(tensor) / length, length };
      // Of none the sum is 0, where there is a place for it.
      if (rows.count > 0 || (tensor.into && !accumulate)) addSegments(rounds, tensor, rows, limits.maxBinding);
    }
    return rounds.flatMap((segments, round) => dispatchesOf(planning, segments, round > 0 || accumulate));
  });
}

function dispatchesOf({ limits, buffers }: Planning, segments: readonly Segment[], accumulates: boolean): Dispatch[] {
  const { lanes } = limits.grid;
  return (["into", "in-place"] as const).flatMap((target) => {
    const chosen = segments.filter(({ into }) => !!into === (target === "into"));
    return batchesOf(walk, chosen, target, limits, buffers).map((batch): Dispatch => {
      const head = { accumulates: Number(accumulates) };
      const words = tableOf(batch, head, exampleSegmentStruct, (placed, slot) => {
        const { examples, group } = placed.segment;
        return { ...wordsOf(batch, placed, slot), tile: placed.tile, examples, slot: placed.slot, group };
      });
      return {
        name: nameOf("sum examples", batch, lanes),
        source: () =>
          gradientText(kernel, { ...wordTexts, "shared/entry": entry, "shared/clipped": clipped }, batch, lanes),
        batch,
        bindings: [
          { type: "uniform", words, bytes: TABLE_BYTES },
          { type: READ, buffer: "entries" },
        ],
        workgroups: batch.workgroups,
      };
    });
  });
}

/**
 * A segment is what one binding can hold: as many whole examples as possible, or a part of one. The first sum of an element is
 * set; each further sum is added in a round of its own.
 */
function addSegments(rounds: Segment[][], tensor: Tensor, rows: Rows, maxBinding: number): void {
  const pieceElements = pieceElementsOf(maxBinding);
  const { label } = tensor;
  const { first, count: examples, length } = rows;
  const together = Math.max(1, Math.floor(pieceElements / length));
  for (let from = 0; from < length; from += pieceElements) {
    const part = Math.min(pieceElements, length - from);
    let [example, round] = [0, 0];
    do {
      const count = Math.min(together, examples - example);
      const read = partOf(tensor.source, tensor.dtype, example * length + from, count * part);
      const target = tensor.into ?? (example > 0 ? { ...tensor.source, dtype: tensor.dtype } : undefined);
      const into = target && partOf(target, target.dtype, from, part);
      if (into && !tensor.into) refuseSharedWindow(into, read, label, examples);
      // Of no examples nothing is read: what is written is bound alone.
      const [source, dtype] = count === 0 && into && target ? [into, target.dtype] : [read, tensor.dtype];
      const place = { dtype, source, into: source === into ? undefined : into };
      const segment = { ...place, piece: 0, group: first + example, firstElement: 0, label, examples: count };
      const same = rounds[round];
      if (same) same.push(segment);
      else rounds[round] = [segment];
      example += together;
      round += 1;
    } while (example < examples);
  }
}

/** Later examples are read from the buffer of the sum: both must fit into separate bindings. */
function refuseSharedWindow(into: Range, source: Range, label: string, examples: number): void {
  if (alignedUp(into.byteOffset + into.byteLength) <= alignedDown(source.byteOffset)) return;
  throw new RangeError(
    `${label} has ${examples} examples of ${into.byteLength} bytes, which no binding holds together;  pass an into in another buffer.`,
  );
}
