/**
 * Memories that go from the CPU to the device and back in the middle of a run: every decision is the reference's, over recorded steps
 * with spikes, NaN, infinities, zeros, absent gradients, and steps without any.
 */
import {
  adaGC,
  autoClip,
  type ClipMethod,
  type ClipOptions,
  clipByGlobalNorm,
  skipSpikes,
  zClip,
} from "../../../src/index.ts";
import { percentiles } from "../adaptiveSteps.ts";
import { range } from "../build.ts";
import { fail, same } from "../expect.ts";
import { adaVerdicts, type Verdict, zVerdicts } from "../referenceMemories.ts";
import { spikesAmong } from "../referenceSkip.ts";
import { recordedTracks, Series, type SeriesStep, type Track } from "../series.ts";
import type { Case, Harness } from "../types.ts";
import { check } from "./memories.ts";

const STEPS = 300;
/** Where the memory goes to the device, and where it comes back. */
const [THERE, BACK] = [110, 200];
/** Within this of a bound either answer is right. */
const NEAR = 1e-6;
const BOUND = 9;

interface Crossing {
  readonly name: string;
  readonly method: ClipMethod;
  readonly options?: ClipOptions;
  readonly tracks: readonly Track[];
  /** Fails where a decision is not the reference's. Returns how many were compared. */
  readonly compare: (steps: readonly SeriesStep[]) => number;
}

/** In some steps there is no gradient. */
function recorded(seed: number): Track[] {
  return recordedTracks(4, STEPS, seed).map((track) => ({
    ...track,
    isAbsent: (step) => step % 41 === 17 || track.isAbsent?.(step) === true,
  }));
}

/** The norm over all gradients of a step; undefined where there is none. */
function jointsOf(tracks: readonly Track[]): (number | undefined)[] {
  return range(STEPS).map((step) => {
    const there = tracks.flatMap(({ norms, isAbsent }) => (isAbsent?.(step) ? [] : [norms[step] as number]));
    if (there.length === 0) return undefined;
    return there.some(Number.isNaN) ? Number.NaN : Math.hypot(...there);
  });
}

/** What is found for the steps that have a gradient, at their places. */
function atSteps<T>(joints: readonly (number | undefined)[], found: readonly T[]): (T | undefined)[] {
  const left = [...found];
  return joints.map((norm) => (norm === undefined ? undefined : left.shift()));
}

function compareJoint(
  steps: readonly SeriesStep[],
  joints: readonly (number | undefined)[],
  spikes: readonly (boolean | "either" | undefined)[],
  bounds: readonly (number | undefined)[],
): number {
  let compared = 0;
  steps.forEach(({ spike, skipped, clipped }, step) => {
    const norm = joints[step] ?? 0;
    const verdict = spikes[step] ?? false;
    if (verdict !== "either") same(spike, verdict, `step ${step}: spike`);
    same(skipped, spike || !Number.isFinite(norm), `step ${step}: skipped`);
    const bound = bounds[step] ?? Infinity;
    if (Math.abs(norm - bound) <= NEAR * bound) return;
    same(clipped, !skipped && norm > bound, `step ${step}: clipped, of a norm ${norm} under a bound ${bound}`);
    compared += 1;
  });
  return compared;
}

function spikes(): Crossing {
  const settings = { sigmas: 3, window: 60, warmup: 20 };
  const tracks = recorded(31);
  const joints = jointsOf(tracks);
  const there = joints.filter((norm) => norm !== undefined);
  const verdicts = atSteps(joints, spikesAmong(there, settings));
  if (verdicts.filter((verdict) => verdict === true).length < 5) fail("few steps stand out");
  return {
    name: "skipSpikes",
    method: clipByGlobalNorm(BOUND),
    options: { skip: skipSpikes(settings) },
    tracks,
    compare: (steps) =>
      compareJoint(
        steps,
        joints,
        verdicts,
        joints.map(() => BOUND),
      ),
  };
}

