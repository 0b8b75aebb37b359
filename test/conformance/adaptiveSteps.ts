/** Steps of a method whose bound follows from the norms seen so far, and what these must be, in float64. */
import type { Clip, ClipMethod, ClipOptions } from "../../src/index.ts";
import { range } from "./build.ts";
import { fail, same } from "./expect.ts";
import { COPY_DST, COPY_SRC } from "./harness-webgpu.ts";
import { bitsOf, FLT_MAX, MIN_NORMAL, MIN_SUBNORMAL, randomSource, ulp24 } from "./numbers.ts";
import { RECORD_BYTES, readRecord } from "./record.ts";
import { StepMemory } from "./stepMemory.ts";
import type { Harness, WebGpuHarness } from "./types.ts";

/** More than the default history of autoClip. */
export const STEPS = 1300;
export const FEWER_STEPS = 600;
const STEPS_AT_ONCE = 250;
const AUTO_ULPS = 2;
/** Of the bound. The GPU keeps mean and variance with 32 bits, and a step's change of them with 24: 1.3e-7 was the most seen. */
export const Z_TOLERANCE = 1e-6;

/** Norms as in training: they fall, waver and now and then jump; some are 0, some are of steps that went wrong. */
export function recordedNorms(seed: number, scale = 1, length = STEPS): Float32Array {
  const random = randomSource(seed);
  return Float32Array.from({ length }, (_, step) => {
    const usual = scale * (1 + 4 * Math.exp(-step / 300)) * Math.exp(0.3 * (random() + random() + random()));
    const event = (random() + 1) / 2;
    if (event < 0.01) return Number.NaN;
    if (event < 0.015) return Infinity;
    if (event < 0.03) return 0;
    return event < 0.05 ? usual * 10 ** (1 + random()) : usual;
  });
}

/** Losses that fall, waver and now and then jump. */
export function recordedLosses(seed: number, offset: number, length = 250): Float32Array {
  const random = randomSource(seed);
  return Float32Array.from({ length }, (_, step) => {
    const usual = offset + 3 * Math.exp(-step / 100) + 0.2 * (random() + random());
    const event = (random() + 1) / 2;
    if (event < 0.01) return Number.NaN;
    if (event < 0.02) return -Infinity;
    return event < 0.05 ? usual + 10 * (1 + random()) : usual;
  });
}

export interface Step {
  readonly norm: number;
  readonly clipped: boolean;
  readonly skipped: boolean;
  readonly spike: boolean;
  readonly scale: number;
  /** The gradient afterwards. */
  readonly after: number;
  /** As the record says; not told on the CPU. */
  readonly bound?: number;
}

type Told = Omit<Step, "norm" | "after">;

/** What happens before a step: on the GPU recorded into its encoder. */
export type Before = (step: number, encoder?: GPUCommandEncoder) => void;

/** A clip and the memory of all its steps: each is one number, whose magnitude is the norm. */
export class Player {
  readonly norms: Float32Array;
  readonly #harness: Harness;
  readonly #memory: StepMemory;

  constructor(harness: Harness, norms: Float32Array) {
    this.norms = norms;
    this.#harness = harness;
    this.#memory = new StepMemory(
      harness,
      [...norms].map((norm) => [norm]),
    );
  }

  async clip(method: ClipMethod, options?: ClipOptions): Promise<Clip> {
    const clip = this.#harness.prepare(this.#memory.gradientsOf(0), method, options);
    await clip.ready;
    return clip;
  }

  async play(clip: Clip, from = 0, to = this.norms.length, before: Before = () => {}): Promise<Step[]> {
    const told: Told[] = [];
    for (let first = from; first < to; first += STEPS_AT_ONCE) {
      const steps = range(Math.min(STEPS_AT_ONCE, to - first), first);
      told.push(
        ...(this.#harness.backend === "webgpu"
          ? await this.#encode(clip, steps, before)
          : await this.#run(clip, steps, before)),
      );
    }
    const after = await this.#memory.read();
    return told.map((step, i) => ({
      ...step,
      norm: this.norms[from + i] as number,
      after: after[from + i] as number,
    }));
  }

  async #encode(clip: Clip, steps: readonly number[], before: Before): Promise<Told[]> {
    const { device, bufferOf, readBuffers } = this.#harness as WebGpuHarness;
    const log = bufferOf(new Uint32Array((RECORD_BYTES / 4) * steps.length), COPY_DST | COPY_SRC);
    const encoder = device.createCommandEncoder();
    steps.forEach((step, i) => {
      before(step, encoder);
      this.#memory.around(encoder, step, () => clip.encode(encoder, this.#memory.gradientsOf(step)));
      encoder.copyBufferToBuffer(clip.record as GPUBuffer, 0, log, RECORD_BYTES * i, RECORD_BYTES);
    });
    device.queue.submit([encoder.finish()]);
    const [words = fail("no log")] = await readBuffers([log]);
    return steps.map((_, i) => {
      const { flags, scale, bound } = readRecord(
        new Uint8Array(words.buffer, words.byteOffset + RECORD_BYTES * i, RECORD_BYTES),
      );
      return { clipped: (flags & 1) !== 0, skipped: (flags & 2) !== 0, spike: (flags & 16) !== 0, scale, bound };
    });
  }

  async #run(clip: Clip, steps: readonly number[], before: Before): Promise<Told[]> {
    const told: Told[] = [];
    for (const step of steps) {
      before(step);
      clip.run(this.#memory.gradientsOf(step));
      const { clipped, scale, skippedSteps, spikeSteps } = await clip.report();
      told.push({ clipped, scale, skipped: skippedSteps === 1, spike: spikeSteps === 1 });
    }
    return told;
  }
}

