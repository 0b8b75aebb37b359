import clipped from "../../../shaders/shared/clipped.wgsl?raw";
import entry from "../../../shaders/shared/entry.wgsl?raw";
import kernel from "../../../shaders/sum_examples.wgsl?raw";
import { partOf } from "../../pieces.ts";
import type { Range } from "../../ranges.ts";
import { struct } from "../../struct.ts";
import type { Tensor } from "../../view.ts";
import { alignedDown, alignedUp } from "../alignment.ts";
import { batchesOf, type Walk, writesOf } from "../dispatches.ts";
import { READ } from "../layouts.ts";
import { wordTilesWithin } from "../loopLimit.ts";
import { pieceElementsOf, type Segment } from "../segments.ts";
import { TABLE_BYTES, tableOf, wordsOf } from "../table.ts";
import type { Dispatch, Pass, Planning } from "./pass.ts";
import { multipliedTexts, nameOf, writingText } from "./texts.ts";

/** Sums the clipped gradients of the examples. */
export const sumExamples: Pass = { plan: planSum };

/** As in shaders/sum_examples.wgsl. */
export const exampleSegmentStruct = struct("first", "count", "tile", "examples", "into", "slot", "group", "edges");

const walk: Walk = {
  writes: true,
  mostWorkgroups: ({ scaleWorkgroups }) => scaleWorkgroups,
  mostTiles: (segments, elements) =>
    wordTilesWithin(segments, ({ examples = 0 }) => 8 + 2 * (examples + 1) * (elements + 4)),
};

function planSum(planning: Planning): Dispatch[] {
  const { method, limits } = planning;
  return writesOf(planning.tensors, []).flatMap(({ tensors }) => {
    // A first round sets the sums, unless they go on; each later round adds to them.
    const rounds: Segment[][] = [];
    for (const tensor of tensors) addSegments(rounds, tensor, limits.maxBinding, method.examples ?? 1);
    return rounds.flatMap((segments, round) =>
      dispatchesOf(planning, segments, round > 0 || method.accumulate === true),
    );
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
          writingText(kernel, { ...multipliedTexts, "shared/entry": entry, "shared/clipped": clipped }, batch, lanes),
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
function addSegments(rounds: Segment[][], tensor: Tensor, maxBinding: number, examples: number): void {
  const pieceElements = pieceElementsOf(maxBinding);
  const { dtype, label } = tensor;
  const length = tensor.length / examples;
  const together = Math.max(1, Math.floor(pieceElements / length));
  for (let first = 0; first < length; first += pieceElements) {
    const part = Math.min(pieceElements, length - first);
    for (let example = 0, round = 0; example < examples; example += together, round++) {
      const count = Math.min(together, examples - example);
      const source = partOf(tensor.source, dtype, example * length + first, count * part);
      const target = tensor.into ?? (example > 0 ? tensor.source : undefined);
      const into = target && partOf(target, dtype, first, part);
      if (into && !tensor.into) refuseSharedWindow(into, source, label, examples);
      const segment = { dtype, source, into, piece: 0, group: example, firstElement: 0, label, examples: count };
      const same = rounds[round];
      if (same) same.push(segment);
      else rounds[round] = [segment];
    }
  }
}

/** Later examples are read from the buffer of the sum: both must fit into separate bindings. */
function refuseSharedWindow(into: Range, source: Range, label: string, examples: number): void {
  if (alignedUp(into.byteOffset + into.byteLength) <= alignedDown(source.byteOffset)) return;
  throw new RangeError(
    `${label} has ${examples} examples of ${into.byteLength} bytes and more, which no binding of the device holds together; pass an into in another buffer.`,
  );
}
