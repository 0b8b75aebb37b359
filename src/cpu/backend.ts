import type { ClipBackend } from "../backend.ts";
import { HISTORY_WORDS } from "../history.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { type GroupRun, measuredIn } from "../pieces.ts";
import { ENTRY_BYTES, NAN_SEEN, RECORD_BYTES, recordAt, SKIP, SPIKE } from "../record.ts";
import { globalRule } from "../rules/global.ts";
import type { Decider } from "../rules/rule.ts";
import { bindArrays, type PreparedArrays } from "./arrays.ts";
import { type Decision, decide, finish, normOf, type Settings, writeEntry } from "./finish.ts";
import type { CpuPasses, Search } from "./methodPasses.ts";
import { nothing, sumOf } from "./norm.ts";
import type { Scaling } from "./scale.ts";

/** Runs the passes on typed arrays, immediately and in place. */
export function cpuBackend(method: ClipMethod, options: CheckedOptions, groupCount: number): ClipBackend {
  const { gradScale, totalNorm, skip } = options;
  for (const [key, value] of Object.entries({ gradScale, totalNorm })) {
    if (typeof value === "object") {
      throw new TypeError(`options.${key} is a GPUBuffer, but the gradients are arrays; pass a number.`);
    }
  }
  const record = new DataView(new ArrayBuffer(RECORD_BYTES));
  const several = method.grouping.kind !== "all";
  const entries = new DataView(new ArrayBuffer(several ? ENTRY_BYTES * groupCount : 0));
  const rows = new Uint32Array(HISTORY_WORDS * (options.history ?? 0));
  const ruleState = "begin" in method.rule ? method.rule.begin() : undefined;
  const skipState = skip?.begin(ruleState);
  const memory = skipState?.memory ?? ruleState;
  const passes = method.passes.cpu as CpuPasses;
  const measured = measuredIn(method.grouping);
  const given = totalNorm as number | undefined;
  const decider = ruleState ?? unlessUnbounded(method.rule as Decider);
  return {
    ready: Promise.resolve(),
    pieceElements: Infinity,
    prepare: (list) => bindArrays(list, method),
    encode() {
      throw new TypeError("encode is for GPU buffers, but the gradients are arrays; call run instead.");
    },
    run(prepared, values) {
      const arrays = prepared as PreparedArrays;
      const found = passes.search(arrays, method, groupCount, values.gradScale);
      const { each, all } = found;
      // A step without any gradient enters no memory, and one without any that is scaled enters no window.
      const isEmpty = arrays.parts.length === 0 && given === undefined;
      const decides = isEmpty && ruleState ? (globalRule as Decider) : decider;
      // A parameter that is not finite makes the step so.
      const scaled = measured.length === 0 ? all : sumOf(each.filter((_, group) => !measured.includes(group)));
      const judged = { ...scaled, flags: scaled.flags | (found.parameters.some(({ flags }) => flags) ? NAN_SEEN : 0) };
      const isLeft = given === undefined && !arrays.parts.some(({ group }) => !measured.includes(group));
      const isSpike = !isLeft && skipState?.isSpike(normOf(judged, { method, totalNorm: given, ...values })) === true;
      const settings = { ...values, method, decider: decides, nonFinite: options.nonFinite, totalNorm: given, isSpike };
      const decisions = decideEach(found, arrays, settings);
      // A rule with a memory decides once a step.
      const together = several ? { ...decide(all, 0, 0, settings), bound: Number.NaN } : (decisions[0] as Decision);
      finish(record, all, together, several ? decisions : [], values.gradScale, method.grouping.kind === "members");
      if (rows.length > 0) keepStep(rows, new Uint32Array(record.buffer));
      if (several) {
        decisions.forEach((decision, group) => {
          writeEntry(entries, ENTRY_BYTES * group, decision, each[group]?.nonFinite ?? 0);
        });
      }
      if (options.apply === "scale") passes.write?.(arrays, decisions.map(scalingOf));
    },
    state: memory?.savedBytes ? { save: async () => memory.save(), load: (saved) => memory.load(saved) } : undefined,
    async readRecord() {
      const copies = [new DataView(record.buffer.slice(0))];
      return several ? [...copies, new DataView(entries.buffer.slice(0))] : copies;
    },
    readHistory: async () => new DataView(rows.slice().buffer),
    destroy() {},
  };
}

/** Keeps the record of a step in the place of the oldest, as shaders/finish.wgsl does. */
function keepStep(rows: Uint32Array, record: Uint32Array): void {
  const [bound, steps] = [recordAt.maxNorm, recordAt.steps].map((at) => record[at / 4] as number) as [number, number];
  rows.set([...record.subarray(0, 6), bound, steps], (HISTORY_WORDS * (steps - 1)) % rows.length);
}

/** A maxNorm of Infinity gives a bound of Infinity, under every rule without a memory. */
function unlessUnbounded(rule: Decider): Decider {
  return { boundFor: (facts) => (facts.maxNorm === Infinity ? Infinity : rule.boundFor(facts)) };
}

function decideEach(found: Search, arrays: PreparedArrays, settings: Settings): Decision[] {
  const { rule, norm: kind } = settings.method;
  const runs = arrays.bundles.flatMap((run) => Array<GroupRun>(run.count).fill(run));
  return found.each.map((mine, group) => {
    const run = runs[group];
    if (run?.absent) {
      const [scale, flags] = settings.isSpike ? [0, SKIP | SPIKE] : [1, 0];
      return { norm: Number.NaN, scale, flags, bound: Infinity };
    }
    const parameter = found.parameters[group] ?? nothing();
    const parameterNorm = kind.norm(parameter.sum, parameter.largest);
    // A parameter with a NaN or an infinity gives no bound: that counts as a NaN among the gradients.
    const flags = mine.flags | (parameter.flags ? NAN_SEEN : 0);
    return decide({ ...mine, flags }, (run && rule.weight?.(run)) ?? 0, parameterNorm, settings);
  });
}

function scalingOf({ scale, flags }: Decision): Scaling {
  return { factor: scale, skip: (flags & SKIP) !== 0 };
}
