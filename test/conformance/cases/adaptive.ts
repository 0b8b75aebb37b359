/**
 * Methods whose bound follows from the norms seen so far, over thousands of steps of recorded norms. Every step has a
 * gradient elsewhere in one buffer; many are encoded before one submit.
 */
import { autoClip, clipByGlobalNorm, zClip } from "../../../src/index.ts";
import {
  check,
  checkWithin,
  FEWER_STEPS,
  inParts,
  inUlps,
  Player,
  percentiles,
  recordedNorms,
  STEPS,
  type Step,
  Z_TOLERANCE,
  zBounds,
} from "../adaptiveSteps.ts";
import { dependentOn, range, raw, tensor } from "../build.ts";
import { fail, near, refuses, rejects, same } from "../expect.ts";
import { bitsOf, FLT_MAX, round24 } from "../numbers.ts";
import type { Case } from "../types.ts";

function autoCase(percentile: number, history: number, scale = 1, count = FEWER_STEPS): Case {
  return {
    name: `autoClip, percentile ${percentile} of the last ${history}, ${count} norms of about ${scale}`,
    script: async (harness) => {
      const player = new Player(harness, recordedNorms(percentile + history, scale, count));
      const steps = await player.play(await player.clip(autoClip({ percentile, history })));
      check(steps, percentiles(player.norms, percentile, history), inUlps);
    },
  };
}

function zCase(scale: number, zThreshold = 2.5, decay = 0.97, warmup = 25, count = FEWER_STEPS): Case {
  return {
    name: `zClip, threshold ${zThreshold}, decay ${decay}, warm-up ${warmup}, ${count} norms of about ${scale}`,
    script: async (harness) => {
      const player = new Player(harness, recordedNorms(warmup, scale, count));
      const steps = await player.play(await player.clip(zClip({ zThreshold, decay, warmup })));
      check(steps, zBounds(player.norms, zThreshold, decay, warmup), inParts);
      if (scale > 1e-3 && !steps.some((step) => step.clipped)) fail("nothing was clipped");
    },
  };
}

const methods = { autoClip: autoClip({ percentile: 60, history: 150 }), zClip: zClip({ warmup: 40 }) };

function sameSteps(actual: readonly Step[], wanted: readonly Step[], what: string): void {
  same(actual.length, wanted.length, `${what}: steps`);
  actual.forEach((step, i) => {
    for (const key of ["clipped", "skipped", "scale", "after", "bound"] as const) {
      same(step[key], wanted[i]?.[key], `${what}: ${key} of step ${i}`);
    }
  });
}

