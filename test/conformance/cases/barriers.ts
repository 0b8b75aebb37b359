/** Barriers of the kernels whose lanes share memory, by their texts: with all of them no two lanes meet, and without any one of them some do. */
import { resolved } from "../../../src/webgpu/template.ts";
import { conflictsIn } from "../barriers.ts";
import { dependentOn } from "../build.ts";
import { fail, same } from "../expect.ts";
import type { Case } from "../types.ts";
import { shaders } from "../walks.ts";

const BARRIER = "workgroupBarrier();";

interface Kernel {
  readonly kernel: string;
  readonly texts?: Readonly<Record<string, string>>;
  readonly conditions?: readonly string[];
}

const finish = (rule: string, skip: string, conditions: readonly string[]): Kernel => ({
  kernel: "finish",
  texts: { root: "norms/l2_root", rule: `rules/${rule}`, skip: `skips/${skip}` },
  conditions: ["STATE", ...conditions],
});

const KERNELS: Readonly<Record<string, Kernel>> = {
  "a rule without a memory": finish("global", "above", []),
  "a list of norms": finish("auto", "above", ["REMEMBERS"]),
  "each norm's memory": finish("ada", "above", ["REMEMBERS", "MEMORIES"]),
  "spikes of norms": finish("global", "spikes", ["SKIPS"]),
  "spikes of norms and losses, in part": finish("z", "spikes", ["SKIPS", "LOSS", "IN_PART", "REMEMBERS"]),
  groups: { kernel: "finish_groups", texts: { root: "norms/l2_root", rule: "rules/global" }, conditions: ["IN_PART"] },
  "the sum": { kernel: "norm", texts: { format: "formats/f32", word: "words/u32", terms: "norms/l2_terms" } },
  units: { kernel: "unit_norm", texts: { format: "formats/f32", word: "words/u32", terms: "norms/l2_terms" } },
  limits: { kernel: "clamp", texts: { format: "formats/f32", word: "words/u32" } },
};

function textOf({ kernel, texts = {}, conditions = [] }: Kernel): string {
  const chosen = Object.entries(texts).map(([name, file]) => [name, shaders[file] as string]);
  return resolved(shaders[kernel] as string, {
    texts: { ...shaders, stored: shaders["shared/stored"] as string, ...Object.fromEntries(chosen) },
    conditions: Object.fromEntries(conditions.map((name) => [name, true])),
    slots: 1,
    tokens: { WORKGROUP_SIZE: "64" },
  });
}

async function check(kernel: Kernel): Promise<void> {
  const text = textOf(kernel);
  same(conflictsIn(text).join("\n"), "", "what meets");
  const parts = text.split(BARRIER);
  if (parts.length === 1) fail("the kernel has no barrier");
  for (let k = 1; k < parts.length; k++) {
    const without = parts.slice(0, k).join(BARRIER) + parts.slice(k).join(BARRIER);
    if (conflictsIn(without).length === 0) fail(`nothing meets without barrier ${k}`);
  }
}

export const cases: Case[] = dependentOn(
  "text",
  Object.entries(KERNELS).map(([name, kernel]): Case => ({ name, gpuScript: () => check(kernel) })),
);
