/** Gradients that are there in some steps only: what is there is numbered, named and scaled as prepare's list has it. */
import {
  autoClip,
  type ClipMethod,
  type ClipOptions,
  clipByNorm,
  type Gradient,
  skipSpikes,
  zClip,
} from "../../../src/index.ts";
import { clampTo, clipTo, packed, range, tensor, unit } from "../build.ts";
import { fail, near, same, sameWords } from "../expect.ts";
import { bitsFrom, floatsOf, randomBits } from "../numbers.ts";
import { agc, alongAxes, perExample, perGroup, perMember, perTensor, perTensorRms } from "../rules.ts";
import type { Allocation, Case, Harness, Rule, Tensor, Unit, WebGpuHarness } from "../types.ts";

const SHAPES = [[2, 12], [2, 3], [2], [2, 2, 4], [2, 18]] as const;

/** Side by side in one memory, and one elsewhere; the fourth has a NaN if told so. */
function model(spoilt = false): Tensor[] {
  const contents = SHAPES.map((shape, i) => {
    const bits = randomBits(
      shape.reduce((product, length) => product * length, 1),
      i + 1,
    );
    return spoilt && i === 3 ? bits.fill(0x7fc00000, 5, 6) : bits;
  });
  const placed = packed(contents, 256);
  return placed.map((one, i) => ({
    ...one,
    ...(i === 2 ? { place: undefined } : {}),
    name: `layer ${i}`,
    shape: SHAPES[i] as readonly number[],
    group: ["encoder", undefined, "head"][i % 3],
    parameter: { bits: randomBits(one.bits.length, 20 + i) },
  }));
}

const RULES: Record<string, Rule> = {
  clipByGlobalNorm: clipTo(1),
  clipByNorm: perTensor(1),
  clipByBlockRms: perTensorRms(0.5),
  clipByGroupNorm: perGroup({ head: 0.5, unused: 1, encoder: 1.5 }, 0.25),
  "clipByNorm along axes": alongAxes(0.7, [-1]),
  members: perMember(1, 2),
  clipPerExample: perExample(1, 2),
  clipByValue: clampTo(-0.5, 0.5),
  adaptiveGradClip: agc({ clipping: 0.3 }),
};

/** Which are absent, and which prepare did not have yet. */
const STEPS: readonly [absent: readonly number[], late: readonly number[]][] = [
  [[1], []],
  [[0, 4], []],
  [[], [1, 3]],
  [[2], [0]],
  [range(5), []],
  [range(5), range(5)],
];

function stepsOf(rule: Rule): Unit[] {
  const told = rule.method.parametersOf || rule.method.name === "adaptiveGradClip";
  const plain = (tensors: Tensor[]) => (told ? tensors : tensors.map(({ parameter: _, ...one }) => one));
  return [false, true].flatMap((spoilt) =>
    STEPS.map(([absent, late]) => {
      const label = `without ${absent.join() || "none"}, ${late.join() || "none"} late${spoilt ? ", a NaN" : ""}`;
      return unit(label, plain(model(spoilt)), rule, { absent, late });
    }),
  );
}

/** The norms, scales and flags of the entries, as the GPU wrote them. */
async function entriesOf({ readBuffers }: WebGpuHarness, scales: GPUBuffer): Promise<number[][]> {
  const [words = fail("no entries")] = await readBuffers([scales]);
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  return range(words.length / 8).map((i) =>
    [0, 1, 3].map((at) => floats[8 * i + at] as number).concat(words[8 * i + 2] ?? 0),
  );
}

const without = (memory: Allocation, absent: readonly number[]) =>
  [...(memory.gradients as Iterable<Gradient>)].map((gradient, i) => (absent.includes(i) ? null : gradient));

/** What is remembered after norms of 1 to 9, with or without empty steps between them, and the gradients. */
async function stateAfter(
  harness: Harness,
  method: ClipMethod,
  empty: boolean,
  options?: ClipOptions,
): Promise<[ArrayBuffer, number[]]> {
  const memory = harness.allocate(range(9, 1).map((norm) => tensor([norm])));
  const views = [...(memory.gradients as Iterable<Gradient>)];
  const clip = harness.prepare(views.slice(0, 1), method, options);
  await clip.ready;
  for (const view of views) {
    if (empty) clip.run([null]);
    if (empty) near((await clip.report()).norm, 0, 0, "norm of an empty step");
    clip.run([view]);
  }
  const after = await memory.read();
  return [await clip.state(), [...after.values()].map((words) => floatsOf(words)[0] as number)];
}

