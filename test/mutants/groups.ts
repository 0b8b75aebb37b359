/** The groups of the suite that could see a change of a file, the cheapest first. Groups of heavy cases alone are left out. */
const numbers = ["semantics", "steps", "nonfinite", "values", "norms", "boundary", "lapack", "counters", "softFloat"];
const layouts = ["views", "neighbours", "lengths", "tensors", "patterns", "formats", "fuzz"];
const others = ["tensorNorms", "members", "value", "perExample", "units", "matrix", "accuracy", "webgpuEncode"];
const deciding = ["tensorNorms", "members", "groups", "absent", "skip", "adaptiveGradClip", "told", "memories"];
/** Deciding kernels as functions: one pipeline, many inputs. */
const asFunctions = ["deciding", "decidingEach"];

/** A file, or a folder. What is called directly needs no more, but for constants that others use. */
const groups: Readonly<Record<string, readonly string[]>> = {
  "shared/soft_float": ["softFloat", "boundary"],
  "shared/clipped": ["functions"],
  "shared/multiplied": ["functions"],
  "shared/bits": ["functions"],
  "shared/units": ["functions"],
  formats: ["functions", "patterns", "formats"],
  words: ["functions", "steps", "formats", "widened"],
  clamp: ["clamping", "value", "valueSteps", "matrix"],
  finish: [
    ...asFunctions,
    "semantics",
    "steps",
    "counters",
    "nonfinite",
    "told",
    "skip",
    "history",
    "memories",
    "tensorNorms",
    "big",
  ],
  finish_groups: ["decidingGroups", ...deciding],
  norm: [
    "summing",
    "semantics",
    "patterns",
    "nonfinite",
    "lengths",
    "views",
    "values",
    "lapack",
    "tensors",
    "formats",
    "accuracy",
  ],
  "norms/lp_root": ["powers", "norms"],
  "norms/lp_terms": ["powers", "norms"],
  norms: ["summing", "norms", "values", "lapack", "accuracy", "matrix"],
  scale: [
    "multiplying",
    "scaling",
    "semantics",
    "patterns",
    "formats",
    "views",
    "lengths",
    "values",
    "neighbours",
    "tensors",
    "units",
    "fuzz",
  ],
  skip_groups: ["decidingGroups", "skip"],
  "skips/above": ["deciding", "skip"],
  "skips/spikes": ["barriers", "spikes", "skip"],
  sum_examples: ["summingExamples", "perExample", "matrix"],
  unit_norm: ["summingUnits", "units", "adaptiveGradClip", "matrix"],
  "rules/ada": ["decidingEach", "memories"],
  "rules/agc": ["decidingGroups", "adaptiveGradClip"],
  "rules/auto": ["barriers", "remembering", "adaptive", "counters", "skip"],
  "rules/automatic": ["perExample"],
  "rules/groups": ["groups"],
  "rules/normalize": ["normalize", "matrix"],
  "rules/rms": ["tensorNorms", "matrix"],
  "rules/z": ["remembering", "adaptive", "counters", "skip", "memories"],
  "scales/group": ["multiplying", "tensorNorms", "members", "groups", "absent"],
  "scales/unit": ["multiplying", "scaling", "units", "adaptiveGradClip", "matrix"],
  "shared/decide": [
    ...asFunctions,
    "semantics",
    "boundary",
    "nonfinite",
    "steps",
    "norms",
    "normalize",
    "skip",
    ...deciding,
  ],
  "shared/difference": ["remembering", "spikes", "adaptive", "skip", "memories"],
  "shared/entry": ["tensorNorms", "members"],
  "shared/exact": ["partials", "semantics", "values", "lapack", "nonfinite", "accuracy", "patterns", "norms"],
  "shared/fold": [
    "barriers",
    "decidingGroups",
    "summing",
    "summingUnits",
    "steps",
    "lengths",
    "tensorNorms",
    "skip",
    "units",
    "nonfinite",
  ],
  "shared/judge": ["barriers", ...asFunctions, "skip", "combinations"],
  "shared/memories": ["barriers", "decidingEach", "memories", "skip"],
  "shared/moved": ["remembering", "memories", "adaptive"],
  "shared/partial": ["partials", "deciding", "nonfinite", "semantics", "tensors", "lapack", "units"],
  "shared/spans": ["tiles", "semantics", "patterns", "lengths", "views", "nonfinite", "formats", "tensors"],
  "shared/store": ["summing", "tensors", "neighbours", "formats"],
  "shared/table": ["tiles", "tensors", "neighbours", "formats"],
  "shared/unaligned": [
    "tiles",
    "multiplying",
    "summing",
    "summingExamples",
    "perExample",
    "patterns",
    "formats",
    "value",
  ],
  "shared/widened": ["widened"],
  "shared/unaligned_targets": ["tiles", "multiplying", "formats", "patterns", "value"],
};

/** Groups that call functions of the shaders, each in one pipeline: many mutants share it. */
const direct = [
  ...asFunctions,
  "clamping",
  "decidingGroups",
  "functions",
  "multiplying",
  "partials",
  "powers",
  "remembering",
  "scaling",
  "softFloat",
  "spikes",
  "summing",
  "summingExamples",
  "summingUnits",
  "tiles",
];