/** numpy.percentile of the last norms that were finite, or undefined for a step that was not. */
export function percentiles(norms: Iterable<number>, percentile: number, history: number): (number | undefined)[] {
  const seen: number[] = [];
  return [...norms].map((norm) => {
    if (!Number.isFinite(norm)) return undefined;
    seen.push(Math.min(norm, FLT_MAX));
    const sorted = seen.slice(-history).sort((a, b) => a - b);
    // In whole numbers: 0.1 is no float64.
    const at = (sorted.length - 1) * Math.round(percentile * 1e4);
    const place = Math.floor(at / 1e6);
    const [below, above] = [sorted[place] as number, sorted[Math.min(place + 1, sorted.length - 1)] as number];
    return below + (above - below) * ((at % 1e6) / 1e6);
  });
}

/** The paper's program, in float64: the bound, Infinity where there is none, and undefined for a step that is not finite. */
export function zBounds(
  norms: Iterable<number>,
  zThreshold: number,
  decay: number,
  warmup: number,
): (number | undefined)[] {
  const first: number[] = [];
  let [mean, variance] = [0, 0];
  return [...norms].map((norm) => {
    if (!Number.isFinite(norm)) return undefined;
    if (first.length < warmup) {
      first.push(norm);
      mean = first.reduce((sum, n) => sum + n / first.length, 0);
      variance = first.reduce((sum, n) => sum + (n - mean) ** 2 / first.length, 0);
      return Infinity;
    }
    const deviation = Math.sqrt(variance);
    const z = (norm - mean) / (deviation + 1e-6);
    const bound = z > zThreshold ? mean + (zThreshold * deviation) / (z / zThreshold) : Infinity;
    const counted = Math.min(norm, bound);
    mean = decay * mean + (1 - decay) * counted;
    variance = decay * variance + (1 - decay) * (counted - mean) ** 2;
    return bound;
  });
}

/** Everything that a step says, against the bound that it should have had; `tolerance` is relative. */
function checkStep(step: Step, wanted: number | undefined, tolerance: (bound: number) => number, what: string): void {
  const { norm, bound, clipped, scale, after } = step;
  same(step.skipped, wanted === undefined, `${what}: skipped`);
  if (wanted === undefined) {
    same(clipped, false, `${what}: clipped, of a step that was not finite`);
    same(bitsOf(after), 0, `${what}: bits of the gradient, of a step that was not finite`);
    return;
  }
  if (bound !== undefined) {
    same(clipped, norm > bound, `${what}: clipped, of a norm ${norm} under a bound ${bound}`);
    // Where z is at its threshold either answer is right; what becomes of the gradient is the same.
    if (Number.isFinite(wanted)) checkWithin(bound, wanted, tolerance(wanted), `${what}: bound`);
  }
  const expected = Math.min(norm, wanted);
  const flushed = expected < MIN_NORMAL ? MIN_NORMAL : 0;
  checkWithin(after, expected, tolerance(expected) + 2 * ulp24(expected) + flushed, `${what}: the gradient`);
  checkWithin(scale * norm, expected, tolerance(expected) + 2 * ulp24(expected), `${what}: scale * norm`);
  if (!clipped) same(scale, 1, `${what}: scale of what was not clipped`);
}

export function checkWithin(actual: number, wanted: number, tolerance: number, what: string): void {
  if (!(Math.abs(actual - wanted) <= tolerance)) fail(`${what} is ${actual}, wanted ${wanted}`);
}

export const inUlps = (bound: number) => AUTO_ULPS * Math.max(ulp24(bound), MIN_SUBNORMAL);
export const inParts = (bound: number) => Z_TOLERANCE * bound;

export function check(
  steps: readonly Step[],
  wanted: readonly (number | undefined)[],
  tolerance: (bound: number) => number,
) {
  same(steps.length, wanted.length, "steps");
  steps.forEach((step, i) => {
    checkStep(step, wanted[i], tolerance, `step ${i}`);
  });
}
