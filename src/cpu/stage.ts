import { distinctWrites, type TensorList } from "../gradients.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { RECORD_BYTES, recordAt, SKIP } from "../record.ts";
import type { Stage } from "../stage.ts";
import { finish } from "./finish.ts";
import { type Elements, elementsOf } from "./formats.ts";
import { norm } from "./norm.ts";
import { scale } from "./scale.ts";

/** The three passes on typed arrays, at once and in place. */
export function cpuStage(method: ClipMethod, options: CheckedOptions): Stage {
  const { gradScale, totalNorm } = options;
  for (const [key, value] of Object.entries({ gradScale, totalNorm })) {
    if (typeof value === "object") {
      throw new TypeError(`options.${key} is a GPUBuffer, but the gradients are arrays; pass a number.`);
    }
  }
  const record = new DataView(new ArrayBuffer(RECORD_BYTES));
  return {
    ready: Promise.resolve(),
    pieceElements: Infinity,
    bind: bindArrays,
    encode() {
      throw new TypeError("encode is for GPU buffers, but the gradients are arrays; call run instead.");
    },
    run(bound, values) {
      const arrays = bound as BoundArrays;
      refuseDetached(arrays);
      const found = norm(arrays.sources, method.norm);
      const factor = finish(record, found, { ...settingsOf(method, options), ...values });
      if (options.apply === "record" || method.maxNorm === undefined) return;
      const skip = (record.getUint32(recordAt.flags, true) & SKIP) !== 0;
      for (const { source, into } of arrays.writes) scale(source, into, factor, skip);
    },
    readRecord: async () => new DataView(record.buffer.slice(0)),
    destroy() {},
  };
}

interface BoundArrays {
  readonly list: TensorList;
  readonly sources: readonly Elements[];
  /** Each distinct pair once, those into other arrays first: in place overwrites what they read. */
  readonly writes: readonly { readonly source: Elements; readonly into: Elements }[];
}

function settingsOf(method: ClipMethod, options: CheckedOptions) {
  return {
    method,
    nonFinite: options.nonFinite,
    totalNorm: typeof options.totalNorm === "number" ? options.totalNorm : undefined,
  };
}

function bindArrays(list: TensorList): BoundArrays {
  const sources = list.tensors.map((tensor) => elementsOf(tensor.source, tensor.dtype));
  const writes = distinctWrites(list.tensors).map((tensor) => {
    const source = elementsOf(tensor.source, tensor.dtype);
    return { source, into: tensor.into ? elementsOf(tensor.into, tensor.dtype) : source };
  });
  return { list, sources, writes };
}

function refuseDetached({ list, sources }: BoundArrays): void {
  list.tensors.forEach((tensor, i) => {
    if (sources[i]?.stored.length !== tensor.length) {
      throw new TypeError(
        `${tensor.label} had ${tensor.length} elements, but its memory was detached or resized; pass the arrays again.`,
      );
    }
  });
}
