import type { ClipBackend, Kept } from "../backend.ts";
import type { TensorList } from "../gradients.ts";
import { HISTORY_WORDS } from "../history.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { type GroupRun, groupCount } from "../pieces.ts";
import { CLIPPED, ENTRY_BYTES, INFINITY_SEEN, NAN_SEEN, RECORD_BYTES, recordAt, SKIP, SPIKE } from "../record.ts";
import { globalRule } from "../rules/global.ts";
import type { Decider } from "../rules/rule.ts";
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
  const norms = new DataView(new ArrayBuffer(options.tensorNorms ? ENTRY_BYTES * declared.length : 0));
  const memory = skipState?.memory ?? ruleState;
  const passes = method.passes.cpu as CpuPasses;
  const judgedOf = options.skip?.passes.cpu as typeof judgedOnCpu | undefined;
  const givenNorm = totalNorm as number | undefined;
  const decider = ruleState ?? unlessUnbounded(method.rule as Decider);
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
      const { told, unjudged } = arrays;
      const found = passes.search(arrays, method, options.tensorNorms ? declared.length : groups, values.gradScale);
      const { all } = found;
      // Without groups everything has been added up: sums that are relative to different magnitudes do not add up.
      const each = !told ? found.each : several ? regrouped(found.each, groups, told) : [all];
      // A step without gradients changes no memory. A step in which nothing is scaled does not enter the skip window.
      const isEmpty = arrays.parts.length === 0 && givenNorm === undefined;
      const decides = isEmpty && ruleState ? (globalRule as Decider) : decider;
      const judged = unjudged && judgedOf?.({ ...found, each }, unjudged);
      const isSpike =
        judged !== undefined &&
        skipState?.isSpike(normOf(judged, { method, totalNorm: givenNorm, ...values })) === true;
      if (told) writeNorms(norms, found.each, arrays, { method, totalNorm: undefined, ...values });
      const settings = {
        ...values,
        method,
        decider: decides,
        nonFinite: options.nonFinite,
        totalNorm: givenNorm,
        isSpike,
      };
      const warmUp = isEmpty || isSpike ? undefined : ruleState?.warmUp;
      const verdict = several ? decide(all, 0, 0, settings) : undefined;
      const decisions = decideEach({ ...found, each }, arrays, { ...settings, shared: warmUp && verdict });
      if (verdict && (verdict.flags & BAD) === 0) warmUp?.(decisions.map(({ norm }) => norm * clipOf(verdict)));
      const isWhole = isSpike || (warmUp && ((verdict?.flags ?? 0) & SKIP) !== 0);
      const together = verdict ? severalAs(verdict, isWhole === true) : (decisions[0] as Decision);
      finish(record, all, together, several ? decisions : [], values.gradScale, method.grouping.kind === "members");
      if (rows.length > 0) keepStep(rows, new Uint32Array(record.buffer));
      if (several) {
        decisions.forEach((decision, group) => {
          writeEntry(entries, ENTRY_BYTES * group, decision, each[group]?.nonFinite ?? 0);
        });
      }
      if (options.apply === "scale") passes.write?.(arrays, decisions.map(scalingOf), method);
    },
    state: memory?.savedBytes ? { save: async () => memory.save(), load: (saved) => memory.load(saved) } : undefined,
    async readRecord() {
      const views = [record, ...(several ? [entries] : []), ...(options.tensorNorms ? [norms] : [])];
      return views.map(({ buffer }) => new DataView(buffer.slice(0)));
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

/** What the record has where there are several norms: each has its own bound, and its own scale unless the whole step is skipped. */
function severalAs(verdict: Decision, isSkipped: boolean): Decision {
  return { ...verdict, bound: Number.NaN, scale: isSkipped ? 0 : Number.NaN };
}

/** What a clip has left of a norm. */
function clipOf({ flags, bound, norm }: Decision): number {
  return (flags & CLIPPED) === 0 ? 1 : bound / norm;
}

/** @param settings.shared what all norms go by, in place of their own. */
function decideEach(
  found: Search,
  arrays: PreparedArrays,
  settings: Settings & { readonly shared: Decision | undefined },
): Decision[] {
  const { rule, norm: kind } = settings.method;
  const { shared } = settings;
  const runs = arrays.bundles.flatMap((run) => Array<GroupRun>(run.count).fill(run));
  return found.each.map((mine, group) => {
    const run = runs[group];
    if (run?.absent) {
      const [scale, flags] = settings.isSpike ? [0, SKIP | SPIKE] : [1, 0];
      return { norm: Number.NaN, scale, flags, bound: Infinity };
    }
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
    writeEntry(norms, ENTRY_BYTES * gradient, { norm, scale: 1, flags: 0, bound: 0 }, 0);
  for (const gradient of each.keys()) write(gradient, Number.NaN);
  for (const { group: gradient } of parts) write(gradient, normOf(each[gradient] as Found, settings));
}

function scalingOf({ scale, flags }: Decision): Scaling {
  return { factor: scale, skip: (flags & SKIP) !== 0 };
}
