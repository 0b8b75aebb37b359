import type { ClipBackend, StepValues } from "../backend.ts";
import type { ClipMethod, Decider } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { ENTRY_BYTES, NAN_SEEN, RECORD_BYTES, SKIP } from "../record.ts";
import { bindArrays, type PreparedArrays } from "./arrays.ts";
import { type Decision, decide, finish, writeEntry } from "./finish.ts";
import { type Found, norm } from "./norm.ts";
import { type Scaling, scale } from "./scale.ts";

/** The passes on typed arrays, at once and in place. */
export function cpuBackend(method: ClipMethod, options: CheckedOptions, groupCount: number): ClipBackend {
  const { gradScale, totalNorm } = options;
  for (const [key, value] of Object.entries({ gradScale, totalNorm })) {
    if (typeof value === "object") {
      throw new TypeError(`options.${key} is a GPUBuffer, but the gradients are arrays; pass a number.`);
    }
  }
  const record = new DataView(new ArrayBuffer(RECORD_BYTES));
  const several = method.grouping.kind !== "all";
  const entries = new DataView(new ArrayBuffer(several ? ENTRY_BYTES * groupCount : 0));
  const state = "begin" in method.rule ? method.rule.begin() : undefined;
  const decider = state ?? unlessUnbounded(method.rule as Decider);
  return {
    ready: Promise.resolve(),
    pieceElements: Infinity,
    prepare: (list) => bindArrays(list, method),
    encode() {
      throw new TypeError("encode is for GPU buffers, but the gradients are arrays; call run instead.");
    },
    run(prepared, values) {
      const arrays = prepared as PreparedArrays;
      const { each, all } = search(arrays, method, groupCount, values);
      const settings = settingsOf(method, options, values, decider);
      const decisions = decideEach(each, arrays, settings);
      // A memory is asked once a step.
      const together = several ? decide(all, 0, 0, settings) : (decisions[0] as Decision);
      finish(record, all, together, several ? decisions : [], values.gradScale);
      if (several) {
        decisions.forEach((decision, group) => {
          writeEntry(entries, ENTRY_BYTES * group, decision, each[group]?.nonFinite ?? 0);
        });
      }
      if (options.apply === "scale") write(arrays, method, decisions);
    },
    state: state && { save: async () => state.save(), load: (saved) => state.load(saved) },
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

type Settings = Parameters<typeof decide>[3];

function settingsOf(
  method: ClipMethod,
  { nonFinite, totalNorm }: CheckedOptions,
  values: StepValues,
  decider: Decider,
): Settings {
  return { ...values, method, decider, nonFinite, totalNorm: totalNorm as number | undefined };
}

/** What the first pass finds; clamp writes at the same time. */
function search(
  { parts, writes }: PreparedArrays,
  { norm: kind, clamp, grouping }: ClipMethod,
  groupCount: number,
  { gradScale }: StepValues,
): { each: Found[]; all: Found } {
  if (clamp) {
    const all = clamp.run(writes, clamp.limits, gradScale);
    return { each: [all], all };
  }
  return norm(parts, groupCount, kind, grouping.kind === "units" ? grouping.kernels.norm : undefined);
}

function decideEach(each: readonly Found[], arrays: PreparedArrays, settings: Settings): Decision[] {
  const { rule, grouping, norm: kind } = settings.method;
  const weights = arrays.bundles.flatMap(({ count, valuesPerGroup: values }) =>
    Array<number>(count).fill(rule.weight?.(values) ?? 0),
  );
  const unitNorm = grouping.kind === "units" ? grouping.kernels.norm : undefined;
  const parameters = norm(arrays.parameters, each.length, kind, unitNorm).each;
  return each.map((found, group) => {
    const parameter = parameters[group] as Found;
    const parameterNorm = kind.norm(parameter.sum, parameter.largest);
    // A parameter without a norm gives no bound: that counts as a NaN among the gradients.
    const flags = found.flags | (parameter.flags ? NAN_SEEN : 0);
    return decide({ ...found, flags }, weights[group] ?? 0, parameterNorm, settings);
  });
}

function write({ writes, sums }: PreparedArrays, method: ClipMethod, decisions: readonly Decision[]): void {
  const scalings = decisions.map(({ scale, flags }): Scaling => ({ factor: scale, skip: (flags & SKIP) !== 0 }));
  for (const { examples, into } of sums) method.sum?.run(examples, into, scalings);
  if (method.clamp || method.maxNorm === undefined) return;
  for (const one of writes) {
    if (one.units && method.grouping.kind === "units") {
      method.grouping.kernels.scale(one, scalings.slice(one.group, one.group + one.units.count));
    } else {
      scale(one, scalings[one.group] as Scaling);
    }
  }
}
