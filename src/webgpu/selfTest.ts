import type { Clip } from "../clip.ts";
import { DeviceLostError, NoWebGPUError } from "../errors.ts";
import { clipByGlobalNorm } from "../methods/clipByGlobalNorm.ts";
import type { ClipMethod } from "../methods/method.ts";
import { CLIPPED, INFINITY_SEEN, NAN_SEEN, recordAt, SKIP } from "../record.ts";
import { COPY_DST, COPY_SRC, STORAGE } from "../usage.ts";
import type { DeviceContext } from "./device.ts";
import { watched } from "./faults.ts";
import { ignoreRejection } from "./pipelines.ts";
import { readBack } from "./readBack.ts";

/** The gradients of a self-test. Each has a buffer; one array has all their values side by side. */
interface Samples {
  readonly buffers: readonly GPUBuffer[];
  readonly starts: readonly number[];
  readonly count: number;
  readonly lanes: number;
}

type Values = Float32Array<ArrayBuffer>;

/** One step with a known answer. */
interface Trial {
  readonly name: string;
  /** The values are multiples of 1/4, times 2 to this power. */
  readonly power?: number;
  /** Every n-th value is 64 times as large. */
  readonly boostEvery?: number;
  /** Bits that replace values, and the indices of these values. */
  readonly nonFinite?: { readonly bits: readonly number[]; readonly at: (samples: Samples) => readonly number[] };
  readonly maxNorm?: number;
  readonly gradScale?: number;
  /** Another step in the same submit doubles all values first. */
  readonly doubledFirst?: true;
}

// Each byte of a bound and of a gradScale has its own offset: no byte may be 0 or equal another.
const BOUND = Math.fround(5.6789);
const GRAD_SCALE = Math.fround(1.2345);
const INFINITY_BITS = 0x7f800000;
const INFINITIES = [INFINITY_BITS, INFINITY_BITS + 2 ** 31];

/** NaN of both signs: with each payload bit alone, quiet and signalling, and with all bits. */
const NANS = [0, 2 ** 31].flatMap((sign) => {
  const payloads = [0x7fffff, ...Array.from({ length: 23 }, (_, bit) => 1 << bit)];
  return payloads.flatMap((payload) => [payload, payload | 0x400000]).map((bits) => sign + INFINITY_BITS + bits);
});

/** Indices at an odd distance: every part of a 16-byte word occurs. */
function everywhere({ starts: [, second = 0], count }: Samples): number[] {
  const [first, distance] = [second + 42, 31];
  return Array.from({ length: Math.ceil((count - first) / distance) }, (_, i) => first + distance * i);
}

/** A lane makes four loads at once. Each lane gets a bad value in another load: in words of 16 bytes and of 4. */
function inEachLoad(samples: Samples): number[] {
  return longOnes(samples).flatMap(({ start, width }) =>
    [0, 1, 2, 3].map((k) => start + width * (samples.lanes * (4 + k) + k) + (k % width)),
  );
}

function behindWholeTiles(samples: Samples): number[] {
  return longOnes(samples).map(({ end }) => end - 1);
}

function longOnes({ starts, count }: Samples) {
  const half = starts.length / 2;
  const [start, next, last] = [starts[half - 1], starts[half], starts.at(-1)] as [number, number, number];
  return [
    { start, end: next, width: 4 },
    { start: last, end: count, width: 1 },
  ];
}

const TRIALS: readonly Trial[] = [
  { name: "a sum of float32", maxNorm: BOUND, gradScale: GRAD_SCALE },
  { name: "a norm at the bound" },
  { name: "large values", power: 100, maxNorm: BOUND },
  { name: "subnormal values", power: -140, maxNorm: Infinity, gradScale: GRAD_SCALE * 2 ** 100 },
  { name: "values around 2^46", power: 44, boostEvery: 97, maxNorm: BOUND },
  { name: "NaN", nonFinite: { bits: NANS, at: everywhere }, maxNorm: BOUND },
  { name: "few infinities", nonFinite: { bits: INFINITIES, at: inEachLoad }, maxNorm: BOUND },
  { name: "infinities at the end", nonFinite: { bits: INFINITIES, at: behindWholeTiles }, maxNorm: BOUND },
  { name: "two steps in a submit", doubledFirst: true, maxNorm: BOUND, gradScale: GRAD_SCALE },
];

