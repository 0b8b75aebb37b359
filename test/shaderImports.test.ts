/** A kernel is given what it imports, and nothing else: a page ships all that is given. */
import { expect, test, vi } from "vitest";
import { checkGradients, readGivenGradients } from "../src/gradients.ts";
import * as gradclip from "../src/index.ts";
import { checkOptions } from "../src/options.ts";
import { gridTable } from "../src/webgpu/grid.ts";
import { planOf } from "../src/webgpu/plan.ts";

type Given = [kernel: string, texts: Readonly<Record<string, string>>];
const given = vi.hoisted((): Given[] => []);

vi.mock(import("../src/webgpu/template.ts"), async (original) => {
  const template = await original();
  return {
    ...template,
    resolved(kernel, filling) {
      given.push([kernel, filling.texts]);
      return template.resolved(kernel, filling);
    },
  };
});

/** The names of all that a text imports, under whatever condition. */
function importsOf(text: string, texts: Given[1], found = new Set<string>()): Set<string> {
  for (const [, name = ""] of text.matchAll(/\/\/#import (\S+)\n/g)) {
    if (found.has(name)) continue;
    found.add(name);
    importsOf(`${texts[name] ?? ""}\n`, texts, found);
  }
  return found;
}

const buffer = (size: number) => ({ size, usage: 0x80, mapState: "unmapped", mapAsync() {} }) as unknown as GPUBuffer;

function view(dtype: "f32" | "f16" | "bf16", byteOffset: number, widens: boolean): gradclip.GradientView {
  const into = widens ? { buffer: buffer(1024), dtype: "f32" as const } : undefined;
  const parameter = { buffer: buffer(1024), dtype };
  return { buffer: buffer(1024), byteOffset, length: 6, shape: [2, 3], dtype, into, parameter, group: "a" };
}

const methods: readonly gradclip.ClipMethod[] = [
  ...[1, 2, 3, Infinity].map((normType) => gradclip.clipByGlobalNorm(1, { normType })),
  gradclip.measureNorm(),
  gradclip.clipByGlobalNorm(1, { members: 2 }),
  gradclip.clipByNorm(1),
  gradclip.clipByNorm(1, { axes: [0] }),
  gradclip.clipByBlockRms(1),
  gradclip.clipByGroupNorm({ a: 1 }),
  gradclip.clipByValue(1),
  gradclip.adaptiveGradClip(),
  gradclip.normalizeByGlobalNorm(),
  gradclip.autoClip(),
  gradclip.adaGC(),
  ...(["all", "tensor", "group"] as const).map((per) => gradclip.zClip({ per })),
  gradclip.clipPerExample(1, { examples: 2 }),
  gradclip.clipPerExample(1, { examples: 2, automatic: 0.01 }),
];
const skips = [undefined, gradclip.skipAbove(1), gradclip.skipSpikes()];
const views = (["f32", "f16", "bf16"] as const).flatMap((dtype) =>
  [0, 4].flatMap((byteOffset) =>
    (dtype === "f32" ? [false] : [false, true]).map((widens) => view(dtype, byteOffset, widens)),
  ),
);

test.each(methods.map((method) => [`${method.name}, ${method.norm.name}, ${method.grouping.kind}`, method] as const))(
  "of %s",
  (_, read) => {
    const list = checkGradients(readGivenGradients(views), read.examples);
    const { grouping } = read;
    const method = grouping.kind === "found" ? { ...read, grouping: grouping.among(list.declared) } : read;
    const takesSkips = !method.limits && grouping.kind !== "members";
    for (const skip of takesSkips ? skips : [undefined]) {
      const options = checkOptions({ skip, history: 4 }, method);
      const limits = { slots: 7, maxBinding: 2 ** 27, grid: gridTable.discrete };
      const { dispatches } = planOf(method, options, list, limits);
      given.length = 0;
      for (const { source, name } of dispatches) expect(source(), name).not.toMatch(/^undefined$/m);
      expect(given.length).toBe(dispatches.length);
      for (const [kernel, texts] of given) {
        const imported = importsOf(`${kernel}\n`, texts);
        expect(Object.keys(texts).filter((name) => !imported.has(name))).toEqual([]);
      }
    }
  },
);
