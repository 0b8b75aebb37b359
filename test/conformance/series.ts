/** Steps of several gradients of one number each, whose magnitude is the gradient's norm. */
import type { Clip, ClipMethod, ClipOptions, ClipReport, GradientView } from "../../src/index.ts";
import { recordedNorms } from "./adaptiveSteps.ts";
import { range } from "./build.ts";
import { fail, same } from "./expect.ts";
import { COPY_DST, COPY_SRC } from "./harness-webgpu.ts";
import { RECORD_BYTES, readRecord } from "./record.ts";
import { StepMemory } from "./stepMemory.ts";
import type { Harness, WebGpuHarness } from "./types.ts";

/** One gradient over all steps. */
export interface Track {
  readonly norms: Float32Array;
  readonly group?: string;
  readonly isAbsent?: (step: number) => boolean;
}

/** A step: what the record says, and each gradient afterwards. */
export interface SeriesStep {
  readonly clipped: boolean;
  readonly skipped: boolean;
  readonly spike: boolean;
  readonly norm: number;
  readonly scale: number;
  /** By track; what is absent does not change. */
  readonly after: readonly number[];
  /** The entry of each norm; not told on the CPU. */
  readonly entries?: readonly { readonly norm: number; readonly scale: number; readonly flags: number }[];
}

type Told = Omit<SeriesStep, "after">;

const ENTRY_BYTES = 32;
const STEPS_AT_ONCE = 100;

/** Tracks as in training, of different sizes: the third is absent now and then, and the last begins with zeros. */
export function recordedTracks(count: number, steps: number, seed = 1): Track[] {
  return range(count).map((i) => {
    const norms = recordedNorms(seed + i, 3 ** (i - 1), steps);
    if (i === count - 1) norms.fill(0, 0, 9);
    return { norms, ...(i === 2 ? { isAbsent: (step: number) => step % 7 === 3 || step < 12 } : {}) };
  });
}

/** All steps of all tracks in one memory. */
export class Series {
  readonly tracks: readonly Track[];
  readonly steps: number;
  readonly #harness: Harness;
  readonly #memory: StepMemory;

  constructor(harness: Harness, tracks: readonly Track[]) {
    this.tracks = tracks;
    this.steps = tracks[0]?.norms.length ?? 0;
    this.#harness = harness;
    this.#memory = new StepMemory(
      harness,
      range(this.steps).map((step) => tracks.map(({ norms }) => norms[step] as number)),
    );
  }

  async clip(method: ClipMethod, options?: ClipOptions): Promise<Clip> {
    const views = this.#memory.gradientsOf(0);
    const clip = this.#harness.prepare(
      this.tracks.map(({ group }, i) => ({ ...(views[i] as GradientView), ...(group && { group }) })),
      method,
      options,
    );
    await clip.ready;
    return clip;
  }

  async play(clip: Clip, from = 0, to = this.steps): Promise<SeriesStep[]> {
    const told: Told[] = [];
    for (let first = from; first < to; first += STEPS_AT_ONCE) {
      const steps = range(Math.min(STEPS_AT_ONCE, to - first), first);
      told.push(
        ...(this.#harness.backend === "webgpu" ? await this.#encode(clip, steps) : await this.#run(clip, steps)),
      );
    }
    const after = await this.#memory.read();
    const count = this.tracks.length;
    return told.map((step, i) => ({
      ...step,
      after: [...after.subarray(count * (from + i), count * (from + i + 1))],
    }));
  }

  /** What is reported after each of the first steps. All reports are asked for before the first is awaited: Firefox answers ten times a second. */
  reports(clip: Clip, steps: number): Promise<ClipReport[]> {
    return Promise.all(
      range(steps).map((step) => {
        this.#submit(clip, step);
        return clip.report();
      }),
    );
  }

  #submit(clip: Clip, step: number): void {
    if (this.#harness.backend === "cpu") {
      clip.run(this.#gradientsOf(step));
      return;
    }
    const { device } = this.#harness as WebGpuHarness;
    const encoder = device.createCommandEncoder();
    this.#memory.around(encoder, step, () => clip.encode(encoder, this.#gradientsOf(step)));
    device.queue.submit([encoder.finish()]);
  }

  #gradientsOf(step: number): (GradientView | null)[] {
    const views = this.#memory.gradientsOf(step);
    return this.tracks.map(({ isAbsent }, i) => (isAbsent?.(step) ? null : (views[i] as GradientView)));
  }

  async #encode(clip: Clip, steps: readonly number[]): Promise<Told[]> {
    const { device, bufferOf, readBuffers } = this.#harness as WebGpuHarness;
    const entryBytes = clip.scales?.size ?? 0;
    const bytes = RECORD_BYTES + entryBytes;
    const log = bufferOf(new Uint32Array((bytes / 4) * steps.length), COPY_DST | COPY_SRC);
    const encoder = device.createCommandEncoder();
    steps.forEach((step, i) => {
      this.#memory.around(encoder, step, () => clip.encode(encoder, this.#gradientsOf(step)));
      encoder.copyBufferToBuffer(clip.record as GPUBuffer, 0, log, bytes * i, RECORD_BYTES);
      if (clip.scales) encoder.copyBufferToBuffer(clip.scales, 0, log, bytes * i + RECORD_BYTES, entryBytes);
    });
    device.queue.submit([encoder.finish()]);
    const [words = fail("no log")] = await readBuffers([log]);
    const told = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    return steps.map((_, i) => {
      const { flags, norm, normFloat, scale } = readRecord(told.subarray(bytes * i, bytes * i + RECORD_BYTES));
      const entries = new DataView(told.buffer, told.byteOffset + bytes * i + RECORD_BYTES, entryBytes);
      return {
        ...bitsIn(flags),
        norm: Number.isFinite(normFloat) ? norm : normFloat,
        scale,
        entries: range(entryBytes / ENTRY_BYTES).map((number) => entryIn(entries, ENTRY_BYTES * number)),
      };
    });
  }

  async #run(clip: Clip, steps: readonly number[]): Promise<Told[]> {
    const told: Told[] = [];
    for (const step of steps) {
      clip.run(this.#gradientsOf(step));
      const { clipped, scale, norm, skippedSteps, spikeSteps } = await clip.report();
      told.push({ clipped, scale, norm, skipped: skippedSteps === 1, spike: spikeSteps === 1 });
    }
    return told;
  }
}

function bitsIn(flags: number) {
  return { clipped: (flags & 1) !== 0, skipped: (flags & 2) !== 0, spike: (flags & 16) !== 0 };
}

function entryIn(view: DataView, at: number) {
  const f32 = (offset: number) => view.getFloat32(at + offset, true);
  return { scale: f32(0) * f32(4), flags: view.getUint32(at + 8, true), norm: f32(12) };
}

/** To the bit. */
export function sameSeries(actual: readonly SeriesStep[], wanted: readonly SeriesStep[], what: string): void {
  same(actual.length, wanted.length, `${what}: steps`);
  actual.forEach((step, i) => {
    for (const key of ["clipped", "skipped", "spike", "scale", "norm"] as const) {
      same(step[key], wanted[i]?.[key], `${what}: ${key} of step ${i}`);
    }
    step.after.forEach((value, track) => {
      same(value, wanted[i]?.after[track], `${what}: gradient ${track} after step ${i}`);
    });
  });
}
