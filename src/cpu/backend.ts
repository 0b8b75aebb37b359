import type { ClipBackend, Kept } from "../backend.ts";
import type { TensorList } from "../gradients.ts";
import { HISTORY_WORDS } from "../history.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { type GroupRun, groupCount } from "../pieces.ts";
import { CLIPPED, ENTRY_BYTES, INFINITY_SEEN, NAN_SEEN, RECORD_BYTES, recordAt, SKIP } from "../record.ts";
import { globalRule } from "../rules/global.ts";
import type { Decider, RuleState } from "../rules/rule.ts";
import type { SkipState } from "../skips/skip.ts";
import { bindArrays, type PreparedArrays } from "./arrays.ts";
import { type Decision, decide, finish, type NormSettings, normOf, type Settings, writeEntry } from "./finish.ts";
import type { CpuPasses, Search } from "./methodPasses.ts";
import { type Found, nothing, regrouped } from "./norm.ts";
import type { Scaling } from "./scale.ts";
import type { judgedOnCpu } from "./skip.ts";

const FAULTS = NAN_SEEN | INFINITY_SEEN;
const BAD = FAULTS | SKIP;

interface KeptOnCpu extends Kept {
  readonly bytes: DataView;
  readonly rows: Uint32Array;
  readonly skipState: SkipState | undefined;
}

function begin({ rule }: ClipMethod, { skip, history = 0 }: CheckedOptions, groups: number): KeptOnCpu {
  const ruleState = "begin" in rule ? rule.begin(groups) : undefined;
  const bytes = new DataView(new ArrayBuffer(RECORD_BYTES));
  return { bytes, rows: new Uint32Array(HISTORY_WORDS * history), ruleState, skipState: skip?.begin(ruleState) };
}

/** Runs the passes on typed arrays, immediately and in place. */
export function cpuBackend(
  method: ClipMethod,
  options: CheckedOptions,
  { declared }: TensorList,
  given?: Kept,
): ClipBackend {
  const { gradScale, totalNorm } = options;
  for (const [key, value] of Object.entries({ gradScale, totalNorm })) {
    if (typeof value === "object") {
      throw new TypeError(`options.${key} is a GPUBuffer, but the gradients are arrays; pass a number.`);
    }
  }
  const groups = groupCount(declared, method.grouping);
  const kept = (given as KeptOnCpu | undefined) ?? begin(method, options, groups);
  const { bytes: record, rows, ruleState, skipState } = kept;
  const several = method.grouping.kind !== "all";
  const entries = new DataView(new ArrayBuffer(several ? ENTRY_BYTES * groups : 0));
  const tensorNorms = new DataView(new ArrayBuffer(options.tensorNorms ? ENTRY_BYTES * declared.length : 0));
  const memory = skipState?.memory ?? ruleState;
  const passes = method.passes.cpu as CpuPasses;
  const judgedOf = options.skip?.passes.cpu as typeof judgedOnCpu | undefined;
  const decider = ruleState ?? unlessUnbounded(method.rule as Decider);
  const isSpike = (found: Search, { unjudged }: PreparedArrays, settings: NormSettings) => {
    const judged = unjudged && judgedOf?.(found, unjudged);
    return judged !== undefined && skipState?.isSpike(normOf(judged, settings)) === true;
  };
  return {
    ready: Promise.resolve(),
    kept,
    flags: () => record.getUint32(recordAt.flags, true),
    pieceElements: Infinity,
    prepare: (list) => bindArrays(list, method, options),
    encode() {
      throw new TypeError("encode is for GPU buffers, but the gradients are arrays; call run instead.");
    },
    run(prepared, values) {
      const arrays = prepared as PreparedArrays;
      const { groupsOfTensors } = arrays;
      const step = { ...values, method, totalNorm: totalNorm as number | undefined };
      const alone = passes.search(arrays, method, options.tensorNorms ? declared.length : groups, values.gradScale);
      const found = groupsOfTensors ? { ...alone, each: eachOf(alone, groupsOfTensors, several, groups) } : alone;
      const settings = { ...step, decider, nonFinite: options.nonFinite, isSpike: isSpike(found, arrays, step) };
      // The rule's loss may throw: nothing has been written so far.
      if (groupsOfTensors) writeNorms(tensorNorms, alone.each, arrays, { ...step, totalNorm: undefined });
      const { together, each } = decideStep(found, arrays, settings, ruleState, several);
      const norms = several ? each : [];
      finish(record, found.all, together, norms, values.gradScale, method.grouping.kind === "members");
      if (rows.length > 0) keepStep(rows, new Uint32Array(record.buffer));
      for (const [group, decision] of norms.entries()) {
        writeEntry(entries, ENTRY_BYTES * group, decision);
      }
      if (options.apply === "scale") passes.write?.(arrays, each.map(scalingOf), method);
    },
    state: memory?.savedBytes ? { save: async () => memory.save(), load: (saved) => memory.load(saved) } : undefined,
    async readRecord() {
      const views = [record, ...(several ? [entries] : []), ...(options.tensorNorms ? [tensorNorms] : [])];
      return views.map(({ buffer }) => new DataView(buffer.slice(0)));
    },
    readHistory: async () => new DataView(rows.slice().buffer),
    destroy() {},
  };
}

