import difference from "../../shaders/shared/difference.wgsl?raw";
import wgsl from "../../shaders/skips/spikes.wgsl?raw";
import { LONGEST_WARMUP, readInteger, readNormalFloat, readOptions, refuseTypeGPU, wrongValue } from "../check.ts";
import { floatBits, LARGEST } from "../floats.ts";
import { arrayType, byteOffsetOf, isGPUBuffer } from "../ranges.ts";
import { packed, packedBytes, type Remembered, refuseUnless, unpacked } from "../remembered.ts";
import { type Source, sourceIn } from "../source.ts";
import { struct } from "../struct.ts";
import type { SkipRule } from "./skip.ts";
import { skipRule } from "./skipRule.ts";

/** As in shaders/skips/spikes.wgsl. */
export const spikesStruct = struct(
  "window",
  "warmup",
  "sigmas",
  "lossIndex",
  "listAt",
  "normsSeen",
  "normsNext",
  "lossesSeen",
  "lossesNext",
);
const LONGEST_WINDOW = 65_536;
/** A counter of 32 bits stays at its largest. */
const MOST_SEEN = 2 ** 32 - 1;
const TAG = 0x67_63_73_01; // version 1
const SUBJECT = "skipSpikes";

/**
 * Skips a step whose norm stands out from those before it: norm > mean + sigmas * deviation of the last `window` finite norms (the
 * deviation of a sample, over n - 1), from the `warmup`-th finite norm on. With `loss`, a step whose loss stands out from the losses
 * before it is skipped too, and one whose loss is NaN or infinite always. For `ClipOptions.skip`; decided on the device, without a
 * read-back. After OLMo-core's `SkipStepOptimizer` (allenai/OLMo-core, src/olmo_core/optim/skip_step_optimizer.py), whose first
 * version also skipped what lies as far below the mean. A skipped step's norm counts among the last ones, as there: a lasting change of
 * level is skipped for some steps and then accepted. Norms that are not finite are left to `nonFinite` and are not counted.
 *
 * @example
 * ```ts
 * const gradient = new Float32Array(1);
 * const clip = (await createClipper()).prepare([gradient], clipByGlobalNorm(10), { skip: skipSpikes({ sigmas: 3, warmup: 4 }) });
 * for (const value of [1, 2, 3, 9]) {
 *   gradient.set([value]);
 *   clip.run(); // the mean of 1, 2, 3 is 2 and the deviation 1: 9 is above 2 + 3 * 1
 * }
 * gradient; // [0]
 * ```
 * @param options.sigmas a positive normal float32; default 6.
 * @param options.window how many norms count, 2 to 65,536; default 128.
 * @param options.warmup the first norm that is judged, 3 to 1,000,000; default 64.
 * @param options.loss one float32: in a GPUBuffer for gradients on the GPU, in a Float32Array for arrays. It is read at each step.
 * @throws RangeError for any other number and for a buffer that is too small, TypeError for anything else and for an unknown option;
 * of `prepare`: TypeError for clipByValue, clipPerExample and `members`, and for a loss that is not where the gradients are.
 */
export function skipSpikes(options?: {
  sigmas?: number;
  window?: number;
  warmup?: number;
  loss?: { buffer: GPUBuffer | Float32Array; byteOffset?: number };
}): SkipRule {
  const known = ["sigmas", "window", "warmup", "loss"] as const;
  const { sigmas = 6, window = 128, warmup = 64, loss } = readOptions(options, "skipSpikes's options", known);
  const settings: Settings = {
    sigmas: readNormalFloat(sigmas, "skipSpikes's sigmas"),
    window: readInteger(window, "skipSpikes's window", 2, LONGEST_WINDOW),
    warmup: readInteger(warmup, "skipSpikes's warmup", 3, LONGEST_WARMUP),
  };
  const source = loss === undefined ? undefined : readLoss(loss);
  const isOnGpu = source && isGPUBuffer(source.buffer);
  return skipRule({
    name: "skipSpikes",
    wgsl,
    texts: { "shared/difference": difference },
    loss: isOnGpu ? (source as Source) : undefined,
    check: (where) => source && refuseElsewhere(isOnGpu ? "webgpu" : "cpu", where),
    begin() {
      const memory = new Spikes(settings, source);
      return { memory, isSpike: (norm) => memory.isSpike(norm) };
    },
  });
}

function refuseElsewhere(loss: "webgpu" | "cpu", where: "webgpu" | "cpu"): void {
  if (loss === where) return;
  const [is, are, remedy] =
    where === "cpu" ? ["a GPUBuffer", "arrays", "a Float32Array"] : ["a Float32Array", "GPU buffers", "a GPUBuffer"];
  throw new TypeError(`options.skip's loss is ${is}, but the gradients are ${are}; pass ${remedy}.`);
}

type LossSource = Source | { readonly buffer: Float32Array; readonly byteOffset: number };

interface Settings {
  readonly sigmas: number;
  readonly window: number;
  readonly warmup: number;
}

function readLoss(value: unknown): LossSource {
  const subject = "skipSpikes's loss";
  const { buffer, byteOffset } = readOptions(value, subject, ["buffer", "byteOffset"]);
  refuseTypeGPU(buffer, `${subject}.buffer`);
  if (isGPUBuffer(buffer)) return sourceIn(buffer, byteOffset, subject);
  if (arrayType(buffer) !== "Float32Array") {
    throw wrongValue(buffer, `${subject}.buffer`, "a GPUBuffer or a Float32Array that holds one float32");
  }
  const array = buffer as Float32Array;
  const offset = byteOffsetOf(byteOffset, 4, subject);
  if (offset + 4 > array.byteLength) {
    throw new RangeError(
      `${subject} needs 4 bytes from byte ${offset}, but the array has ${array.byteLength}; pass an array that holds one float32.`,
    );
  }
  return { buffer: array, byteOffset: offset };
}