/**
 * Runs steps with known answers before any real gradients. Some drivers compute wrongly (Mali's and Adreno's have).
 * @param prepare a clipper's.
 * @throws NoWebGPUError ("self-test"), DeviceLostError.
 */
export async function tryOut(
  prepare: (gradients: readonly GPUBuffer[], method: ClipMethod) => Clip,
  context: DeviceContext,
): Promise<void> {
  const { buffers, ...places } = samplesFor(context);
  const clips: Clip[] = [];
  try {
    const samples = { buffers, ...places };
    // First long loops in few workgroups, then the usual number of workgroups.
    const { grid } = context;
    for (const row of [{ ...grid, normWorkgroups: 1, scaleWorkgroups: 1 }, grid]) {
      context.grid = row;
      try {
        clips.push(prepare(buffers, clipByGlobalNorm(BOUND)));
      } finally {
        context.grid = grid;
      }
    }
    await Promise.all(clips.map(({ ready }) => ready));
    // All trials together: waiting for a copy takes long, a step does not.
    const values = TRIALS.map((trial, i) => valuesOf(trial, samples, i));
    const outcomes = clips.flatMap((clip) =>
      TRIALS.map((trial, i) => {
        const outcome = check(trial, context, clip, samples, values[i] as Values);
        ignoreRejection(outcome);
        return outcome;
      }),
    );
    await Promise.all(outcomes);
  } catch (error) {
    if (error instanceof NoWebGPUError || error instanceof DeviceLostError) throw error;
    throw failed(String(error).split("\n")[0] ?? "", error);
  } finally {
    for (const clip of clips) clip.destroy();
    for (const buffer of buffers) buffer.destroy();
  }
}

function failed(fact: string, cause?: unknown): NoWebGPUError {
  const message = `This GPU failed gradclip's self-test (${fact}); update its driver, or use the CPU.`;
  return new NoWebGPUError("self-test", message, { cause });
}

/** For each binding of the kernels with 16-byte and with 4-byte words: whole tiles (many in the last binding), and a rest. */
function samplesFor({ device, slots, grid: { lanes } }: DeviceContext): Samples {
  const lengths = [16_424, 4131].flatMap((last, i) => [...Array<number>(slots - 1).fill(1336 + i), last]);
  const starts: number[] = [];
  let count = 0;
  for (const length of lengths) {
    starts.push(count);
    count += length;
  }
  // The clip that uses them reports any error here.
  const { made: buffers } = watched(device, () =>
    lengths.map((length) =>
      device.createBuffer({ label: "gradclip self-test", size: 4 * length, usage: STORAGE | COPY_DST | COPY_SRC }),
    ),
  );
  return { buffers, starts, count, lanes };
}

/** Submits a trial immediately; compares later. */
async function check(
  trial: Trial,
  context: DeviceContext,
  clip: Clip,
  samples: Samples,
  values: Values,
): Promise<void> {
  const { norm, gradScale, ...wanted } = answerOf(trial, values);
  const { maxNorm = norm } = trial;
  const { buffers, starts } = samples;
  const { device } = context;
  watched(device, () => {
    buffers.forEach((buffer, i) => {
      device.queue.writeBuffer(buffer, 0, values, starts[i], buffer.size / 4);
    });
    const encoder = device.createCommandEncoder({ label: "gradclip self-test" });
    if (trial.doubledFirst) {
      clip.set({ maxNorm: Infinity, gradScale: 2 });
      clip.encode(encoder);
    }
    clip.set({ maxNorm, gradScale });
    clip.encode(encoder);
    device.queue.submit([encoder.finish()]);
  });
  const sources = [clip.record as GPUBuffer, ...buffers].map((buffer) => ({ buffer }));
  const reported = clip.report();
  ignoreRejection(reported);
  const [record, ...copies] = (await readBack(context, sources)) as [DataView, ...DataView[]];
  // No error reports a step that did not run.
  if (record.getUint32(recordAt.steps, true) === 0) throw failed(`${trial.name}: no step was taken`);
  const report = await reported;
  const flags = record.getUint32(recordAt.flags, true);
  compare(trial.name, { ...report, ...report.firstNonFinite, flags }, { norm, ...wanted, ...firstOf(trial, samples) });
  const scale = wanted.scale * (trial.doubledFirst ? 2 : 1);
  copies.forEach((copy, i) => {
    for (let k = 0; k < copy.byteLength; k += 4) {
      const got = copy.getFloat32(k, true);
      const want = trial.nonFinite ? 0 : (values[(starts[i] as number) + k / 4] as number) * scale;
      // The scale and the product may be rounded either way.
      if (!(Math.abs(got - want) <= (scale === 1 ? 0 : Math.abs(want) * 2 ** -22))) {
        throw failed(`${trial.name}: ${got} instead of ${want} in buffer ${i}, element ${k / 4}`);
      }
    }
  });
}

