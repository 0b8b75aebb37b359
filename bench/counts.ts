import { checkGradients, type Gradients, readGivenGradients } from "../src/gradients.ts";
import { type ClipMethod, type ClipOptions, clipByGlobalNorm } from "../src/index.ts";
import type { DeviceContext } from "../src/webgpu/device.ts";
import { WORD_BYTES } from "../src/webgpu/kernels.ts";
import { capacityOf } from "../src/webgpu/layouts.ts";
import { type Plan, planFor } from "../src/webgpu/plan.ts";
import { segmentAt, tableHead, tableSegment } from "../src/webgpu/table.ts";

/** What one step does, counted from the tables that its dispatches are given; bytes are those of gradients. */
export interface Counts {
  readonly dispatches: number;
  /** Read by the norm pass: all that a step touches when it is under its bound. */
  readonly normReads: number;
  /** Read by the scale pass when it has to multiply, and as many are written. */
  readonly scaleReads: number;
}

export function countsOf({ norm, scale }: Plan): Counts {
  const bytes = (dispatches: Plan["norm"]) =>
    dispatches.reduce((sum, { table, format }) => sum + wordsIn(table) * WORD_BYTES[format.word], 0);
  return { dispatches: norm.length + 1 + scale.length, normReads: bytes(norm), scaleReads: bytes(scale) };
}

export function countsFor(
  gradients: Gradients,
  context: DeviceContext,
  method: ClipMethod = clipByGlobalNorm(1),
  { apply = "scale" }: ClipOptions = {},
): Counts {
  const { grouping, norm, usesParameters: parameters = false } = method;
  const task = { grouping, writes: apply === "scale", parameters, power: norm.fixedPower };
  const { tensors } = checkGradients(readGivenGradients(gradients));
  return countsOf(planFor(tensors, { ...context, ...capacityOf(context, "norm") }, task));
}

function wordsIn(table: Uint32Array): number {
  let words = 0;
  for (let number = 0; number < tableHead.read(table, 0, "segmentCount"); number++) {
    words += tableSegment.read(table, segmentAt(number), "count");
  }
  return words;
}
