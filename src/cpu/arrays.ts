import { type Bundle, bundlesOf, type Cut, cutsOf, parametersOf, partOf } from "../cuts.ts";
import type { Range, Tensor, TensorList } from "../gradients.ts";
import type { ClipMethod } from "../methods/method.ts";
import { distinctWrites } from "../overlaps.ts";
import { amount } from "../words.ts";
import { type Elements, elementsOf } from "./formats.ts";
import type { Part } from "./norm.ts";
import type { Write } from "./scale.ts";

/** The gradients of a clip as elements that the passes work on. */
export interface BoundArrays {
  readonly list: TensorList;
  readonly bundles: readonly Bundle[];
  readonly parts: readonly Part[];
  readonly parameters: readonly Part[];
  /** Each distinct pair once, those into other arrays first: in place overwrites what they read. */
  readonly writes: readonly Write[];
  readonly sums: readonly Sum[];
}

/** The examples of a gradient, and where their sum goes. */
export interface Sum {
  readonly examples: readonly Elements[];
  readonly into: Elements;
}

export function bindArrays(list: TensorList, { grouping, sum, usesParameters }: ClipMethod): BoundArrays {
  const { tensors } = list;
  const cuts = cutsOf(tensors, grouping, Infinity);
  const parts = cuts.map(partFor);
  const owned = usesParameters ? parametersOf(tensors) : [];
  const parameters = cutsOf(owned, grouping, Infinity).map(partFor);
  const common = { list, bundles: bundlesOf(tensors, grouping), parts, parameters };
  const written = distinctWrites(tensors);
  if (sum) return { ...common, writes: [], sums: written.map((tensor) => sumFor(tensor, sum.examples)) };
  return { ...common, writes: writesOf(written, cuts, parts), sums: [] };
}

function partFor(cut: Cut, rank: number): Part {
  return { elements: elementsFor(cut.tensor.source, cut), rank, group: cut.group, units: cut.units };
}

function elementsFor(range: Range, cut: Cut): Elements {
  return elementsOf(partOf(range, cut), cut.tensor.dtype);
}

function writesOf(written: readonly Tensor[], cuts: readonly Cut[], parts: readonly Part[]): Write[] {
  const byTensor = new Map<Tensor, Write[]>(written.map((tensor) => [tensor, []]));
  for (const [i, cut] of cuts.entries()) {
    const { elements: source, ...part } = parts[i] as Part;
    const into = cut.tensor.into ? elementsFor(cut.tensor.into, cut) : source;
    byTensor.get(cut.tensor)?.push({ ...part, source, into });
  }
  return [...byTensor.values()].flat();
}

function sumFor(tensor: Tensor, count: number): Sum {
  const length = tensor.length / count;
  const example = (range: Range, number: number) =>
    elementsFor(range, { tensor, first: number * length, length, group: 0 });
  return {
    examples: Array.from({ length: count }, (_, number) => example(tensor.source, number)),
    into: example(tensor.into ?? tensor.source, 0),
  };
}

export function refuseDetached({ tensors }: TensorList): void {
  for (const { label, length, source, into, parameter } of tensors) {
    for (const range of [source, into, parameter?.source]) {
      if (range && range.byteOffset + range.byteLength > (range.memory as ArrayBuffer).byteLength) {
        throw new TypeError(
          `${label} had ${amount(length, "element")}, but its memory was detached or resized; pass the arrays again.`,
        );
      }
    }
  }
}
