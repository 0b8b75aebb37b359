/** What the device keeps of the last steps. */
import {
  autoClip,
  type Clip,
  type ClipHistory,
  type ClipOptions,
  clipByGlobalNorm,
  clipByGroupNorm,
  clipByNorm,
  clipByValue,
  skipAbove,
  skipSpikes,
  zClip,
} from "../../../src/index.ts";
import { Player, recordedNorms, type Step } from "../adaptiveSteps.ts";
import { range, tensor } from "../build.ts";
import { fail, near, same } from "../expect.ts";
import { round24 } from "../numbers.ts";
import type { Case, Harness } from "../types.ts";

const BOUND = 2;
const LENGTH = 32;

function flagsOf({ norm, clipped, skipped, spike }: Step): number {
  const seen = Number.isNaN(norm) ? 4 : norm === Infinity ? 8 : 0;
  return Number(clipped) + 2 * Number(skipped) + 16 * Number(spike) + seen;
}

/** The rows are those of the steps from `first` on, and of no others. */
function checkRows(history: ClipHistory, steps: readonly Step[], first: number, lost: number, what: string): void {
  const { norms, scales, bounds, flags } = history;
  same(history.lost, lost, `${what}: lost`);
  for (const list of [history.steps, norms, scales, bounds, flags]) same(list.length, steps.length, `${what}: length`);
  steps.forEach((step, i) => {
    const row = `${what}, row ${i}`;
    same(history.steps[i], first + i + 1, `${row}: step`);
    same(norms[i], step.norm, `${row}: norm`);
    same(scales[i], step.scale, `${row}: scale`);
    same(flags[i], flagsOf(step), `${row}: flags`);
    if (step.bound !== undefined) same(bounds[i], step.bound, `${row}: bound`);
  });
}

/** All steps, with the history read after some of them. */
function sequence(
  name: string,
  lengths: readonly number[],
  make: () => Parameters<Player["clip"]>[0],
  skip: () => ClipOptions["skip"],
): Case {
  return {
    name: `${name}: the steps since the last call, and how many are lost`,
    script: async (harness) => {
      const norms = recordedNorms(21, 1, 250);
      for (const history of lengths) {
        const player = new Player(harness, norms);
        const clip = await player.clip(make(), { skip: skip(), history });
        let from = 0;
        for (const to of [20, 52, 52, 53, 85, 250]) {
          const steps = await player.play(clip, from, to);
          const kept = steps.slice(-history);
          checkRows(
            await clip.history(),
            kept,
            to - kept.length,
            steps.length - kept.length,
            `${history} kept, ${from} to ${to}`,
          );
          from = to;
        }
        const again = await clip.history();
        same(again.steps.length + again.lost, 0, "steps told twice");
      }
    },
  };
}

/** One step over these values, and its row. */
async function rowOf(harness: Harness, method: Parameters<Player["clip"]>[0], options?: ClipOptions) {
  const { gradients } = harness.allocate([
    tensor([3, 0], { group: "a", shape: [2] }),
    tensor([0, 4], { group: "b", shape: [2] }),
  ]);
  const clip = harness.prepare(gradients, method, { history: LENGTH, ...options });
  clip.run();
  const { steps, norms, scales, bounds, flags } = await clip.history();
  same(steps.length, 1, `${method.name}: rows`);
  return { norm: norms[0], scale: scales[0], bound: bounds[0], flags: flags[0] };
}

async function savedBytes(clip: Clip): Promise<string> {
  return new Uint8Array(await clip.state()).join();
}

