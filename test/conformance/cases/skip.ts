/** Steps that are left out although their gradients are finite. */
import {
  adaptiveGradClip,
  autoClip,
  type Clip,
  type ClipOptions,
  clipByBlockRms,
  clipByGlobalNorm,
  clipByGroupNorm,
  clipByNorm,
  measureNorm,
  skipAbove,
  skipSpikes,
  zClip,
} from "../../../src/index.ts";
import { type Before, checkWithin, Player, recordedLosses, recordedNorms, type Step } from "../adaptiveSteps.ts";
import { range, tensor } from "../build.ts";
import { fail, near, same } from "../expect.ts";
import { COPY_DST, COPY_SRC, STORAGE } from "../harness-webgpu.ts";
import { bitsFrom, bitsOf, FLT_MAX, floatsOf, neighbour, randomSource, ulp24 } from "../numbers.ts";
import { either, type Spikes, spikesAmong, type Verdict } from "../referenceSkip.ts";
import { recordedTracks, Series, sameSeries } from "../series.ts";
import type { Case, Harness, WebGpuHarness } from "../types.ts";

const BOUND = 2;

/** Every step of clipByGlobalNorm(BOUND) against what the rule should say of it. */
function check(steps: readonly Step[], verdicts: readonly Verdict[]): number {
  same(steps.length, verdicts.length, "steps");
  steps.forEach(({ norm, spike, skipped, clipped, scale, after }, i) => {
    const what = `step ${i}, norm ${norm}`;
    const verdict = verdicts[i] as Verdict;
    if (verdict !== "either") same(spike, verdict, `${what}: spike`);
    same(skipped, spike || !Number.isFinite(norm), `${what}: skipped`);
    if (skipped) {
      same(bitsOf(after), 0, `${what}: bits of the gradient`);
      same(scale, 0, `${what}: scale`);
      same(clipped, false, `${what}: clipped`);
      return;
    }
    same(clipped, norm > BOUND, `${what}: clipped`);
    const wanted = Math.min(norm, BOUND);
    checkWithin(after, wanted, 2 * ulp24(wanted), `${what}: the gradient`);
  });
  return steps.filter(({ spike }) => spike).length;
}

async function play(harness: Harness, norms: Float32Array, skip: ClipOptions["skip"], before?: Before) {
  const player = new Player(harness, norms);
  return player.play(await player.clip(clipByGlobalNorm(BOUND), { skip }), 0, norms.length, before);
}

function spikeCase(settings: Spikes, scale = 1, count = 300): Case {
  const { sigmas, window, warmup } = settings;
  return {
    name: `skipSpikes, ${sigmas} deviations, window ${window}, from the ${warmup}th on, ${count} norms of about ${scale}`,
    dependsOn: "kernels",
    script: async (harness) => {
      const norms = recordedNorms(window + warmup, scale, count);
      const found = check(await play(harness, norms, skipSpikes(settings)), spikesAmong(norms, settings));
      if (found === 0) fail("no step was skipped");
    },
  };
}

/** The loss of each step, where the clip reads it. */
function lossOf(harness: Harness, losses: Float32Array) {
  if (harness.backend === "cpu") {
    const buffer = new Float32Array(3);
    const before: Before = (step) => buffer.fill(losses[step] as number, 1, 2);
    return { loss: { buffer, byteOffset: 4 }, before };
  }
  const { bufferOf } = harness as WebGpuHarness;
  const all = bufferOf(new Uint32Array(losses.buffer), COPY_SRC);
  const buffer = bufferOf(new Uint32Array(130), STORAGE | COPY_DST);
  const before: Before = (step, encoder) => encoder?.copyBufferToBuffer(all, 4 * step, buffer, 516, 4);
  return { loss: { buffer, byteOffset: 516 }, before };
}