/** The first non-finite value, as a report must name it. */
function firstOf({ nonFinite }: Trial, samples: Samples): Record<string, number> {
  const place = nonFinite?.at(samples)[0];
  if (place === undefined) return {};
  const index = samples.starts.filter((start) => start <= place).length - 1;
  return { index, element: place - (samples.starts[index] as number) };
}

function compare(name: string, got: object, expected: Record<string, number | boolean>): void {
  for (const [key, want] of Object.entries(expected)) {
    const value = (got as typeof expected)[key];
    // The last bit of a quotient is not specified.
    const isSame =
      key === "scale" ? Math.abs(Number(value) - Number(want)) <= Number(want) * 2 ** -23 : Object.is(value, want);
    if (!isSame) throw failed(`${name}: ${key} ${value} instead of ${want}`);
  }
}

/** Values whose squares are exact, and sums of the squares too, in any order. Their norm must be right to the bit. */
function valuesOf({ power = 0, boostEvery, nonFinite }: Trial, samples: Samples, seed: number): Values {
  let random = seed + 1;
  const values = new Float32Array(samples.count);
  // Float32Array.from would take ten times as long.
  for (let i = 0; i < values.length; i++) {
    random = Math.imul(random, 1_664_525) + 1_013_904_223;
    const quarters = (random >>> 28) + 1;
    const boost = boostEvery && i % boostEvery === 0 ? 64 : 1;
    values[i] = (random & 0x8000000 ? -quarters : quarters) * boost * 2 ** (power - 2);
  }
  const words = new Uint32Array(values.buffer);
  for (const [n, place] of (nonFinite?.at(samples) ?? []).entries()) {
    words[place] = nonFinite?.bits[n % nonFinite.bits.length] as number;
  }
  return values;
}

/** The right answer, computed in float64 and in units of 2^power, where nothing overflows. */
function answerOf({ power = 0, maxNorm, gradScale = 1, doubledFirst, nonFinite }: Trial, values: Float32Array) {
  const unit = 2 ** power;
  const before = doubledFirst ? 2 : 1;
  let [sum, maxAbs, count] = [0, 0, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) count += 1;
    sum += (value / unit) ** 2;
    maxAbs = Math.max(maxAbs, Math.abs(value));
  }
  const exact = Math.sqrt(sum) * before;
  const norm = Math.fround(Math.fround(exact) * gradScale) * unit;
  const clipped = !nonFinite && norm > (maxNorm ?? norm);
  return {
    norm,
    gradScale,
    scale: nonFinite ? 0 : clipped ? (maxNorm as number) / unit / exact : gradScale,
    clipped,
    flags: clipped ? CLIPPED : nonFinite ? SKIP + (Number.isNaN(sum) ? NAN_SEEN : INFINITY_SEEN) : 0,
    nonFinite: count,
    maxAbs: Math.fround(maxAbs * before * gradScale),
    steps: before,
    clippedSteps: clipped ? 1 : 0,
    skippedSteps: nonFinite ? 1 : 0,
  };
}
