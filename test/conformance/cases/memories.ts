/** Methods that remember each of several norms, over recorded steps of four gradients, one of which is absent now and then. */
import { adaGC, type ClipMethod, type ClipOptions, skipAbove, skipSpikes, zClip } from "../../../src/index.ts";
import { checkWithin } from "../adaptiveSteps.ts";
import { range, tensor } from "../build.ts";
import { fail, near, refuses, same } from "../expect.ts";
import { MIN_NORMAL, ulp24 } from "../numbers.ts";
import { type AdaSettings, adaVerdicts, type Skips, type Verdict, zVerdicts } from "../referenceMemories.ts";
import { recordedTracks, Series, type SeriesStep, sameSeries, type Track } from "../series.ts";
import type { Case, Harness } from "../types.ts";

/** Of a bound: means have 32 bits, and a step's change of them 24. Within this of a bound either answer is right. */
const TOLERANCE = 1e-6;
const STEPS = 300;
const DEFAULTS: AdaSettings = { relative: 1.05, decay: 0.98, warmup: 100, maxNorm: 1 };

/** Every gradient after every step, and on the GPU every decision. Returns how many decisions were compared. */
export function check(
  steps: readonly SeriesStep[],
  verdicts: readonly (readonly Verdict[])[],
  entryOf = (i: number) => i,
): number {
  let compared = 0;
  same(steps.length, verdicts.length, "steps");
  steps.forEach(({ after, entries, clipped }, step) => {
    const ofStep = verdicts[step] ?? [];
    ofStep.forEach(({ wanted, bound, norm }, i) => {
      const what = `step ${step}, gradient ${i}`;
      if (wanted === undefined) return;
      const room = wanted * TOLERANCE + 2 * ulp24(wanted) + (wanted > 0 && wanted < MIN_NORMAL ? MIN_NORMAL : 0);
      checkWithin(after[i] as number, wanted, room, what);
      const entry = entries?.[entryOf(i)];
      if (!entry || bound === undefined || Math.abs(norm - bound) <= TOLERANCE * bound) return;
      same((entry.flags & 1) !== 0, norm > bound, `${what}: clipped, of a norm ${norm} under a bound ${bound}`);
      compared += 1;
    });
    const isNear = ofStep.some(({ norm, bound = Infinity }) => Math.abs(norm - bound) <= TOLERANCE * bound);
    const isAny = ofStep.some(({ norm, bound = Infinity }) => norm > bound);
    if (!isNear) same(clipped, isAny, `step ${step}: clipped`);
  });
  return compared;
}

async function play(harness: Harness, tracks: readonly Track[], method: ClipMethod, options?: ClipOptions) {
  const series = new Series(harness, tracks);
  return series.play(await series.clip(method, options));
}

function adaCase(name: string, settings: Partial<AdaSettings>, skip?: ClipOptions["skip"], isSkipped?: Skips): Case {
  const all = { ...DEFAULTS, ...settings };
  return {
    name: `adaGC, ${name}`,
    dependsOn: "kernels",
    script: async (harness) => {
      const tracks = recordedTracks(4, STEPS, 7);
      const steps = await play(harness, tracks, adaGC(settings), { skip });
      check(steps, adaVerdicts(tracks, all, isSkipped));
      if (!steps.some(({ clipped }) => clipped)) fail("nothing was clipped");
      if (skip && !steps.some(({ spike }) => spike)) fail("no step was skipped");
    },
  };
}

const z = { zThreshold: 2, decay: 0.95, warmup: 20 };
const grouped = (tracks: readonly Track[]): Track[] =>
  tracks.map((track, i) => ({ ...track, ...(i === 1 ? {} : { group: ["a", "", "b", "a"][i] }) }));
/** The numbers of their groups: as they come, and the one without a group last. */
const GROUPS = [0, 2, 1, 0];

interface Resumed {
  readonly name: string;
  readonly method: ClipMethod;
  readonly options?: ClipOptions;
  readonly tracksOf: (steps: number) => Track[];
}