function percentile(): Crossing {
  const tracks = recorded(32);
  const joints = jointsOf(tracks);
  const there = joints.filter((norm) => norm !== undefined);
  const bounds = atSteps(joints, percentiles(there, 30, 64));
  return {
    name: "autoClip",
    method: autoClip({ percentile: 30, history: 64 }),
    tracks,
    compare: (steps) => compareJoint(steps, joints, [], bounds),
  };
}

const z = { zThreshold: 2, decay: 0.95, warmup: 20 };
const GROUPS = [0, 2, 1, 0];

function ofEach(
  name: string,
  method: ClipMethod,
  tracks: readonly Track[],
  verdicts: readonly (readonly Verdict[])[],
  entryOf?: (i: number) => number,
): Crossing {
  return {
    name,
    method,
    tracks,
    compare: (steps) => {
      check(steps, verdicts, entryOf);
      return verdicts.flat().filter(({ bound }) => bound !== undefined).length;
    },
  };
}

function all(): Crossing[] {
  const [ada, tensors, groups] = [33, 34, 35].map(recorded) as [Track[], Track[], Track[]];
  const named = groups.map(
    (track, i): Track => ({ ...track, ...(i !== 1 && { group: ["a", "", "b", "a"][i] as string }) }),
  );
  const groupOf = (track: number) => GROUPS[track] as number;
  const settings = { relative: 1.05, decay: 0.98, warmup: 40, maxNorm: 1 };
  return [
    spikes(),
    percentile(),
    ofEach("adaGC", adaGC({ warmup: 40 }), ada, adaVerdicts(ada, settings)),
    ofEach("zClip per tensor", zClip({ ...z, per: "tensor" }), tensors, zVerdicts(tensors, z)),
    ofEach("zClip per group", zClip({ ...z, per: "group" }), named, zVerdicts(named, z, groupOf), groupOf),
  ];
}

/** Some steps on arrays, after a state. */
async function onArrays(
  harness: Harness,
  { tracks, method, options }: Crossing,
  [from, to]: readonly [number, number],
  state?: ArrayBuffer,
) {
  const views = tracks.map(({ group }) => ({ buffer: new Float32Array(1), ...(group && { group }) }));
  const clip = harness.prepare(views, method, options);
  if (state) clip.restore(state);
  const steps: SeriesStep[] = [];
  for (const step of range(to - from, from)) {
    for (const [i, { norms }] of tracks.entries()) views[i]?.buffer.set([norms[step] as number]);
    clip.run(views.map((view, i) => (tracks[i]?.isAbsent?.(step) ? null : view)));
    const { clipped, skippedSteps, spikeSteps, norm, scale } = await clip.report();
    const after = views.map(({ buffer }) => buffer[0] as number);
    steps.push({ clipped, skipped: skippedSteps === 1, spike: spikeSteps === 1, norm, scale, after });
  }
  return { steps, state: await clip.state() };
}

export const cases: Case[] = ["skipSpikes", "autoClip", "adaGC", "zClip per tensor", "zClip per group"].map((name) => ({
  name: `${name}: every decision, from the CPU to the device and back`,
  dependsOn: "kernels",
  script: async (harness) => {
    const crossing = all().find((one) => one.name === name) ?? fail(`no ${name}`);
    const before = await onArrays(harness, crossing, [0, THERE]);
    const series = new Series(harness, crossing.tracks);
    const clip = await series.clip(crossing.method, crossing.options);
    clip.restore(before.state);
    const there = await series.play(clip, THERE, BACK);
    const after = await onArrays(harness, crossing, [BACK, STEPS], await clip.state());
    const steps = [...before.steps, ...there, ...after.steps];
    const compared = crossing.compare(steps);
    if (compared < 0.8 * STEPS) fail(`${compared} decisions were compared`);
    for (const part of [before.steps, there, after.steps]) {
      if (!part.some(({ clipped }) => clipped)) fail("nothing was clipped in a part of the run");
    }
  },
}));