const REMEMBERING: readonly { readonly method: ClipMethod; readonly options?: ClipOptions }[] = [
  { method: autoClip({ percentile: 50, history: 4 }) },
  { method: zClip({ warmup: 3 }) },
  { method: zClip({ warmup: 3 }), options: { skip: skipSpikes({ window: 4, warmup: 3, sigmas: 2 }) } },
];

export const cases: Case[] = [
  ...Object.entries(RULES).map(([name, rule]): Case => ({ name, dependsOn: "kernels", units: () => stepsOf(rule) })),
  {
    name: "one clip, step by step: entries keep their places and steps are counted",
    script: async (harness) => {
      const values = [
        [3, 4],
        [0.3, 0.4],
        [30, 40],
      ];
      const memories = range(4).map(() => harness.allocate(values.map((list) => tensor(list))));
      const clip = harness.prepare((memories[0] as Allocation).gradients, clipByNorm(1), { apply: "record" });
      const norms = [5, 0.5, 50];
      const patterns = [[1], [0, 2], [0, 1, 2], []];
      for (const [step, absent] of patterns.entries()) {
        clip.run(without(memories[step] as Allocation, absent));
        const report = await clip.report();
        const wanted = norms.map((norm, i) => (absent.includes(i) ? Number.NaN : Math.fround(norm)));
        wanted.forEach((norm, i) => {
          near(report.tensorNorms?.[i], norm, 1, `step ${step}: norm of tensor ${i}`);
        });
        const present = norms.filter((_, i) => !absent.includes(i));
        near(report.norm, Math.hypot(...present), 2, `step ${step}: norm`);
        same(
          report.clipped,
          present.some((norm) => norm > 1),
          `step ${step}: clipped`,
        );
        same(report.nonFiniteSteps, 0, `step ${step}: nonFiniteSteps`);
        same(report.steps, 1, `step ${step}: steps`);
        if (!clip.scales) continue;
        const entries = await entriesOf(harness as WebGpuHarness, clip.scales);
        same(entries.length, 3, "entries");
        entries.forEach(([scale, second, norm, flags], i) => {
          const isAbsent = absent.includes(i);
          near(
            scale,
            isAbsent || (norms[i] as number) < 1 ? 1 : 1 / (norms[i] as number),
            2,
            `step ${step}: scale of ${i}`,
          );
          same(second, 1, `step ${step}: second factor of ${i}`);
          near(norm, wanted[i] as number, 1, `step ${step}: norm in entry ${i}`);
          same(flags, !isAbsent && (norms[i] as number) > 1 ? 1 : 0, `step ${step}: flags of ${i}`);
        });
      }
      same((await clip.report()).totals.steps, 4, "steps in all");
    },
  },
  {
    name: "the place of a NaN behind a gap, and the latest of them after it",
    script: async ({ allocate, prepare }) => {
      const contents = [[1, 2], [3, 4, 5], [6], [7, Number.NaN]].map((list) => bitsFrom(list));
      const memory = allocate(packed(contents, 256));
      const clip = prepare(memory.gradients);
      clip.run(without(memory, [1]));
      const first = await clip.report();
      same(first.firstNonFinite?.index, 3, "index");
      same(first.firstNonFinite?.element, 1, "element");
      clip.run(without(memory, [3]));
      const second = await clip.report();
      same(second.nonFinite, 0, "nonFinite");
      same(second.lastNonFinite?.step, 1, "step of the latest");
      same(second.lastNonFinite?.index, 3, "index of the latest");
      same(second.lastNonFinite?.element, 1, "element of the latest");
    },
  },
  ...REMEMBERING.map(
    ({ method, options }): Case => ({
      name: `${method.name}${options ? " with skipSpikes" : ""}: a step without gradients is counted and not remembered`,
      script: async (harness) => {
        const [plain, values] = await stateAfter(harness, method, false, options);
        const [mixed, others] = await stateAfter(harness, method, true, options);
        sameWords(new Uint32Array(mixed), new Uint32Array(plain), "state");
        same(others.length, values.length, "gradients");
        others.forEach((value, i) => {
          same(value, values[i] as number, `gradient ${i}`);
        });
      },
    }),
  ),
];
