/** The groups of the suite that could see a change of a shader, the cheapest first. */
const numbers = [
  "steps",
  "nonfinite",
  "semantics",
  "values",
  "norms",
  "boundary",
  "lapack",
  "counters",
  "softFloat",
  "peers",
];
const layouts = [
  "views",
  "neighbours",
  "tensors",
  "fuzz",
  "lengths",
  "patterns",
  "webgpuEncode",
  "webgpuPlans",
  "loops",
];
const others = ["tensorNorms", "members", "value", "perExample", "matrix", "units", "accuracy", "formats", "big"];

const groups: Readonly<Record<string, readonly string[]>> = {
  "shared/soft_float": ["softFloat", "boundary"],
  "shared/clipped": ["functions"],
  "shared/multiplied": ["functions"],
  "shared/units": ["functions"],
  formats: ["functions", "patterns", "formats"],
  words: ["functions", "steps", "formats"],
  clamp: ["value", "valueSteps", "loops", "matrix"],
  finish_groups: [
    "tensorNorms",
    "members",
    "groups",
    "absent",
    "skip",
    "adaptiveGradClip",
    "units",
    "perExample",
    "counters",
    "told",
    "memories",
  ],
  norms: ["norms", "matrix", "values", "lapack", "accuracy", "big"],
  "rules/ada": ["memories"],
  "shared/judge": ["skip"],
  "shared/memories": ["memories"],
  "shared/moved": ["memories", "adaptive"],
  skip_groups: ["skip"],
  skips: ["skip"],
  sum_examples: ["perExample", "matrix", "loops"],
  unit_norm: ["units", "adaptiveGradClip", "matrix", "loops"],
  "rules/agc": ["adaptiveGradClip"],
  "rules/auto": ["adaptive", "counters", "skip"],
  "rules/automatic": ["perExample"],
  "rules/groups": ["groups"],
  "rules/normalize": ["normalize", "matrix"],
  "rules/rms": ["tensorNorms", "matrix"],
  "rules/z": ["adaptive", "counters", "skip", "memories"],
  "scales/group": ["tensorNorms", "members", "groups", "absent"],
  "scales/unit": ["units", "adaptiveGradClip", "matrix"],
  "shared/difference": ["adaptive", "skip"],
  "shared/entry": ["tensorNorms", "members"],
};

/** What came with memories, skips and groups. */
const steered = [
  "groups",
  "absent",
  "skip",
  "told",
  "memories",
  "history",
  "combinations",
  "adaptive",
  "adaptiveGradClip",
];
const byDefault = [...numbers, ...layouts, ...others, ...steered];

export function groupsFor(file: string): readonly string[] {
  return groups[file] ?? groups[file.replace(/\/.*/, "")] ?? byDefault;
}

/** What a change of the host runs before the unit tests: the CPU's suite is over in seconds. */
export function hostRunsFor(file: string): readonly { engine: "cpu" | "node"; groups: readonly string[] }[] {
  const onCpu = { engine: "cpu" as const, groups: byDefault };
  const onGpu = { engine: "node" as const, groups: byDefault };
  if (file.startsWith("cpu/")) return [onCpu];
  return file.startsWith("webgpu/") ? [onGpu] : [onCpu, onGpu];
}