function lossCase(name: string, losses: Float32Array, settings: Spikes): Case {
  return {
    name: `skipSpikes, by the loss too: ${name}`,
    dependsOn: "kernels",
    script: async (harness) => {
      const norms = recordedNorms(5, 1, losses.length);
      const { loss, before } = lossOf(harness, losses);
      const ofLoss = spikesAmong(losses, settings).map((verdict, i) => !Number.isFinite(losses[i]) || verdict);
      const verdicts = spikesAmong(norms, settings).map((verdict, i) => either(verdict, ofLoss[i] as Verdict));
      if (!ofLoss.includes(true)) fail("no loss stands out");
      check(await play(harness, norms, skipSpikes({ ...settings, loss }), before), verdicts);
    },
  };
}

/** What an optimizer that takes the scales has: 0, with the flags of a skip and a spike and no other. */
async function checkEntries({ readBuffers }: WebGpuHarness, clip: Clip, what: string): Promise<void> {
  const [words = fail("no entries")] = await readBuffers([clip.scales as GPUBuffer]);
  for (let at = 0; at < words.length; at += 8) {
    same(words[at], 0, `${what}: scale of entry ${at / 8}`);
    same(words[at + 2], 2 | 16, `${what}: flags of entry ${at / 8}`);
  }
}