const resumed: readonly Resumed[] = [
  { name: "adaGC", method: adaGC({ warmup: 40 }), tracksOf: (steps) => recordedTracks(4, steps, 11) },
  {
    name: "adaGC with a skip rule",
    method: adaGC({ warmup: 40 }),
    options: { skip: skipSpikes({ sigmas: 3, window: 40, warmup: 20 }) },
    tracksOf: (steps) => recordedTracks(4, steps, 12),
  },
  {
    name: "zClip per tensor",
    method: zClip({ ...z, per: "tensor" }),
    tracksOf: (steps) => recordedTracks(4, steps, 13),
  },
  {
    name: "zClip per group",
    method: zClip({ ...z, per: "group" }),
    tracksOf: (steps) => grouped(recordedTracks(4, steps, 14)),
  },
];

function resumeCases({ name, method, options, tracksOf }: Resumed): Case[] {
  return [
    {
      name: `${name}: a run that is saved and resumed takes the same steps, to the bit`,
      dependsOn: "kernels",
      script: async (harness) => {
        const tracks = tracksOf(140);
        const whole = await play(harness, tracks, method, options);
        for (const at of [0, 5, 39, 60]) {
          const again = new Series(harness, tracks);
          const before = await again.clip(method, options);
          await again.play(before, 0, at);
          const after = await again.clip(method, options);
          after.restore(await before.state());
          sameSeries(await again.play(after, at, at + 80), whole.slice(at, at + 80), `resumed at ${at}`);
          sameBytes(await roundTrip(again, method, options, await after.state()), await after.state(), "given back");
        }
      },
    },
    {
      name: `${name}: a state goes from the CPU to the GPU and back`,
      gpuScript: async (harness) => {
        const tracks = tracksOf(140);
        const whole = await play(harness, tracks, method, options);
        const arrays = tracks.map(() => new Float32Array(1));
        const views = arrays.map((buffer, i) => ({ buffer, ...(tracks[i]?.group && { group: tracks[i].group }) }));
        const cpu = harness.prepare(views, method, options);
        for (const step of range(60)) {
          for (const [i, { norms }] of tracks.entries()) arrays[i]?.set([norms[step] as number]);
          cpu.run(views.map((view, i) => (tracks[i]?.isAbsent?.(step) ? null : view)));
        }
        const series = new Series(harness, tracks);
        const gpu = await series.clip(method, options);
        gpu.restore(await cpu.state());
        const steps = await series.play(gpu, 60);
        steps.forEach(({ after, spike }, i) => {
          same(spike, whole[60 + i]?.spike, `spike of step ${60 + i}`);
          after.forEach((value, track) => {
            const wanted = whole[60 + i]?.after[track] as number;
            if (Number.isFinite(wanted))
              checkWithin(value, wanted, TOLERANCE * wanted, `gradient ${track} of step ${60 + i}`);
          });
        });
        const returned = await gpu.state();
        cpu.restore(returned);
        sameBytes(await cpu.state(), returned, "the GPU's state on the CPU");
      },
    },
  ];
}

async function roundTrip(series: Series, method: ClipMethod, options: ClipOptions | undefined, state: ArrayBuffer) {
  const clip = await series.clip(method, options);
  clip.restore(state);
  return clip.state();
}

function sameBytes(actual: ArrayBuffer, wanted: ArrayBuffer, what: string): void {
  same(new Uint8Array(actual).join(), new Uint8Array(wanted).join(), `${what}: bytes`);
}

const norms = (...values: number[]): Float32Array => Float32Array.from(values);

