/** What a record remembers of the steps before the last one: a NaN in any of them leaves a trace. */
import {
  autoClip,
  type ClipMethod,
  type ClipReport,
  clipByGlobalNorm,
  clipByNorm,
  clipByValue,
  clipPerExample,
  measureNorm,
} from "../../../src/index.ts";
import { raw } from "../build.ts";
import { fail, same } from "../expect.ts";
import { bitsFrom } from "../numbers.ts";
import { readRecord } from "../record.ts";
import type { Case, Harness, Tensor } from "../types.ts";

type NonFinite = "zero" | "keep" | "propagate";

const methods: readonly [string, ClipMethod, NonFinite][] = [
  ["clipByGlobalNorm, zero", clipByGlobalNorm(1), "zero"],
  ["clipByGlobalNorm, keep", clipByGlobalNorm(1), "keep"],
  ["clipByGlobalNorm, propagate", clipByGlobalNorm(1), "propagate"],
  ["clipByValue", clipByValue(1), "keep"],
  ["clipByNorm, keep", clipByNorm(1), "keep"],
  ["clipByNorm along an axis, zero", clipByNorm(1, { axes: [1] }), "zero"],
  ["members, keep", clipByGlobalNorm(1, { members: 2 }), "keep"],
  ["clipPerExample, propagate", clipPerExample(1, { examples: 2 }), "propagate"],
  ["autoClip, keep", autoClip({ history: 8 }), "keep"],
  ["measureNorm, keep", measureNorm(), "keep"],
];

/** Two gradients of 2 by 2; what is bad is in one of them. */
function gradients(bad?: { index: number; element: number; bits: number }): Tensor[] {
  return [0, 1].map((index) => {
    const bits = bitsFrom([3, 4, 5, 6]);
    if (bad?.index === index) bits[bad.element] = bad.bits;
    return raw(bits, { shape: [2, 2] });
  });
}

const good = () => gradients();
const STEPS = [
  good,
  () => gradients({ index: 1, element: 0, bits: 0x7fc00000 }),
  good,
  () => gradients({ index: 0, element: 3, bits: 0xff800000 }),
  () => gradients({ index: 1, element: 2, bits: 0x7f800001 }),
];
const LAST = { step: 5, index: 1, element: 2 };

function checkLast({ lastNonFinite }: ClipReport, wanted: typeof LAST, what: string): void {
  if (!lastNonFinite) fail(`${what}: no lastNonFinite`);
  for (const key of ["step", "index", "element"] as const) same(lastNonFinite[key], wanted[key], `${what}: its ${key}`);
}

function checkCounts(actual: object, wanted: Readonly<Record<string, number>>, what: string): void {
  for (const [key, count] of Object.entries(wanted)) {
    same((actual as Record<string, unknown>)[key] as number, count, `${what}: ${key}`);
  }
}

async function play({ allocate, prepare }: Harness, method: ClipMethod, nonFinite: NonFinite) {
  const clip = prepare(allocate(good()).gradients, method, { nonFinite });
  await clip.ready;
  const run = (tensors: Tensor[]) => clip.run(allocate(tensors).gradients);
  for (const tensors of STEPS) run(tensors());
  return { clip, run };
}

export const cases: Case[] = [
  ...methods.map(
    ([name, method, nonFinite]): Case => ({
      name: `non-finite steps leave a trace: ${name}`,
      script: async (harness) => {
        const { clip, run } = await play(harness, method, nonFinite);
        const skippedSteps = nonFinite === "zero" ? 3 : 0;
        const first = await clip.report();
        const counts = { steps: 5, nonFiniteSteps: 3, spikeSteps: 0, skippedSteps };
        checkCounts(first, { ...counts, badStepsInARow: 2, nonFinite: 1 }, "first report");
        checkCounts(first.totals, counts, "first report, totals");
        checkLast(first, LAST, "first report");
        run(good());
        run(good());
        const second = await clip.report();
        const none = { nonFiniteSteps: 0, spikeSteps: 0, skippedSteps: 0, badStepsInARow: 0, nonFinite: 0 };
        checkCounts(second, { steps: 2, ...none }, "second report");
        checkCounts(second.totals, { ...counts, steps: 7 }, "second report, totals");
        same(second.totals.clippedSteps, first.clippedSteps + second.clippedSteps, "clipped steps in all");
        checkLast(second, LAST, "second report");
        same(second.firstNonFinite, undefined, "firstNonFinite of a good step");
      },
    }),
  ),
  {
    name: "a step whose totalNorm is NaN counts, and moves no place",
    script: async ({ allocate, prepare }) => {
      const clip = prepare(allocate(good()).gradients, clipByGlobalNorm(1), {
        totalNorm: Number.NaN,
        nonFinite: "keep",
      });
      clip.run();
      const report = await clip.report();
      checkCounts(report, { nonFinite: 0, nonFiniteSteps: 1, badStepsInARow: 1, skippedSteps: 0 }, "report");
      same(report.lastNonFinite, undefined, "lastNonFinite");
    },
  },
  {
    name: "all steps good: no trace",
    script: async ({ allocate, prepare }) => {
      const clip = prepare(allocate(good()).gradients, clipByGlobalNorm(1));
      clip.run();
      clip.run();
      const report = await clip.report();
      checkCounts(report, { steps: 2, nonFiniteSteps: 0, badStepsInARow: 0, spikeSteps: 0 }, "report");
      same(report.lastNonFinite, undefined, "lastNonFinite");
    },
  },
  {
    name: "the bytes of the counters",
    gpuScript: async (harness) => {
      const { clip, run } = await play(harness, clipByNorm(1), "keep");
      const bytes = async () => {
        const [words] = (await harness.readBuffers([clip.record ?? fail("no record")])) as [Uint32Array];
        return readRecord(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
      };
      const bad = await bytes();
      checkCounts(bad, { nonFiniteSteps: 3, badStepsInARow: 2, lastStep: 5, spikeSteps: 0 }, "bad step");
      same(bad.lastPiece, bad.firstPiece, "position of the latest: piece");
      same(bad.lastElement, bad.firstElement, "position of the latest: element");
      run(good());
      const after = await bytes();
      checkCounts(after, { nonFiniteSteps: 3, badStepsInARow: 0, lastStep: 5, spikeSteps: 0 }, "good step");
      same(after.lastPiece, bad.lastPiece, "piece after a good step");
      same(after.lastElement, bad.lastElement, "element after a good step");
    },
  },
];