/** An array whose memory was given away has no elements. */
function lossIn({ buffer, byteOffset }: LossSource): number {
  const loss = (buffer as Float32Array)[byteOffset / 4];
  if (loss !== undefined) return loss;
  throw new TypeError("skipSpikes's loss is on a detached ArrayBuffer; pass the array that owns it now.");
}

/** The last finite values of one kind. */
class Series {
  /** The oldest first. */
  values: number[] = [];
  /** How many there were. */
  seen = 0;

  /** Whether a value stands out from those before it, which it then joins. */
  judge(value: number, { sigmas, window, warmup }: Settings): boolean {
    const isSpike = this.seen >= warmup - 1 && value > this.#limit(sigmas);
    this.seen = Math.min(this.seen + 1, MOST_SEEN);
    this.values.push(Math.fround(Math.min(value, LARGEST)));
    if (this.values.length > window) this.values.shift();
    return isSpike;
  }

  /** Differences from one of them, so that equal values have a deviation of 0 and a mean that is exact. */
  #limit(sigmas: number): number {
    const [first = 0] = this.values;
    const count = this.values.length;
    const mean = this.values.reduce((sum, value) => sum + (value - first), 0) / count;
    const squares = this.values.reduce((sum, value) => sum + (value - first - mean) ** 2, 0);
    return first + (mean + sigmas * Math.sqrt(squares / (count - 1)));
  }
}

/** Twin of shaders/skips/spikes.wgsl. */
class Spikes implements Remembered {
  readonly subject: string;
  readonly savedBytes: number;
  readonly headWords = spikesStruct.words;
  readonly #settings: Settings;
  readonly #loss: LossSource | undefined;
  readonly #norms = new Series();
  readonly #losses = new Series();

  constructor(settings: Settings, loss: LossSource | undefined) {
    this.#settings = settings;
    this.#loss = loss;
    this.subject = `${SUBJECT} with a window of ${settings.window}${loss ? " and a loss" : ""}`;
    this.savedBytes = packedBytes(this.#series.length * (1 + settings.window));
  }

  get #series(): Series[] {
    return this.#loss ? [this.#norms, this.#losses] : [this.#norms];
  }

  isSpike(norm: number): boolean {
    const loss = this.#loss && lossIn(this.#loss);
    const stands = Number.isFinite(norm) && this.#norms.judge(norm, this.#settings);
    if (loss === undefined) return stands;
    const lossStands = !Number.isFinite(loss) || this.#losses.judge(loss, this.#settings);
    return stands || lossStands;
  }

  save(): ArrayBuffer {
    const { window } = this.#settings;
    return packed(
      TAG,
      this.#series.flatMap(({ seen, values }) => [seen, ...values, ...Array<number>(window - values.length).fill(0)]),
    );
  }

  load(saved: ArrayBuffer): void {
    const { window } = this.#settings;
    const values = unpacked(saved, TAG, this.#series.length * (1 + window), this.subject);
    const read = this.#series.map((_, number) => {
      const [seen = 0, ...list] = values.slice(number * (1 + window), (number + 1) * (1 + window));
      const isCount = Number.isInteger(seen) && seen >= 0 && seen < 2 ** 32;
      const isValue = (value: number) =>
        Math.fround(value) === value && Math.abs(value) <= LARGEST && (number > 0 || value >= 0);
      refuseUnless(isCount && list.every(isValue), this.subject);
      return { seen, values: list.slice(0, Math.min(seen, window)) };
    });
    for (const [number, series] of this.#series.entries()) Object.assign(series, read[number]);
  }

  toWords(listAt: number): Uint32Array<ArrayBuffer> {
    const { window, warmup, sigmas } = this.#settings;
    const words = new Uint32Array(spikesStruct.words + this.#series.length * window);
    const next = ({ values }: Series) => values.length % window;
    spikesStruct.write(words, 0, {
      window,
      warmup,
      sigmas: floatBits(sigmas),
      lossIndex: this.#loss ? (this.#loss.byteOffset % 256) / 4 : 0xffffffff,
      listAt,
      normsSeen: this.#norms.seen,
      normsNext: next(this.#norms),
      lossesSeen: this.#losses.seen,
      lossesNext: next(this.#losses),
    });
    const floats = new Float32Array(words.buffer);
    for (const [number, { values }] of this.#series.entries()) floats.set(values, spikesStruct.words + number * window);
    return words;
  }

  fromWords(words: Uint32Array): void {
    const { window } = this.#settings;
    const field = (name: (typeof spikesStruct.fields)[number]) => spikesStruct.read(words, 0, name);
    const counts = [
      [field("normsSeen"), field("normsNext")],
      [field("lossesSeen"), field("lossesNext")],
    ];
    for (const [number, series] of this.#series.entries()) {
      const [seen = 0, next = 0] = counts[number] ?? [];
      const at = words.byteOffset + 4 * (spikesStruct.words + number * window);
      const ring = [...new Float32Array(words.buffer, at, window)];
      Object.assign(series, {
        seen,
        values: seen < window ? ring.slice(0, seen) : [...ring.slice(next), ...ring.slice(0, next)],
      });
    }
  }
}