/** Those of them that could see a change of a file. */
export function directGroupsFor(file: string): readonly string[] {
  return groupsFor(file).filter((group) => direct.includes(group));
}

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
const byDefault = [...numbers, ...layouts, ...others, ...steered, "webgpuPlans", "peers", "big"];

export function groupsFor(file: string): readonly string[] {
  return groups[file] ?? groups[file.replace(/\/.*/, "")] ?? byDefault;
}

const planning = ["neighbours", "tensors", "views", "formats", "valueSteps", "value", "perExample", "units", "fuzz"];

type HostRun = "unit tests" | { readonly engine: "cpu" | "node"; readonly groups: readonly string[] };

/** Their unit tests need no device. */
const planner = /^(overlaps|webgpu\/(segments|windows|dispatches|plan|table|alignment|loopLimit|format))/;
/** What a change of the host runs, the cheapest first. */
export function hostRunsFor(file: string): readonly HostRun[] {
  // What the shader's twin runs, and for what has none what was steered.
  const twin = groups[file.replace(/^cpu\/|\.ts$/g, "")] ?? steered;
  const onCpu = { engine: "cpu" as const, groups: [...new Set([...twin, ...byDefault])] };
  const onGpu = { engine: "node" as const, groups: [...new Set([...planning, ...byDefault])] };
  // The suite has a device of its own, which gets no self-test.
  if (/^(adapters|webgpu\/selfTest)/.test(file)) return ["unit tests"];
  if (file.startsWith("cpu/")) return ["unit tests", onCpu];
  return file.startsWith("webgpu/") || file.startsWith("overlaps")
    ? ["unit tests", onGpu]
    : ["unit tests", onCpu, onGpu];
}

/** Without a device, or on one that only takes notes. */
const noted = ["notedCalls", "notedFaults", "clipCalls"];
const plans = ["segments", "dispatches", "windows", "plan", "longLists"];
const lists = [
  "views",
  "pieces",
  "ranges",
  "units",
  "gradients",
  "taken",
  "names",
  "absent",
  "groups",
  "errors",
  "words",
  "overlaps",
];
const calls = [
  "optionsRead",
  "methods",
  "options",
  "methodTable",
  "normalize",
  "clipByValue",
  "adaptive",
  "skip",
  "errors",
  "words",
];
const steps = [
  "decoded",
  "report",
  "record",
  "readRecord",
  "readOnce",
  "recent",
  "history",
  "lifecycle",
  "leftovers",
  "goesOn",
];
const devices = ["fallback", "loss", "deviceLoss", "selfTest", "arena", "dynamicOffsets", "lifecycle", "leftovers"];

/** Unit tests that could see a change of these files. What needs a build or a browser is left out. */
const unitTests: readonly (readonly [files: RegExp, names: readonly string[]])[] = [
  [/^overlaps/, ["overlaps", "windows", "errors", "longLists"]],
  [planner, [...plans, "struct", "overlaps", "arena"]],
  [/^webgpu\/(template|wgslNames|realNames)/, ["realNames", "shaderText", ...plans, "fallback"]],
  [/^webgpu\/passes/, ["passes", "passTables", "unitTables", ...plans, "struct", "shaderText", ...noted, ...steps]],
  [/^webgpu\/selfTest/, ["selfTest", "lyingKernels", "fallback"]],
  [/^webgpu/, [...noted, "passes", ...devices, "compatibility", "compiling", ...plans]],
  [/^check/, ["check", ...calls, ...lists]],
  [/^(gradients|ranges|view|pieces|requirements|units|source)/, [...lists, ...calls, ...plans]],
  [
    /^(methods|norms|rules|skips|options|floats|struct|remembered)/,
    ["memories", "methodParts", "skipRules", "cpuSteps", ...calls, "methodExamples", "struct", "groups"],
  ],
  [
    /^cpu/,
    [
      "cpuPasses",
      "cpuFormats",
      "cpuSteps",
      "methodParts",
      "decoded",
      "optionsRead",
      "ranges",
      "record",
      "taken",
      "gradients",
      "clipByValue",
      "skip",
      "groups",
    ],
  ],
  // Programs of WebGL need a browser.
  [/^adapters\/tfjs\/webgl/, ["pages/webgl", "pages/adapters"]],
  [/^adapters\/jax/, ["jax", "jaxHandle", "jaxSkip", "engineMethods", "adapterRefusals"]],
  [/^adapters\/doppler/, ["doppler", "adapterRefusals"]],
  [
    /^adapters\/tfjs/,
    ["tfjs", "tfjsHandle", "tfjsSkip", "goesOn", "adapterRefusals", "engineMethods", "pages/adapters"],
  ],
  [
    /^adapters/,
    [
      "jax",
      "jaxHandle",
      "jaxSkip",
      "doppler",
      "tfjs",
      "tfjsHandle",
      "tfjsSkip",
      "goesOn",
      "engineMethods",
      "adapterRefusals",
    ],
  ],
  [/./, [...noted, ...steps, ...lists, ...calls, "fallback"]],
];

export function unitTestsFor(file: string): readonly string[] {
  return [...new Set(unitTests.find(([files]) => files.test(file))?.[1])];
}