export const cases: Case[] = [
  sequence(
    "clipByGlobalNorm",
    [1, LENGTH, 100],
    () => clipByGlobalNorm(BOUND),
    () => undefined,
  ),
  sequence(
    "clipByGlobalNorm with skipSpikes",
    [1, LENGTH],
    () => clipByGlobalNorm(BOUND),
    () => skipSpikes({ sigmas: 3, window: 40, warmup: 20 }),
  ),
  sequence(
    "autoClip with skipAbove",
    [1, LENGTH],
    () => autoClip({ percentile: 60, history: 30 }),
    () => skipAbove(8),
  ),
  {
    name: "bounds are those that were used, as set",
    script: async ({ allocate, prepare }) => {
      const { gradients } = allocate([tensor([3, 4])]);
      const clip = prepare(gradients, clipByGlobalNorm(Infinity), { history: LENGTH, apply: "record", gradScale: 0.5 });
      clip.run();
      clip.set({ maxNorm: 2 });
      clip.run();
      clip.set({ maxNorm: 1e-3, gradScale: 1 });
      clip.run();
      const { norms, bounds, scales, flags } = await clip.history();
      same(norms.join(), "2.5,2.5,5", "norms");
      same(bounds.join(), [Infinity, 2, Math.fround(1e-3)].join(), "bounds");
      same(flags.join(), "0,1,1", "flags");
      same(scales[0], 0.5, "scale of what was not clipped");
      near(scales[1], 0.4, 1, "scale under 2");
      near(scales[2], 2e-4, 1, "scale under 0.001");
    },
  },
  {
    name: "methods with several norms and with none",
    script: async (harness) => {
      const tensors = await rowOf(harness, clipByNorm(3.5));
      same(JSON.stringify(tensors), JSON.stringify({ norm: 5, scale: null, bound: null, flags: 1 }), "clipByNorm");
      const groups = await rowOf(harness, clipByGroupNorm({ a: 5, b: 5 }));
      same(JSON.stringify(groups), JSON.stringify({ norm: 5, scale: null, bound: null, flags: 0 }), "clipByGroupNorm");
      const skipped = await rowOf(harness, clipByNorm(3.5), { skip: skipAbove(4) });
      same(JSON.stringify(skipped), JSON.stringify({ norm: 5, scale: 0, bound: null, flags: 18 }), "a spike");
      const value = await rowOf(harness, clipByValue(3));
      same(value.flags, 1, "flags of clipByValue");
    },
  },
  {
    name: "a step without gradients has a row, and the memories stay",
    script: async (harness) => {
      const spikes = skipSpikes({ window: 4, warmup: 3 });
      // The lists of a rule, of a skip rule and of the history are behind each other: all three are there with the last one.
      for (const [method, skip] of [
        [clipByGlobalNorm(BOUND), undefined],
        [clipByGlobalNorm(BOUND), spikes],
        [zClip({ warmup: 3 }), undefined],
        [autoClip({ history: 4 }), undefined],
        [autoClip({ history: 4 }), spikes],
      ] as const) {
        const player = new Player(harness, Float32Array.of(1, 1.5, 1.25, 3, 1, 1, 2.5));
        const clip = await player.clip(method, { skip, history: LENGTH });
        const whole = await player.clip(method, { skip, history: LENGTH });
        const before = await player.play(clip, 0, 4);
        const memory = "begin" in method.rule || skip ? await savedBytes(clip) : undefined;
        clip.run([null]);
        if (memory !== undefined) same(await savedBytes(clip), memory, `${method.name}: state`);
        const after = await player.play(clip, 4);
        const wanted = await new Player(harness, player.norms).play(whole);
        const { steps, norms, flags } = await clip.history();
        same(steps.join(), range(8, 1).join(), `${method.name}: steps`);
        same(norms[4], 0, `${method.name}: norm of nothing`);
        same(flags[4], 0, `${method.name}: flags of nothing`);
        [...before, ...after].forEach((step, i) => {
          same(flags[i < 4 ? i : i + 1], flagsOf(wanted[i] as Step), `${method.name}: flags of step ${i}`);
          same(step.scale, wanted[i]?.scale, `${method.name}: scale of step ${i}`);
        });
      }
    },
  },
  {
    name: "a restored state leaves the history as it is",
    script: async (harness) => {
      const norms = recordedNorms(22, 1, 60);
      const skip = skipSpikes({ sigmas: 3, window: 10, warmup: 5 });
      const player = new Player(harness, norms);
      // The lists of the skip rule and of the history are behind a memory without one.
      const method = zClip({ warmup: 5 });
      const plain = await player.clip(method, { skip });
      const clip = await player.clip(method, { skip, history: LENGTH });
      const wanted = await player.play(plain, 0, 40);
      const again = new Player(harness, norms);
      const steps = await again.play(clip, 0, 25);
      const state = await clip.state();
      await again.play(clip, 0, 5);
      clip.restore(state);
      steps.push(...(await again.play(clip, 25, 40)));
      steps.forEach((step, i) => {
        same(step.scale, wanted[i]?.scale, `scale of step ${i}`);
      });
      same(await savedBytes(clip), await savedBytes(plain), "the state, as without a history");
      const { steps: numbers, lost } = await clip.history();
      same(numbers.join(), range(LENGTH, 46 - LENGTH).join(), "steps");
      same(lost, 45 - LENGTH, "lost");
    },
  },
  {
    name: "calls in flight are answered in their order",
    script: async ({ allocate, prepare }) => {
      const { gradients } = allocate([tensor([3, 4])]);
      const clip = prepare(gradients, clipByGlobalNorm(round24(0.1)), { history: LENGTH, apply: "record" });
      const pending: Promise<ClipHistory>[] = [clip.history()];
      for (const count of [1, 0, LENGTH + 2, 2]) {
        for (const _ of range(count)) clip.run();
        pending.push(clip.history());
      }
      const histories = await Promise.all(pending);
      const wanted = [[], [1], [], range(LENGTH, 4), [LENGTH + 4, LENGTH + 5]];
      same(histories.map(({ steps }) => steps.join()).join(" "), wanted.join(" "), "steps");
      same(histories.map(({ lost }) => lost).join(), "0,0,0,2,0", "lost");
      if (histories.some(({ norms }) => norms.some((norm) => norm !== 5))) fail("a norm is not 5");
    },
  },
];
