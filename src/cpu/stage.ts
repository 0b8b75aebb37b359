import { type Cut, cutsOf, partOf } from "../cuts.ts";
import { distinctWrites, type Range, type Tensor, type TensorList } from "../gradients.ts";
import type { ClipMethod, Decider } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { ENTRY_BYTES, RECORD_BYTES, SKIP } from "../record.ts";
import type { Stage } from "../stage.ts";
import { type Decision, decide, finish, writeEntry } from "./finish.ts";
import { type Elements, elementsOf } from "./formats.ts";
import { norm, type Part } from "./norm.ts";
import { scale } from "./scale.ts";

/** The three passes on typed arrays, at once and in place. */
export function cpuStage(method: ClipMethod, options: CheckedOptions, groupCount: number): Stage {
  const { gradScale, totalNorm, nonFinite } = options;
  for (const [key, value] of Object.entries({ gradScale, totalNorm })) {
    if (typeof value === "object") {
      throw new TypeError(`options.${key} is a GPUBuffer, but the gradients are arrays; pass a number.`);
    }
  }
  const record = new DataView(new ArrayBuffer(RECORD_BYTES));
  const several = method.grouping.kind !== "all";
  const entries = new DataView(new ArrayBuffer(several ? ENTRY_BYTES * groupCount : 0));
  const memory = "begin" in method.rule ? method.rule.begin() : undefined;
  const decider = memory ?? unlessUnbounded(method.rule as Decider);
  const writes = options.apply === "scale" && method.maxNorm !== undefined;
  return {
    ready: Promise.resolve(),
    pieceElements: Infinity,
    bind: (list) => bindArrays(list, method),
    encode() {
      throw new TypeError("encode is for GPU buffers, but the gradients are arrays; call run instead.");
    },
    run(bound, values) {
      const { list, parts, writes: pairs } = bound as BoundArrays;
      refuseDetached(list);
      const { each, all } = norm(parts, groupCount, method.norm);
      const settings = {
        ...values,
        method,
        decider,
        nonFinite,
        totalNorm: totalNorm as number | undefined,
        largest: all.largest,
      };
      const weightOf = (group: number) => method.rule.weight?.(list.tensors[group]?.length ?? 0) ?? 0;
      const decisions = each.map((found, group) => decide(found, weightOf(group), 0, settings));
      // A memory is asked once a step.
      const together = several ? decide(all, 0, 0, settings) : (decisions[0] as Decision);
      finish(record, all, together, several ? decisions : [], values.gradScale);
      if (several) {
        decisions.forEach((decision, group) => {
          writeEntry(entries, ENTRY_BYTES * group, decision, each[group]?.nonFinite ?? 0);
        });
      }
      for (const { source, into, group } of writes ? pairs : []) {
        const { scale: factor, flags } = decisions[group] as Decision;
        scale(source, into, factor, (flags & SKIP) !== 0);
      }
    },
    memory: memory && { save: async () => memory.save(), load: (saved) => memory.load(saved) },
    async readRecord() {
      const copies = [new DataView(record.buffer.slice(0))];
      return several ? [...copies, new DataView(entries.buffer.slice(0))] : copies;
    },
    destroy() {},
  };
}

/** Whatever Infinity is multiplied with, it bounds nothing. */
function unlessUnbounded(rule: Decider): Decider {
  return { boundFor: (facts) => (facts.maxNorm === Infinity ? Infinity : rule.boundFor(facts)) };
}

interface BoundArrays {
  readonly list: TensorList;
  readonly parts: readonly Part[];
  /** Each distinct pair once, those into other arrays first: in place overwrites what they read. */
  readonly writes: readonly { readonly source: Elements; readonly into: Elements; readonly group: number }[];
}

function bindArrays(list: TensorList, { grouping }: ClipMethod): BoundArrays {
  const part = (range: Range, cut: Cut) => elementsOf(partOf(range, cut), cut.tensor.dtype);
  const cuts = cutsOf(list.tensors, grouping, Infinity);
  const parts = cuts.map((cut, rank) => ({ elements: part(cut.tensor.source, cut), rank, group: cut.group }));
  const cutsByTensor = new Map<Tensor, Cut[]>();
  for (const cut of cuts) {
    const known = cutsByTensor.get(cut.tensor);
    if (known) known.push(cut);
    else cutsByTensor.set(cut.tensor, [cut]);
  }
  const writes = distinctWrites(list.tensors).flatMap((tensor) =>
    (cutsByTensor.get(tensor) ?? []).map((cut) => ({
      source: part(tensor.source, cut),
      into: part(tensor.into ?? tensor.source, cut),
      group: cut.group,
    })),
  );
  return { list, parts, writes };
}

function refuseDetached({ tensors }: TensorList): void {
  for (const { label, length, source, into } of tensors) {
    for (const { memory, byteOffset, byteLength } of into ? [source, into] : [source]) {
      if (byteOffset + byteLength > (memory as ArrayBuffer).byteLength) {
        throw new TypeError(
          `${label} had ${length} elements, but its memory was detached or resized; pass the arrays again.`,
        );
      }
    }
  }
}