/** Keeps the record of a step in the place of the oldest, as shaders/finish.wgsl does. */
function keepStep(rows: Uint32Array, record: Uint32Array): void {
  const [bound, steps] = [recordAt.maxNorm, recordAt.steps].map((at) => record[at / 4] as number) as [number, number];
  rows.set([...record.subarray(0, 6), bound, steps], (HISTORY_WORDS * steps) % rows.length);
}

/** A maxNorm of Infinity gives a bound of Infinity, under every rule without a memory. */
function unlessUnbounded(rule: Decider): Decider {
  return { boundFor: (facts) => (facts.maxNorm === Infinity ? Infinity : rule.boundFor(facts)) };
}

/** The findings by group, of gradients that were searched one by one. */
function eachOf({ each, all }: Search, groupsOfTensors: readonly number[], several: boolean, groups: number): Found[] {
  // Without groups everything has been added up: sums that are relative to different magnitudes do not add up.
  return several ? regrouped(each, groups, groupsOfTensors) : [all];
}

/** Decides on everything together and on each norm. */
function decideStep(
  found: Search,
  arrays: PreparedArrays,
  given: Settings,
  ruleState: RuleState | undefined,
  several: boolean,
): { readonly together: Decision; readonly each: readonly Decision[] } {
  // A step without gradients changes no memory.
  const isEmpty = arrays.parts.length === 0 && given.totalNorm === undefined;
  const settings = isEmpty && ruleState ? { ...given, decider: globalRule as Decider } : given;
  if (!several) {
    const each = decideEach(found, arrays, settings);
    return { together: each[0] as Decision, each };
  }
  const verdict = decide(found.all, 0, 0, settings);
  const warmUp = isEmpty || given.isSpike ? undefined : ruleState?.warmUp;
  const each = decideEach(found, arrays, settings, warmUp && verdict);
  if ((verdict.flags & BAD) === 0) warmUp?.(each.map(({ norm }) => norm * clipOf(verdict)));
  // Each norm has its own bound, and its own scale unless the whole step is skipped.
  const isSkipped = given.isSpike || (warmUp !== undefined && (verdict.flags & SKIP) !== 0);
  return { together: { ...verdict, bound: Number.NaN, scale: isSkipped ? 0 : Number.NaN }, each };
}

/** What a clip has left of a norm. */
function clipOf({ flags, bound, norm }: Decision): number {
  return (flags & CLIPPED) === 0 ? 1 : bound / norm;
}

/** @param shared what all norms go by, in place of their own. */
function decideEach(found: Search, arrays: PreparedArrays, settings: Settings, shared?: Decision): Decision[] {
  const { rule, norm: kind } = settings.method;
  const runs = arrays.bundles.flatMap((run) => Array<GroupRun>(run.count).fill(run));
  return found.each.map((mine, group) => {
    const run = runs[group];
    if (run?.absent) return { norm: Number.NaN, scale: 1, flags: 0, bound: Infinity };
    if (shared) {
      const flags = (mine.flags & FAULTS) | (shared.flags & (CLIPPED | SKIP));
      return { ...shared, norm: normOf(mine, settings), flags };
    }
    const parameter = found.parameters[group] ?? nothing();
    const parameterNorm = kind.norm(parameter.sum, parameter.largest);
    // A parameter with a NaN or an infinity gives no bound: that counts as a NaN among the gradients.
    const flags = mine.flags | (parameter.flags ? NAN_SEEN : 0);
    return decide({ ...mine, flags }, (run && rule.weight?.(run)) ?? 0, parameterNorm, {
      ...settings,
      normNumber: group,
    });
  });
}

/** Gradients that were searched one by one. */
function writeNorms(norms: DataView, each: readonly Found[], { parts }: PreparedArrays, settings: NormSettings): void {
  const write = (gradient: number, norm: number) =>
    writeEntry(norms, ENTRY_BYTES * gradient, { norm, scale: 1, flags: 0, bound: 0 });
  for (const gradient of each.keys()) write(gradient, Number.NaN);
  for (const { group: gradient } of parts) write(gradient, normOf(each[gradient] as Found, settings));
}

function scalingOf({ scale, flags }: Decision): Scaling {
  return { factor: scale, skip: (flags & SKIP) !== 0 };
}
