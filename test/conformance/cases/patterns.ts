/** float16 and bfloat16: every bit pattern, measured, scaled and kept. */
import { measureNorm } from "../../../src/index.ts";
import { clipTo, dependentOn, range, unit } from "../build.ts";
import { fail, near, same } from "../expect.ts";
import { HALVES, type Half, PATTERNS, POLICIES, placed } from "../halves.ts";
import { COPY_DST, COPY_SRC, STORAGE } from "../harness-webgpu.ts";
import { GUARD_BYTES } from "../memory.ts";
import { FLT_MAX, number16 } from "../numbers.ts";
import { RECORD_BYTES, readRecord } from "../record.ts";
import type { Case, Harness, Tensor, Unit, WebGpuHarness } from "../types.ts";

// The norms of runs of patterns

/** Neighbouring patterns, so that none of them is lost in the sum of the others; and where they are put. */
interface Runs {
  readonly length: 1 | 32;
  readonly byteOffset: number;
  /** The first pattern of each run. */
  readonly firsts: readonly number[];
}

function viewsOf<T>(buffer: T, dtype: Half, { length, byteOffset }: Runs) {
  // A single pattern stays in its half of a word; in the other is another one.
  return [0, 2].map((step) => ({ buffer, dtype, length, byteOffset: byteOffset + (length === 1 ? step : 0) }));
}

function checkNorms(dtype: Half, { length, firsts }: Runs, norms: readonly number[]): void {
  same(norms.length, firsts.length, "norms");
  firsts.forEach((first, i) => {
    const values = range(length, first).map((pattern) => number16(dtype, pattern));
    let wanted = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
    // An infinity and a NaN: hypot would say infinity.
    if (values.some(Number.isNaN)) wanted = Number.NaN;
    near(norms[i], wanted, length === 1 ? 0 : 2, `norm of ${length} from 0x${first.toString(16)}`);
  });
}

async function normsOnCpu({ prepare }: Harness, dtype: Half, runs: Runs): Promise<number[]> {
  const buffer = new Uint16Array(64);
  const clips = viewsOf(buffer, dtype, runs).map((view) => prepare([view], measureNorm()));
  const norms: number[] = [];
  for (const first of runs.firsts) {
    const word = first - (first % 2);
    buffer.set(PATTERNS.subarray(word, word + Math.max(2, runs.length)), runs.byteOffset / 2);
    const clip = clips[first - word] ?? fail("no clip");
    clip.run();
    norms.push((await clip.report()).norm);
  }
  return norms;
}

async function normsOnGpu(harness: WebGpuHarness, dtype: Half, runs: Runs): Promise<number[]> {
  const { device, bufferOf, readBuffers, prepare } = harness;
  const patterns = bufferOf(new Uint32Array(PATTERNS.buffer), COPY_SRC);
  const buffer = bufferOf(new Uint32Array(32), STORAGE | COPY_DST);
  const count = runs.firsts.length;
  const copies = bufferOf(new Uint32Array((count * RECORD_BYTES) / 4), COPY_DST | COPY_SRC);
  const clips = viewsOf(buffer, dtype, runs).map((view) => prepare([view], measureNorm()));
  const encoder = device.createCommandEncoder();
  runs.firsts.forEach((first, i) => {
    const word = first - (first % 2);
    encoder.copyBufferToBuffer(patterns, 2 * word, buffer, runs.byteOffset, 2 * Math.max(2, runs.length));
    const clip = clips[first - word] ?? fail("no clip");
    clip.encode(encoder);
    encoder.copyBufferToBuffer(clip.record ?? fail("no record"), 0, copies, i * RECORD_BYTES, RECORD_BYTES);
  });
  device.queue.submit([encoder.finish()]);
  const [words] = (await readBuffers([copies])) as [Uint32Array];
  return range(count).map((i) => {
    return readRecord(new Uint8Array(words.buffer, words.byteOffset + i * RECORD_BYTES, RECORD_BYTES)).norm;
  });
}