function resumeCases(name: keyof typeof methods): Case[] {
  const method = methods[name];
  return [
    {
      name: `${name}: a run that is saved and resumed takes the same steps, to the bit`,
      script: async (harness) => {
        const player = new Player(harness, recordedNorms(7, 1, FEWER_STEPS));
        const whole = await player.play(await player.clip(method));
        // In the warm-up, before the history is full, later, and just after a step that was not finite.
        const bad = player.norms.findIndex((norm, i) => i > 300 && !Number.isFinite(norm)) + 1;
        for (const at of [0, 1, 17, 149, 300, bad]) {
          const again = new Player(harness, player.norms);
          const before = await again.clip(method);
          sameSteps(await again.play(before, 0, at), whole.slice(0, at), `before ${at}`);
          const state = await before.state();
          const to = Math.min(at + 160, FEWER_STEPS);
          const after = await again.clip(method);
          after.restore(state);
          sameSteps(await again.play(after, at, to), whole.slice(at, to), `resumed at ${at}`);
        }
      },
    },
    {
      name: `${name}: a clip goes back to a state, and a state that is given back is the same`,
      script: async (harness) => {
        const norms = recordedNorms(8).slice(0, 300);
        const clip = await new Player(harness, norms).clip(method);
        const fresh = await clip.state();
        const first = await new Player(harness, norms).play(clip);
        const later = await clip.state();
        clip.restore(fresh);
        sameBytes(await clip.state(), fresh, "the first state");
        sameSteps(await new Player(harness, norms).play(clip), first, "once more");
        sameBytes(await clip.state(), later, "the last state");
      },
    },
    {
      name: `${name}: steps that are not finite leave no trace`,
      script: async (harness) => {
        const norms = Float32Array.of(Number.NaN, 3, Infinity, 4, -Infinity, Number.NaN, 5);
        const clip = await new Player(harness, norms).clip(method);
        await new Player(harness, norms).play(clip);
        const clean = new Player(harness, Float32Array.of(3, 4, 5));
        const other = await clean.clip(method);
        await clean.play(other);
        sameBytes(await clip.state(), await other.state(), "state");
      },
    },
    {
      name: `${name}: a state goes from the CPU to the GPU and back`,
      gpuScript: async (harness) => {
        const norms = recordedNorms(9).slice(0, 600);
        const whole = await new Player(harness, norms).play(await new Player(harness, norms).clip(method));
        const array = new Float32Array(1);
        const cpu = harness.prepare([array], method);
        for (const norm of norms.slice(0, 300)) {
          array[0] = norm;
          cpu.run();
        }
        const player = new Player(harness, norms);
        const gpu = await player.clip(method);
        const state = await cpu.state();
        gpu.restore(state);
        const steps = await player.play(gpu, 300);
        steps.forEach((step, i) => {
          checkWithin(step.scale, whole[300 + i]?.scale as number, Z_TOLERANCE, `scale of step ${300 + i}`);
        });
        const returned = await gpu.state();
        cpu.restore(returned);
        sameBytes(await cpu.state(), returned, "the GPU's state on the CPU");
      },
    },
    {
      name: `${name}: restore refuses what is not a state of its own`,
      script: async (harness) => {
        const player = new Player(harness, recordedNorms(1).slice(0, 50));
        const clip = await player.clip(method);
        await player.play(clip);
        const state = await clip.state();
        const wrong = { autoClip: autoClip({ history: 151 }), zClip: autoClip({ history: 2 }) }[name];
        const foreign = await (await player.clip(wrong)).state();
        const marked = state.slice(0);
        new Uint8Array(marked)[7] = 1;
        const negative = state.slice(0);
        new Float64Array(negative)[2] = -1;
        const broken = state.slice(0);
        new Float64Array(broken)[2] = Number.NaN;
        const fractional = state.slice(0);
        new Float64Array(fractional)[1] = 0.5;
        for (const bad of [new ArrayBuffer(0), state.slice(8), foreign, marked, negative, broken, fractional]) {
          refuses(() => clip.restore(bad), [RangeError], "a foreign state");
        }
        for (const bad of [undefined, null, 1, {}, [...new Float64Array(state)]]) {
          refuses(() => clip.restore(bad as ArrayBuffer), [TypeError], "no ArrayBuffer");
        }
        sameBytes(await clip.state(), state, "the state after what was refused");
      },
    },
  ];
}

function sameBytes(actual: ArrayBuffer, wanted: ArrayBuffer, what: string): void {
  same(actual.byteLength, wanted.byteLength, `${what}: bytes`);
  const bytes = new Uint8Array(wanted);
  new Uint8Array(actual).forEach((byte, i) => {
    same(byte, bytes[i], `${what}: byte ${i}`);
  });
}

const series: Case[] = [
  autoCase(10, 1024, 1, STEPS),
  autoCase(95, 100, 1, STEPS),
  autoCase(50, 65_536),
  autoCase(100, 333),
  autoCase(0.0001, 64),
  autoCase(33.3333, 65),
  autoCase(25, 1),
  autoCase(75, 2),
  autoCase(90, 50, 1e-41),
  autoCase(60, 50, 1e37),
  zCase(1, 2.5, 0.97, 25, STEPS),
  zCase(1000, 1, 0.9, 1),
  zCase(50, 0.5, 0.999, 300, STEPS),
  zCase(0.01, 3, 0.5, 2),
  zCase(1e-6),
  zCase(1e-30),
  zCase(1e36, 2, 0.99, 10),
];