export const cases: Case[] = [
  adaCase("as it comes", {}),
  adaCase("after a short warm-up", { warmup: 12, relative: 1.5, decay: 0.9, maxNorm: 5 }),
  adaCase("without a warm-up", { warmup: 0, relative: 1, decay: 0.5 }),
  adaCase("without a memory", { warmup: 3, relative: 2, decay: 0, maxNorm: Infinity }),
  adaCase("a warm-up that lets nothing through", { warmup: 20, maxNorm: 0 }),
  adaCase("with a skip: what is skipped is not remembered", { warmup: 50 }, skipAbove(60), (norm) => norm > 60),
  {
    name: "adaGC: on the GPU every decision is the reference's",
    dependsOn: "kernels",
    gpuScript: async (harness) => {
      const tracks = recordedTracks(4, STEPS, 21);
      const compared = check(
        await play(harness, tracks, adaGC({ warmup: 30 })),
        adaVerdicts(tracks, { ...DEFAULTS, warmup: 30 }),
      );
      if (compared < 3 * STEPS) fail(`${compared} decisions were compared`);
    },
  },
  {
    name: "adaGC by hand: a zero gradient in the warm-up freezes nothing, and absence keeps the memory",
    script: async (harness) => {
      const tracks: Track[] = [
        { norms: norms(3, 3, 30, 30, 30, 3) },
        { norms: norms(4, 0, 0, 40, 4, 4), isAbsent: (step) => step === 4 },
        { norms: norms(0, 0, 8, 80, Number.NaN, 8) },
      ];
      const series = new Series(harness, tracks);
      const clip = await series.clip(adaGC({ relative: 2, decay: 0.5, warmup: 2, maxNorm: 2.5 }));
      const steps = await series.play(clip);
      // Joint norms of 5 and 3: averages 1.5 and 2, and none. Then bounds of 2 * 1.5, of nothing that is 0, and none.
      const wanted = [
        [1.5, 2, 0],
        [2.5, 0, 0],
        [3, 0, 8],
        [4.5, 4, 16],
        [6.75, 4, 0],
        [3, 4, 8],
      ];
      steps.forEach(({ after }, step) => {
        after.forEach((value, i) => {
          near(value, wanted[step]?.[i] as number, 3, `gradient ${i} after step ${step}`);
        });
      });
      same(steps.map(({ skipped }) => Number(skipped)).join(), "0,0,0,0,1,0", "skipped");
      const [, warmed, ...averages] = new Float64Array(await clip.state());
      same([warmed, ...averages].join(), [2, 4.03125, 3.5, 10].join(), "the state");
    },
  },
  ...(["zero", "keep", "propagate"] as const).map(
    (nonFinite): Case => ({
      name: `adaGC, ${nonFinite}: a NaN concerns everything in the warm-up, and its own gradient later`,
      script: async (harness) => {
        const bad = [Number.NaN, Infinity];
        const tracks: Track[] = [{ norms: norms(1, ...bad, 1, ...bad, 1) }, { norms: norms(4, 4, 4, 4, 4, 4, 4) }];
        const series = new Series(harness, tracks);
        const clip = await series.clip(adaGC({ warmup: 2, maxNorm: 1 }), { nonFinite });
        const steps = await series.play(clip);
        const clipped = 4 / Math.hypot(1, 4);
        const shared = { zero: [0, 0], keep: [4, 4], propagate: [Number.NaN, 0] }[nonFinite];
        const own = 1.05 * clipped;
        const wanted = [clipped, ...shared, clipped, own, own, own].map((value, step) =>
          step > 4 ? undefined : value,
        );
        steps.forEach(({ after, skipped, scale }, step) => {
          const value = wanted[step];
          if (value !== undefined) near(after[1] as number, value, 3, `the other gradient after step ${step}`);
          const isBad = !Number.isFinite(tracks[0]?.norms[step]);
          same(skipped, isBad && nonFinite === "zero", `step ${step}: skipped`);
          // The whole step is skipped only while everything is clipped together.
          same(scale, isBad && nonFinite === "zero" && step < 3 ? 0 : Number.NaN, `step ${step}: scale of the record`);
        });
        const [, warmed] = new Float64Array(await clip.state());
        same(warmed, 2, "steps of the warm-up");
      },
    }),
  ),
  {
    name: "adaGC: norms count after gradScale, and a step without gradients is none",
    script: async (harness) => {
      const tracks = recordedTracks(3, 60, 31);
      const half = tracks.map((track) => ({ ...track, norms: track.norms.map((norm) => norm / 2) }));
      const [a, b] = [new Series(harness, tracks), new Series(harness, half)];
      const scaled = await a.clip(adaGC({ warmup: 10 }), { gradScale: 0.5 });
      const plain = await b.clip(adaGC({ warmup: 10 }));
      await a.play(scaled);
      scaled.run(tracks.map(() => null));
      await b.play(plain);
      sameBytes(await scaled.state(), await plain.state(), "state");
    },
  },
  {
    name: "zClip per tensor: each by the program of the paper",
    dependsOn: "kernels",
    script: async (harness) => {
      const tracks = recordedTracks(4, STEPS, 3);
      const steps = await play(harness, tracks, zClip({ ...z, per: "tensor" }));
      check(steps, zVerdicts(tracks, z));
      if (!steps.some(({ clipped }) => clipped)) fail("nothing was clipped");
    },
  },
  {
    name: "zClip per group: each by its joint norm, in the order of the list, with a skip",
    dependsOn: "kernels",
    script: async (harness) => {
      const tracks = grouped(recordedTracks(4, STEPS, 5));
      const steps = await play(harness, tracks, zClip({ ...z, per: "group" }), { skip: skipAbove(60) });
      check(
        steps,
        zVerdicts(
          tracks,
          z,
          (track) => GROUPS[track] as number,
          (norm) => norm > 60,
        ),
        (track) => GROUPS[track] as number,
      );
      if (!steps.some(({ spike }) => spike)) fail("no step was skipped");
    },
  },
  {
    name: "zClip per group: groups by name, and every gradient's norm beside them",
    script: async ({ allocate, prepare }) => {
      const list = [
        tensor([3], { group: "b" }),
        tensor([12]),
        tensor([4], { group: "b" }),
        tensor([7], { group: "a" }),
      ];
      const clip = prepare(allocate(list).gradients, zClip({ per: "group" }), { tensorNorms: true });
      clip.run();
      const { groups, tensorNorms } = await clip.report();
      same(
        JSON.stringify(Object.entries(groups ?? {}).map(([name, { norm }]) => [name, norm])),
        '[["b",5],["a",7],["others",12]]',
        "groups",
      );
      same([...(tensorNorms ?? [])].join(), "3,12,4,7", "norms");
    },
  },
  {
    name: "zClip per tensor: zeros freeze nothing, and maxNorm caps each",
    script: async (harness) => {
      const tracks: Track[] = [{ norms: norms(0, 0, 0, 0, 8, 8, 8) }, { norms: norms(9, 9, 9, 9, 9, 9, 1) }];
      const series = new Series(harness, tracks);
      const steps = await series.play(await series.clip(zClip({ warmup: 2, per: "tensor", maxNorm: 8.5 })));
      same(steps.map(({ after }) => after[0]).join(), "0,0,0,0,8,8,8", "what was 0 at first");
      same(steps.map(({ after }) => after[1]).join(), "8.5,8.5,8.5,8.5,8.5,8.5,1", "what is above maxNorm");
    },
  },
  ...resumed.flatMap(resumeCases),
  {
    name: "restore refuses what is not a state of its own",
    script: async (harness) => {
      const series = new Series(harness, recordedTracks(4, 30, 2));
      const three = new Series(harness, recordedTracks(3, 30, 2));
      for (const [method, other] of [
        [adaGC(), zClip({ per: "tensor" })],
        [zClip({ per: "tensor" }), zClip()],
      ] as const) {
        const clip = await series.clip(method);
        await series.play(clip);
        const state = await clip.state();
        const fewer = await (await three.clip(method)).state();
        const foreign = await (await series.clip(other)).state();
        const damaged = state.slice(0);
        new Float64Array(damaged)[2] = -1;
        for (const bad of [fewer, foreign, damaged, state.slice(8)]) {
          refuses(() => clip.restore(bad), [RangeError], `a foreign state of ${method.name}`);
        }
        sameBytes(await clip.state(), state, "the state after what was refused");
      }
    },
  },
];