function normCases(dtype: Half): Case[] {
  const wholes = range(2 ** 11).map((run) => 32 * run);
  const cases: [string, Runs][] = [
    ["32 patterns at a time, as vectors", { length: 32, byteOffset: 16, firsts: wholes }],
    ["32 patterns at a time, word by word", { length: 32, byteOffset: 4, firsts: wholes }],
    // A software adapter takes a minute for all of them, and every pattern is in the runs of 32 and scaled below.
    ["patterns alone", { length: 1, byteOffset: 0, firsts: range(2 ** 16).filter((pattern) => pattern % 11 === 0) }],
  ];
  return [
    ...cases.map(([name, runs]) => ({
      name: `${dtype}, norm: ${name}`,
      script: async (harness: Harness) => {
        const onGpu = harness.backend === "webgpu";
        checkNorms(
          dtype,
          runs,
          await (onGpu ? normsOnGpu(harness as WebGpuHarness, dtype, runs) : normsOnCpu(harness, dtype, runs)),
        );
      },
    })),
    {
      name: `${dtype}, norm: every pattern alone`,
      only: "cpu",
      script: async (harness) => {
        const runs: Runs = { length: 1, byteOffset: 0, firsts: range(2 ** 16) };
        checkNorms(dtype, runs, await normsOnCpu(harness, dtype, runs));
      },
    },
  ];
}

// Every pattern scaled

/** All patterns that are finite, and stay within float32 when multiplied. */
function finitePatterns(dtype: Half, factor: number): Uint16Array {
  return PATTERNS.filter((pattern) => Math.abs(number16(dtype, pattern) * factor) <= FLT_MAX);
}

/** As vectors, word by word, and into places where words begin at the same and at the other half. */
function layouts(dtype: Half, bits: Uint16Array): [string, Tensor][] {
  const into = (from: number, to: number) => ({
    ...placed(dtype, bits, from, "source"),
    into: { memory: "target", byteOffset: GUARD_BYTES + to },
  });
  return [
    ["in place", placed(dtype, bits, 0)],
    ["in place at 2", placed(dtype, bits, 2)],
    ["into", into(0, 16)],
    ["into, 2 to 6", into(2, 6)],
    ["into, 0 to 2", into(0, 2)],
    ["into, 2 to 0", into(2, 0)],
  ];
}

const FACTORS = {
  f16: [2 ** -1, 0.75, 1 / 3, 0.1, 0.99999994, 2 ** -11, 3e-6, 1e-30, 1.0000001, 1.5, 1023.5, 70_000, 1e9],
  bf16: [2 ** -1, 0.75, 1 / 3, 0.1, 0.99999994, 2 ** -11, 1e-20, 1.2e-38, 1.0000001, 1.5, 1023.5, 1e20, 1e38],
} as const;

function scaleCases(dtype: Half): Case[] {
  return FACTORS[dtype].map((gradScale) => ({
    name: `${dtype}, every finite pattern times ${gradScale}`,
    units: () => {
      const bits = finitePatterns(dtype, gradScale);
      const some = gradScale < 1 ? layouts(dtype, bits) : layouts(dtype, bits).slice(0, 5);
      // 11 bits times 13.
      const exactProducts = Number.isInteger(gradScale * 2 ** 12) && gradScale < 2 ** 13;
      return some.map(([label, item]) => {
        return unit(label, [item], clipTo(Infinity), { options: { gradScale }, exactProducts });
      });
    },
  }));
}

function payloadUnits(dtype: Half): Unit[] {
  return layouts(dtype, PATTERNS).flatMap(([label, item]) =>
    POLICIES.map((nonFinite) => unit(`${label}, ${nonFinite}`, [item], clipTo(1), { options: { nonFinite } })),
  );
}

const casesOf = (dtype: Half): Case[] => [
  ...normCases(dtype),
  ...scaleCases(dtype),
  {
    name: `${dtype}, every pattern, NaN payloads too: kept, zeroed, propagated, counted`,
    units: () => payloadUnits(dtype),
  },
];

export const cases: Case[] = dependentOn("compiler", HALVES.flatMap(casesOf));