export const cases: Case[] = [
  ...dependentOn("compiler", series),
  ...resumeCases("autoClip"),
  ...resumeCases("zClip"),
  {
    name: "autoClip after numpy's example, by hand",
    script: async (harness) => {
      const player = new Player(harness, Float32Array.of(4, 1, 3, 2, 10));
      const steps = await player.play(await player.clip(autoClip({ percentile: 50, history: 4 })));
      // Medians of 4; 4 1; 4 1 3; 4 1 3 2; 1 3 2 10.
      const wanted = [4, 2.5, 3, 2.5, 2.5];
      steps.forEach((step, i) => {
        same(step.after, Math.min(step.norm, wanted[i] as number), `the gradient of step ${i}`);
        if (step.bound !== undefined) same(step.bound, wanted[i], `bound of step ${i}`);
      });
    },
  },
  {
    name: "zClip by hand",
    script: async (harness) => {
      // Mean 3, variance 1; then z = 5, so 3 + 2 * 1 / 2.5; then the mean is 3.4 and the variance 0.5 * 1 + 0.5 * 0.16.
      const player = new Player(harness, Float32Array.of(2, 4, 8, 8));
      const steps = await player.play(await player.clip(zClip({ zThreshold: 2, decay: 0.5, warmup: 2 })));
      same(steps[1]?.clipped, false, "clipped in the warm-up");
      checkWithin(steps[2]?.after as number, 3.8, 4e-6, "the first bound");
      const deviation = Math.sqrt(0.58);
      checkWithin(steps[3]?.after as number, 3.4 + (4 * deviation * deviation) / 4.6, 1e-5, "the second bound");
    },
  },
  ...Object.entries(methods).map(([name, method]): Case => {
    return {
      name: `${name}: a norm that never changes is never clipped`,
      script: async (harness) => {
        for (const norm of [0, 1, 0.1, 1e30, FLT_MAX, 2 ** -149, 1e-8, 123456.789]) {
          // More than either method remembers.
          const player = new Player(harness, new Float32Array(170).fill(norm));
          const steps = await player.play(await player.clip(method));
          for (const step of steps) same(step.clipped, false, `clipped ${norm}`);
        }
      },
    };
  }),
  {
    name: "zClip: after norms that waver, one that stays is not clipped for long",
    script: async (harness) => {
      const wavering = recordedNorms(5).slice(0, 100);
      const player = new Player(harness, Float32Array.from([...wavering, ...Array(900).fill(1.7)]));
      const steps = await player.play(await player.clip(zClip()));
      for (const [i, step] of steps.slice(300).entries()) same(step.clipped, false, `clipped at ${300 + i}`);
    },
  },
  ...Object.entries({ autoClip: autoClip({ percentile: 100, maxNorm: 2 }), zClip: zClip({ maxNorm: 2 }) }).map(
    ([name, method]): Case => ({
      name: `${name}: maxNorm caps the bound, and set changes it`,
      script: async (harness) => {
        const player = new Player(harness, Float32Array.of(1, 4, 8, 8, 8, Number.NaN));
        const clip = await player.clip(method);
        const steps = await player.play(clip, 0, 2);
        clip.set({ maxNorm: 5 });
        steps.push(...(await player.play(clip, 2, 3)));
        clip.set({ maxNorm: 0 });
        steps.push(...(await player.play(clip, 3, 4)));
        clip.set({ maxNorm: Infinity });
        steps.push(...(await player.play(clip, 4)));
        const wanted = [1, 2, 5, 0, 8, 0];
        const bounds = name === "autoClip" ? [1, 2, 5, 0, 8] : [2, 2, 5, 0, Infinity];
        steps.forEach((step, i) => {
          same(step.after, wanted[i], `the gradient of step ${i}`);
          same(step.clipped, i > 0 && i < 4, `clipped in step ${i}`);
          if (step.bound !== undefined && i < 5) same(step.bound, bounds[i], `bound of step ${i}`);
        });
      },
    }),
  ),
  {
    name: "autoClip: norms beyond float32 count as the largest",
    script: async ({ allocate, prepare }) => {
      const memory = allocate([tensor([3e38, 3e38, 3e38, 3e38])]);
      const clip = prepare(memory.gradients, autoClip({ percentile: 100 }));
      clip.run();
      const report = await clip.report();
      near(report.norm, 2 * Math.fround(3e38), 2, "norm");
      same(report.clipped, true, "clipped");
      near(report.scale, FLT_MAX / round24(2 * Math.fround(3e38)), 2, "scale");
    },
  },
  {
    name: "zClip: norms beyond float32 are told apart",
    script: async ({ allocate, prepare }) => {
      const [usual, spike] = [allocate([tensor([2e38, 2e38, 2e38, 2e38])]), allocate([tensor(Array(4).fill(FLT_MAX))])];
      const clip = prepare(usual.gradients, zClip({ warmup: 3 }));
      for (const _ of range(10)) clip.run();
      same((await clip.report()).clippedSteps, 0, "clipped steps");
      clip.run(spike.gradients);
      const report = await clip.report();
      // No deviation at all, so the bound is the mean, at most the largest float32.
      same(report.clipped, true, "clipped");
      near(report.scale, 0.5, 4, "scale");
    },
  },
  {
    name: "the norm counts after gradScale, and a totalNorm in its place",
    script: async ({ allocate, prepare }) => {
      const memory = allocate([raw(Uint32Array.of(bitsOf(8)))]);
      const method = autoClip({ percentile: 100, history: 3 });
      const scaled = prepare(memory.gradients, method, { gradScale: 0.25, apply: "record" });
      const given = prepare(memory.gradients, method, { totalNorm: 2, apply: "record" });
      const plain = prepare(allocate([tensor([2])]).gradients, method, { apply: "record" });
      for (const clip of [scaled, given, plain]) clip.run();
      sameBytes(await scaled.state(), await plain.state(), "state with gradScale");
      sameBytes(await given.state(), await plain.state(), "state with totalNorm");
    },
  },
  {
    name: "a norm of 0 counts, no gradients do not",
    script: async ({ prepare, allocate }) => {
      const method = autoClip({ history: 2 });
      const none = prepare([], method);
      const zero = prepare(allocate([tensor([0])]).gradients, method);
      const fresh = await none.state();
      for (const clip of [none, zero]) clip.run();
      sameBytes(await none.state(), fresh, "state without gradients");
      const [, count] = new Float64Array(await zero.state());
      same(count, 1, "norms of which one is 0");
    },
  },
  {
    name: "a method that remembers nothing has no state",
    script: async ({ prepare, allocate }) => {
      const clip = prepare(allocate([tensor([3, 4])]).gradients, clipByGlobalNorm(1));
      await rejects(clip.state(), [TypeError], "state");
      refuses(() => clip.restore(new ArrayBuffer(32)), [TypeError], "restore");
    },
  },
  {
    name: "state sees what is submitted, restore holds for what is submitted later",
    gpuScript: async (harness) => {
      const player = new Player(harness, Float32Array.of(1, 2, 3));
      const clip = await player.clip(autoClip({ percentile: 100, history: 3 }));
      const empty = await clip.state();
      await player.play(clip, 0, 1);
      const one = await clip.state();
      const encoder = harness.device.createCommandEncoder();
      clip.encode(encoder);
      sameBytes(await clip.state(), one, "the state before the submit");
      clip.restore(empty);
      harness.device.queue.submit([encoder.finish()]);
      sameBytes(await clip.state(), one, "the state after the submit");
    },
  },
];