export const cases: Case[] = [
  {
    name: "skipAbove: strictly above, finite norms only",
    script: async (harness) => {
      const norms = Float32Array.of(1, 5, neighbour(5, 1), neighbour(5, -1), 20, Number.NaN, 0, 1e38, Infinity, 4);
      const verdicts = [false, false, true, false, true, false, false, true, false, false];
      check(await play(harness, norms, skipAbove(5)), verdicts);
    },
  },
  {
    name: "skipAbove: counters",
    script: async (harness) => {
      const player = new Player(harness, Float32Array.of(9, 1, 9, Number.NaN, 9));
      const clip = await player.clip(clipByGlobalNorm(BOUND), { skip: skipAbove(5) });
      await player.play(clip);
      const { totals, badStepsInARow, norm, scale, maxAbs } = await clip.report();
      const counts = { ...totals, badStepsInARow, norm, scale, maxAbs };
      const wanted = { steps: 5, clippedSteps: 0, skippedSteps: 4, nonFiniteSteps: 1, spikeSteps: 3 };
      for (const [key, value] of Object.entries({ ...wanted, badStepsInARow: 3, norm: 9, scale: 0, maxAbs: 9 })) {
        same(counts[key as keyof typeof counts], value, key);
      }
    },
  },
  {
    name: "skipSpikes: a norm that lies 4e-8 of the limit below it is no spike",
    script: async (harness) => {
      const first = [1.01386464, 1.22109616, 0.724763751, 0.926624298, 1.52141678, 0.77488482, 6.59292078];
      const norms = Float32Array.of(...first, 14.5455084);
      check(await play(harness, norms, skipSpikes({ window: 16, warmup: 8 })), Array(8).fill(false));
    },
  },
  spikeCase({ sigmas: 6, window: 128, warmup: 64 }, 1, 600),
  spikeCase({ sigmas: 2, window: 16, warmup: 9 }),
  spikeCase({ sigmas: 1, window: 2, warmup: 3 }),
  spikeCase({ sigmas: 3, window: 33, warmup: 40 }, 1e-30),
  spikeCase({ sigmas: 3, window: 33, warmup: 40 }, 1e35),
  {
    name: "skipSpikes: equal norms have no deviation, and the next number above them stands out",
    script: async (harness) => {
      const level = Math.fround(0.1);
      const norms = new Float32Array(60).fill(level);
      norms[50] = neighbour(level, 1);
      const verdicts = range(60).map((step) => step === 50);
      check(await play(harness, norms, skipSpikes({ window: 20, warmup: 5 })), verdicts);
    },
  },
  {
    name: "skipSpikes: a lasting change of level ends in acceptance",
    script: async (harness) => {
      const random = randomSource(3);
      const norms = Float32Array.from({ length: 240 }, (_, step) => (step < 120 ? 1 : 50) * (1 + 0.1 * random()));
      const settings = { sigmas: 6, window: 64, warmup: 32 };
      const steps = await play(harness, norms, skipSpikes(settings));
      check(steps, spikesAmong(norms, settings));
      same(steps[120]?.skipped, true, "skipped at the change of level");
      same(
        steps.slice(184).some(({ skipped }) => skipped),
        false,
        "skipped once the window has the new level",
      );
    },
  },
  lossCase("positive", recordedLosses(1, 1), { sigmas: 4, window: 50, warmup: 20 }),
  lossCase("of both signs", recordedLosses(2, -2), { sigmas: 3, window: 17, warmup: 10 }),
  {
    name: "a skipped step does not enter the memory of a rule",
    dependsOn: "kernels",
    script: async (harness) => {
      const norms = recordedNorms(11, 1, 300).map((norm) => Math.min(norm, FLT_MAX));
      const most = 8;
      const kept = norms.filter((norm) => !(norm > most));
      if (kept.length === norms.length) fail("no norm is above");
      for (const method of [autoClip({ percentile: 60, history: 50 }), zClip({ warmup: 20 })]) {
        const player = new Player(harness, norms);
        const steps = await player.play(await player.clip(method, { skip: skipAbove(most) }));
        const others = new Player(harness, kept);
        const wanted = await others.play(await others.clip(method));
        const taken = steps.filter(({ norm }) => !(norm > most));
        taken.forEach((step, i) => {
          for (const key of ["clipped", "skipped", "scale", "after", "bound"] as const) {
            same(step[key], wanted[i]?.[key], `${method.name}: ${key} of step ${i}`);
          }
        });
      }
    },
  },
  {
    name: "a memory is saved and resumed with that of the rule, to the bit",
    dependsOn: "kernels",
    script: async (harness) => {
      const norms = recordedNorms(12, 1, 200);
      const settings = { sigmas: 3, window: 40, warmup: 20 };
      for (const method of [
        clipByGlobalNorm(BOUND),
        autoClip({ percentile: 60, history: 30 }),
        zClip({ warmup: 20 }),
      ]) {
        const options = { skip: skipSpikes(settings) };
        const player = new Player(harness, norms);
        const whole = await player.play(await player.clip(method, options));
        for (const at of [7, 90]) {
          const again = new Player(harness, norms);
          const first = await again.clip(method, options);
          await again.play(first, 0, at);
          const second = await again.clip(method, options);
          second.restore(await first.state());
          const steps = await again.play(second, at);
          steps.forEach((step, i) => {
            for (const key of ["spike", "scale", "after"] as const) {
              same(step[key], whole[at + i]?.[key], `${method.name}, resumed at ${at}: ${key} of step ${at + i}`);
            }
          });
        }
      }
    },
  },
  {
    name: "a memory goes from the CPU to the GPU and back",
    gpuScript: async (harness) => {
      const norms = recordedNorms(13, 1, 100);
      const settings = { sigmas: 3, window: 40, warmup: 20 };
      const array = new Float32Array(1);
      const cpu = harness.prepare([array], clipByGlobalNorm(BOUND), { skip: skipSpikes(settings) });
      for (const norm of norms.slice(0, 60)) {
        array[0] = norm;
        cpu.run();
      }
      const player = new Player(harness, norms);
      const gpu = await player.clip(clipByGlobalNorm(BOUND), { skip: skipSpikes(settings) });
      gpu.restore(await cpu.state());
      check(await player.play(gpu, 60), spikesAmong(norms, settings).slice(60));
      const returned = new Float64Array(await gpu.state());
      cpu.restore(returned);
      const same64 = new Float64Array(await cpu.state());
      same(same64.length, returned.length, "numbers saved");
      same64.forEach((value, i) => {
        same(value, returned[i], `number ${i} of the state`);
      });
    },
  },
  {
    name: "what a skip leaves alone: apply record, measureNorm; and a totalNorm is judged",
    script: async (harness) => {
      const record = new Player(harness, Float32Array.of(9));
      const [published] = await record.play(
        await record.clip(clipByGlobalNorm(BOUND), { skip: skipAbove(5), apply: "record" }),
      );
      same(published?.after, 9, "the gradient under apply: record");
      same(published?.scale, 0, "the scale under apply: record");
      const measured = new Player(harness, Float32Array.of(9));
      const [found] = await measured.play(await measured.clip(measureNorm(), { skip: skipAbove(5) }));
      same(found?.spike, true, "spike of measureNorm");
      same(found?.after, 9, "the gradient under measureNorm");
      const given = new Player(harness, Float32Array.of(1, 1));
      const steps = await given.play(await given.clip(clipByGlobalNorm(BOUND), { skip: skipAbove(5), totalNorm: 6 }));
      same(steps[0]?.spike, true, "spike of a totalNorm");
    },
  },
  {
    name: "methods with many norms: a verdict over all makes every gradient 0, in every entry",
    script: async (harness) => {
      const shape = [2, 3];
      const methods = [clipByNorm(1), clipByNorm(1, { axes: [0] }), clipByBlockRms(0.5), adaptiveGradClip()];
      for (const method of methods) {
        for (const [most, isSkipped] of [
          [5, true],
          [1000, false],
        ] as const) {
          const memory = harness.allocate(
            [1, 2].map((size) => ({
              ...tensor([3, 4, 0, size, -size, 1], { shape }),
              place: { memory: "arena", byteOffset: 256 * size },
              parameter: { bits: bitsFrom([1, 2, 3, 4, 5, 6]) },
            })),
          );
          const clip = harness.prepare(memory.gradients, method, { skip: skipAbove(most) });
          await clip.ready;
          clip.run();
          const report = await clip.report();
          const what = `${method.name}, skipAbove(${most})`;
          same(report.spikeSteps, Number(isSkipped), `${what}: spikes`);
          same(report.skippedSteps, Number(isSkipped), `${what}: skipped`);
          same(report.clipped, !isSkipped, `${what}: clipped`);
          same(report.scale, isSkipped ? 0 : Number.NaN, `${what}: scale`);
          near(report.norm, Math.sqrt(62), 2, `${what}: norm`);
          const after = floatsOf((await memory.read()).get("arena") ?? fail("no arena"));
          const values = [...after.slice(64, 70), ...after.slice(128, 134)];
          same(
            values.every((value) => value === 0),
            isSkipped,
            `${what}: all 0`,
          );
          if (isSkipped && harness.backend === "webgpu") await checkEntries(harness as WebGpuHarness, clip, what);
        }
      }
    },
  },
  {
    name: "a parameter that is not finite makes the step so: it is not judged and not remembered",
    script: async (harness) => {
      const given = [Number.NaN, 1].map((value) =>
        harness.allocate([{ ...tensor([30, 40], { shape: [2] }), parameter: tensor([value, 2]) }]),
      );
      const [bad = fail("no memory"), good = fail("no memory")] = given;
      const clip = harness.prepare(bad.gradients, adaptiveGradClip(), { skip: skipAbove(5) });
      clip.run();
      const first = await clip.report();
      same(first.spikeSteps, 0, "spikes of a NaN among the parameters");
      same(first.nonFiniteSteps, 1, "steps that are not finite");
      clip.run(good.gradients);
      same((await clip.report()).spikeSteps, 1, "spikes with a finite parameter");
    },
  },
  {
    name: "a norm after gradScale is judged, and a loss that is not finite skips whatever nonFinite says",
    script: async (harness) => {
      const scaled = new Player(harness, Float32Array.of(9, 11));
      const clip = await scaled.clip(clipByGlobalNorm(BOUND), { skip: skipAbove(5), gradScale: 0.5 });
      const steps = await scaled.play(clip);
      same(steps[0]?.spike, false, "spike of 9 * 0.5");
      same(steps[1]?.spike, true, "spike of 11 * 0.5");
      for (const nonFinite of ["keep", "propagate"] as const) {
        const { loss, before } = lossOf(harness, Float32Array.of(1, Number.NaN, 1));
        const player = new Player(harness, Float32Array.of(Number.NaN, Number.NaN, 1));
        const judged = await player.clip(clipByGlobalNorm(BOUND), { skip: skipSpikes({ loss }), nonFinite });
        const [alone, both, fine] = await player.play(judged, 0, 3, before);
        same(alone?.spike, false, `${nonFinite}: spike of a NaN gradient`);
        same(both?.spike, true, `${nonFinite}: spike of a NaN loss`);
        same(both?.scale, 0, `${nonFinite}: scale of a NaN loss`);
        same(bitsOf(both?.after ?? Number.NaN), 0, `${nonFinite}: the gradient under a NaN loss`);
        same(fine?.after, 1, `${nonFinite}: the gradient of a good step`);
      }
    },
  },
  {
    name: "groups: those that are only measured do not count, and are 0 after a spike too",
    script: async (harness) => {
      // The first and the third group are scaled; the second one is by far the largest, and has its own NaN and jumps.
      const [a, loud, sometimes, b] = recordedTracks(4, 300);
      if (!a || !loud || !sometimes || !b) fail("four tracks");
      a.norms[150] = 1e3;
      loud.norms[150] = Number.NaN;
      const tracks = [
        { ...a, group: "scaled" },
        { norms: loud.norms.map((norm) => 1e4 * norm), group: "measured" },
        { ...sometimes, group: "rest" },
        { ...b, group: "scaled" },
      ];
      const settings = { sigmas: 3, window: 40, warmup: 20 };
      const method = clipByGroupNorm({ scaled: BOUND, measured: Infinity, rest: 2 * BOUND });
      const series = new Series(harness, tracks);
      const clip = await series.clip(method, { skip: skipSpikes(settings) });
      const steps = await series.play(clip);
      const judged = range(300).map((step) => {
        const there = [tracks[0], tracks[2], tracks[3]].filter((track) => track && !track.isAbsent?.(step));
        return Math.hypot(...there.map((track) => track?.norms[step] as number));
      });
      const verdicts = spikesAmong(judged, settings);
      steps.forEach(({ spike, skipped, after }, i) => {
        if (verdicts[i] !== "either") same(spike, verdicts[i] as boolean, `step ${i}: spike`);
        const isBad = tracks.some(({ norms, isAbsent }) => !isAbsent?.(i) && !Number.isFinite(norms[i]));
        same(skipped, spike || isBad, `step ${i}: skipped`);
        const there = after.filter((_, track) => !tracks[track]?.isAbsent?.(i));
        if (spike) for (const value of there) same(bitsOf(value), 0, `step ${i}: a gradient after a spike`);
        else if (Number.isFinite(loud.norms[i]))
          same(after[1], tracks[1]?.norms[i], `step ${i}: what is only measured`);
      });
      same(steps[150]?.spike, true, "a spike beside a NaN in what is only measured");
      const again = new Series(harness, tracks);
      const first = await again.clip(method, { skip: skipSpikes(settings) });
      await again.play(first, 0, 120);
      const second = await again.clip(method, { skip: skipSpikes(settings) });
      second.restore(await first.state());
      sameSeries(await again.play(second, 120), steps.slice(120), "resumed at 120");
    },
  },
  {
    name: "groups: a step with nothing but what is only measured is not judged",
    script: async (harness) => {
      const norms = (...values: number[]) => Float32Array.of(...values);
      const tracks = [
        { norms: norms(1, 1, 1, 1, 1, 1, 9), group: "scaled", isAbsent: (step: number) => step > 2 && step < 6 },
        { norms: norms(1, 900, 1, 900, 900, 900, 1), group: "measured" },
      ];
      const series = new Series(harness, tracks);
      const method = clipByGroupNorm({ measured: Infinity, scaled: 100 });
      const steps = await series.play(
        await series.clip(method, { skip: skipSpikes({ sigmas: 3, warmup: 4, window: 8 }) }),
      );
      // The fourth norm that is judged is the 9.
      const wanted = [false, false, false, false, false, false, true];
      same(steps.map(({ spike }) => spike).join(), wanted.join(), "spikes");
    },
  },
];
