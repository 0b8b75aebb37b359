import kernel from "../../../shaders/finish_groups.wgsl?raw";
import entry from "../../../shaders/shared/entry.wgsl?raw";
import { floatBits } from "../../floats.ts";
import { globalRule } from "../../rules/global.ts";
import { remembersEach } from "../../rules/rule.ts";
import { struct } from "../../struct.ts";
import { READ } from "../layouts.ts";
import { decidingBindings, decidingText } from "./decide.ts";
import type { Dispatch, PartialRange, Pass, Planning } from "./pass.ts";

/** Decides for each group, and leaves partials of all groups together for finish. */
export const finishGroups: Pass = (planning) => [
  ...planTensorNorms(planning),
  ...(planning.groupCount > 0 ? planGroups(planning, "entries") : []),
];

/** As in shaders/finish_groups.wgsl. */
const LANES = 64;
const GROUPS_A_WORKGROUP = 8;
const bundleStruct = struct(
  "group",
  "rangesAt",
  "rangeCount",
  "parameterRangesAt",
  "parameterRangeCount",
  "weight",
  "traits",
);
const [ABSENT, INDEPENDENT, UNJUDGED] = [1, 2, 4];
const rangeStruct = struct("first", "each");
/** Each workgroup leaves one partial, and finish.wgsl reads all of them in a single workgroup. */
const MOST_WORKGROUPS = 256;

/** For tensorNorms. Each gradient is decided as by clipByNorm, and only its norm is used. */
function planTensorNorms(planning: Planning): Dispatch[] {
  const { tensorRuns, groupsOfTensors, method, options, searchedBy, gradients } = planning;
  if (tensorRuns.length === 0) return [];
  const alone = {
    ...planning,
    method: { ...method, rule: globalRule, grouping: searchedBy },
    options: { ...options, totalNorm: undefined },
    unjudged: [],
    groupRuns: tensorRuns,
    groupCount: tensorRuns.length,
  };
  const dispatches = planGroups(alone, "tensorNorms");
  planning.partialCount = alone.partialCount;
  planning.found = alone.found;
  for (const [i, range] of gradients.ranges.entries()) {
    gradients.ranges[i] = { ...range, group: groupsOfTensors[range.group] as number };
  }
  return dispatches;
}

function planGroups(planning: Planning, buffer: "entries" | "tensorNorms"): Dispatch[] {
  const { groupCount, groupRuns } = planning;
  // Where each norm is remembered, finish decides: this leaves the norms.
  const method = remembersEach(planning.method.rule) ? { ...planning.method, rule: globalRule } : planning.method;
  const blocks = Math.ceil(groupCount / GROUPS_A_WORKGROUP);
  const rounds = Math.ceil(blocks / MOST_WORKGROUPS);
  const workgroups = Math.ceil(blocks / rounds);
  planning.found = { first: planning.partialCount, count: workgroups };
  const inPart = planning.unjudged.length > 0;
  planning.partialCount += inPart ? 2 * workgroups : workgroups;
  return [
    {
      name: `finish groups ${method.norm.name} ${method.rule.name}${inPart ? " in part" : ""}`,
      source: () =>
        decidingText(kernel, method, LANES, { texts: { "shared/entry": entry }, conditions: { IN_PART: inPart } }),
      bindings: [
        { type: "storage", buffer: "partials" },
        { type: "storage", buffer },
        ...decidingBindings(planning, { bundleCount: groupRuns.length, rounds }),
        { type: READ, words: bundleTable(planning) },
      ],
      valuesFrom: 0,
      workgroups,
    },
  ];
}

/**
 * The head has for each bundle: its first group, the place and the number of its ranges of partials, the same for its parameter,
 * the bits of its weight, and its traits. The ranges follow: for each its first partial and the number of partials for each group.
 */
function bundleTable({ method, groupRuns: bundles, gradients, parameters, unjudged }: Planning): Uint32Array {
  const [own, owned] = [byGroup(gradients.ranges), byGroup(parameters.ranges)];
  const rangesStart = bundleStruct.words * bundles.length;
  const rangeCount = gradients.ranges.length + parameters.ranges.length;
  // Without gradients one group without partials is decided: it reads the first bundle, which is all 0.
  const words = new Uint32Array(Math.max(bundleStruct.words, rangesStart + rangeStruct.words * rangeCount));
  let next = rangesStart;
  const written = (found: readonly PartialRange[] = []) => {
    const place = { at: next, count: found.length };
    for (const { first, each } of found) {
      rangeStruct.write(words, next, { first, each });
      next += rangeStruct.words;
    }
    return place;
  };
  for (const [number, run] of bundles.entries()) {
    const { group, absent } = run;
    const ranges = written(own.get(group));
    const parameterRanges = written(owned.get(group));
    bundleStruct.write(words, bundleStruct.words * number, {
      group,
      rangesAt: ranges.at,
      rangeCount: ranges.count,
      parameterRangesAt: parameterRanges.at,
      parameterRangeCount: parameterRanges.count,
      weight: floatBits(method.rule.weight?.(run) ?? 0),
      traits:
        (absent ? ABSENT : 0) |
        (method.grouping.kind === "members" && !absent ? INDEPENDENT : 0) |
        (unjudged.includes(group) ? UNJUDGED : 0),
    });
  }
  return words;
}

function byGroup(ranges: readonly PartialRange[]): Map<number, PartialRange[]> {
  const groups = new Map<number, PartialRange[]>();
  for (const range of ranges) {
    const same = groups.get(range.group);
    if (same) same.push(range);
    else groups.set(range.group, [range]);
  }
  return groups;
}
