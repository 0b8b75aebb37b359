/** Plans without a device, and what they give to kernels. */
import { expect } from "vitest";
import { checkGradients, readGivenGradients } from "../../src/gradients.ts";
import type { ClipMethod, ClipOptions, GradientView } from "../../src/index.ts";
import { checkOptions } from "../../src/options.ts";
import type { Struct } from "../../src/struct.ts";
import type { Limits } from "../../src/webgpu/dispatches.ts";
import type { Dispatch } from "../../src/webgpu/passes/pass.ts";
import { planOf } from "../../src/webgpu/plan.ts";
import { tableHead } from "../../src/webgpu/table.ts";

export const LIMITS: Limits = {
  slots: 7,
  maxBinding: 2 ** 30,
  grid: { lanes: 8, minTiles: 1, normWorkgroups: 8, scaleWorkgroups: 8, finishLanes: 64 },
};

export function fakeBuffer(size = 2 ** 30): GPUBuffer {
  return { size, usage: 0x80, mapState: "unmapped", mapAsync() {} } as unknown as GPUBuffer;
}

export const view = (length: number, extras: Partial<GradientView> = {}): GradientView => ({
  buffer: fakeBuffer(),
  length,
  ...extras,
});

export function planned(
  method: ClipMethod,
  views: readonly GradientView[],
  options?: ClipOptions,
  limits: Partial<Limits> = {},
) {
  const list = checkGradients(readGivenGradients(views), method.examples);
  const { grouping } = method;
  const resolved = grouping.kind === "found" ? { ...method, grouping: grouping.among(list.declared) } : method;
  const { dispatches, partialCount } = planOf(resolved, checkOptions(options, method), list, { ...LIMITS, ...limits });
  const named = (begin: string) => dispatches.filter(({ name }) => name.startsWith(begin));
  return { dispatches, partialCount, named };
}

/** The words of a dispatch's own binding. */
export function wordsOf(dispatch: Dispatch | undefined, at = 0): Uint32Array {
  const binding = dispatch?.bindings[at];
  if (!binding || !("words" in binding)) throw new Error(`Binding ${at} has no words.`);
  return binding.words;
}

export function fieldsOf<F extends string>(
  { fields, read }: Struct<F>,
  words: Uint32Array,
  at = 0,
): Record<string, number> {
  return Object.fromEntries(fields.map((field) => [field, read(words, at, field)]));
}

export function rowsOf<F extends string>(struct: Struct<F>, dispatch: Dispatch | undefined): Record<string, number>[] {
  const words = wordsOf(dispatch);
  const count = tableHead.read(words, 0, "segmentCount");
  expect(words).toHaveLength(tableHead.words + struct.words * count);
  return Array.from({ length: count }, (_, row) => fieldsOf(struct, words, tableHead.words + struct.words * row));
}

export const headOf = (dispatch: Dispatch | undefined) => fieldsOf(tableHead, wordsOf(dispatch));

export function kindsOf({ bindings }: Dispatch): string[] {
  return bindings.map((binding) => ("buffer" in binding ? binding.buffer : "words" in binding ? "words" : "source"));
}
