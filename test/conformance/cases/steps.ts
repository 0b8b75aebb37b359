/** One clip over many steps: what `set`, other gradients and reports do between them. */
import { clipByGlobalNorm, measureNorm } from "../../../src/index.ts";
import { packed, range, raw, tensor } from "../build.ts";
import { fail, near, same, sameWords, untouched } from "../expect.ts";
import { floatsOf, randomBits } from "../numbers.ts";
import { summarise } from "../reference.ts";
import type { Allocation, Case, Tensor } from "../types.ts";

const REPEATS = 100;

async function valuesOf(memory: Allocation, name = "own 0"): Promise<Float32Array> {
  const words = (await memory.read()).get(name) ?? fail(`no memory "${name}"`);
  return floatsOf(words);
}

async function holds(memory: Allocation, wanted: readonly number[], what: string): Promise<void> {
  const values = await valuesOf(memory);
  same(values.length, wanted.length, `${what}: length`);
  wanted.forEach((value, index) => {
    near(values[index], value, 2, `${what}: element ${index}`);
  });
}

export const cases: Case[] = [
  {
    name: "steps are counted from report to report",
    script: async ({ allocate, prepare }) => {
      const good = allocate([tensor([3, 4])]);
      const bad = allocate([tensor([3, Number.NaN])]);
      const clip = prepare(good.gradients, clipByGlobalNorm(10));
      clip.run();
      clip.run(bad.gradients);
      clip.set({ maxNorm: 1 });
      clip.run();
      clip.set({ maxNorm: 2 });
      clip.run();
      const first = await clip.report();
      same(first.steps, 4, "steps");
      same(first.clippedSteps, 1, "clippedSteps");
      same(first.skippedSteps, 1, "skippedSteps");
      clip.set({ maxNorm: 0.25 });
      clip.run();
      const second = await clip.report();
      same(second.steps, 1, "steps after a report");
      same(second.clippedSteps, 1, "clippedSteps after a report");
      same(second.skippedSteps, 0, "skippedSteps after a report");
      same(second.clipped, true, "clipped");
    },
  },
  {
    name: "a report tells of the last step, not of the worst",
    script: async ({ allocate, prepare }) => {
      const bad = allocate([tensor([Infinity, Number.NaN])]);
      const good = allocate([tensor([3, 4])]);
      const clip = prepare(bad.gradients, clipByGlobalNorm(10));
      clip.run();
      clip.run(good.gradients);
      const report = await clip.report();
      same(report.norm, 5, "norm");
      same(report.nonFinite, 0, "nonFinite");
      same(report.firstNonFinite, undefined, "firstNonFinite");
      same(report.maxAbs, 4, "maxAbs");
      same(report.scale, 1, "scale");
      await untouched(good);
    },
  },
  {
    name: "set holds from the next run on",
    script: async ({ allocate, prepare }) => {
      const memories = range(4).map(() => allocate([tensor([3, 4])]));
      const [first, second, third, fourth] = memories as [Allocation, Allocation, Allocation, Allocation];
      const clip = prepare(first.gradients, clipByGlobalNorm(1));
      clip.run(first.gradients);
      clip.set({ maxNorm: 2 });
      clip.run(second.gradients);
      clip.set({ gradScale: 0.5 });
      clip.run(third.gradients);
      clip.set({ maxNorm: 100, gradScale: 2 });
      clip.run(fourth.gradients);
      await holds(first, [0.6, 0.8], "bound 1");
      await holds(second, [1.2, 1.6], "bound 2");
      await holds(third, [1.2, 1.6], "bound 2, gradScale 0.5");
      await holds(fourth, [6, 8], "bound 100, gradScale 2");
    },
  },
  {
    name: "a second run sees what the first has written",
    script: async ({ allocate, prepare }) => {
      const memory = allocate([tensor([30, 40])]);
      const clip = prepare(memory.gradients, clipByGlobalNorm(5));
      clip.run();
      clip.set({ maxNorm: 0.5 });
      clip.run();
      near((await clip.report()).norm, 5, 4, "norm of what was clipped");
      const [left, right] = await valuesOf(memory);
      near(left, 0.3, 4, "3");
      near(right, 0.4, 4, "4");
    },
  },
  {
    name: "two clips over the same gradients",
    script: async ({ allocate, prepare }) => {
      const memory = allocate([tensor([30, 40])]);
      const watch = prepare(memory.gradients, measureNorm());
      const clip = prepare(memory.gradients, clipByGlobalNorm(1));
      watch.run();
      clip.run();
      const before = await watch.report();
      watch.run();
      same(before.norm, 50, "norm before");
      near((await watch.report()).norm, 1, 4, "norm after");
      same((await clip.report()).norm, 50, "norm that was clipped");
    },
  },
  {
    name: "reports that overlap",
    script: async ({ allocate, prepare }) => {
      const memory = allocate([tensor([3, 4])]);
      const clip = prepare(memory.gradients, clipByGlobalNorm(10));
      clip.run();
      const reports = await Promise.all(range(8).map(() => clip.report()));
      same(reports.length, 8, "reports");
      for (const report of reports) same(report.norm, 5, "norm");
    },
  },
  {
    name: "a clip that is destroyed leaves another over the same gradients whole",
    script: async ({ allocate, prepare }) => {
      const memory = allocate([tensor([3, 4])]);
      const first = prepare(memory.gradients, clipByGlobalNorm(10));
      const second = prepare(memory.gradients, clipByGlobalNorm(1));
      first.run();
      first.destroy();
      second.run();
      same((await second.report()).norm, 5, "norm");
      await holds(memory, [0.6, 0.8], "clipped by the second");
    },
  },
  {
    name: `the same bits ${REPEATS} times`,
    script: async ({ allocate, prepare }) => {
      const tensors = [...packed([randomBits(12_003, 1), randomBits(1001, 2)], 4), raw(randomBits(9000, 3))];
      const memory = allocate(tensors);
      const clip = prepare(memory.gradients, clipByGlobalNorm(1), { apply: "record" });
      const pending = range(REPEATS).map(() => {
        clip.run();
        return clip.report();
      });
      const [first, ...others] = await Promise.all(pending);
      same(others.length, REPEATS - 1, "reports");
      others.forEach((report, index) => {
        same(report.norm, first?.norm, `norm of run ${index + 1}`);
        same(report.scale, first?.scale, `scale of run ${index + 1}`);
      });
      await untouched(memory);
    },
  },
  {
    name: "the same bytes from the same gradients elsewhere",
    script: async ({ allocate, prepare }) => {
      const tensors = packed([randomBits(20_003, 1), randomBits(77, 2), randomBits(4096, 3)], 260);
      const memories = range(10).map(() => allocate(tensors));
      for (const memory of memories) prepare(memory.gradients, clipByGlobalNorm(1)).run();
      const [first, ...others] = await Promise.all(memories.map(async (memory) => (await memory.read()).get("arena")));
      for (const words of others) sameWords(words, first, "arena");
    },
  },
  {
    name: "one clip over gradients that are laid out in other ways",
    script: async ({ allocate, prepare }) => {
      const contents = [randomBits(64, 1), randomBits(5, 2), randomBits(1000, 3), randomBits(64, 4)];
      const bad = contents.map((bits, index) => (index === 2 ? bits.slice().fill(0x7f800001, 999) : bits));
      const layouts = (list: Uint32Array[]): Tensor[][] => [
        list.map((bits) => ({ bits })),
        packed(list, 256),
        packed(list, 4),
        packed(list, 256, 12),
        packed([...list].reverse(), 260).reverse(),
      ];
      const wanted = Math.sqrt(summarise(contents.map((bits) => ({ bits }))).sumOfSquares);
      const good = layouts(contents).map((tensors) => allocate(tensors));
      const clip = prepare((good[0] as Allocation).gradients, clipByGlobalNorm(1e6));
      for (const [index, memory] of good.entries()) {
        clip.run(memory.gradients);
        near((await clip.report()).norm, wanted, 2, `norm of layout ${index}`);
        await untouched(memory);
      }
      for (const [index, tensors] of layouts(bad).entries()) {
        clip.run(allocate(tensors).gradients);
        const { firstNonFinite, nonFinite } = await clip.report();
        same(nonFinite, 1, `nonFinite in layout ${index}`);
        same(firstNonFinite?.index, 2, `tensor of the first in layout ${index}`);
        same(firstNonFinite?.element, 999, `element of the first in layout ${index}`);
      }
    },
  },
  {
    name: "values that change between runs",
    script: async ({ allocate, prepare }) => {
      const rounds = range(20);
      const memories = rounds.map((round) => allocate([tensor([3 * (round + 1), 4 * (round + 1)])]));
      const clip = prepare((memories[0] as Allocation).gradients, clipByGlobalNorm(1));
      for (const round of rounds) {
        const memory = memories[round] as Allocation;
        clip.run(memory.gradients);
        same((await clip.report()).norm, 5 * (round + 1), `norm of round ${round}`);
        await holds(memory, [0.6, 0.8], `round ${round}`);
      }
    },
  },
];
