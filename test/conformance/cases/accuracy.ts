/** Sums whose rounding errors all have the same sign: the norm stays within 2 ULP, and what is clipped within 4e-7 of the bound. */
import { clipByGlobalNorm } from "../../../src/index.ts";
import { gridTable } from "../../../src/webgpu/grid.ts";
import { dependentOn, range } from "../build.ts";
import { fail, near } from "../expect.ts";
import { FLT_MAX, floatsOf, randomSource } from "../numbers.ts";
import type { Case, Harness } from "../types.ts";

const ULPS = 2;
const ABOVE = 4e-7;
const BOUND = 1;

interface Sample {
  readonly label: string;
  readonly values: Float32Array<ArrayBuffer>;
  readonly p: 1 | 2;
}

function equal(count: number, value: number, p: 1 | 2): Sample {
  return { label: `L${p} of ${count} times ${value}`, values: new Float32Array(count).fill(value), p };
}

/** Numbers from 2^power to 2^(power + 1): every `step`-th first byte of a mantissa, the other bits always the same and not 0. */
function bytes(power: number, step: number): number[] {
  return range(256 / step).map((k) => (1 + (step * k) / 256 + 0x5a5b / 2 ** 23) * 2 ** power);
}

/** As a pattern that repeats, other values in each part of a word. */
function repeated(count: number, pattern: readonly number[], p: 1 | 2): Sample {
  const values = Float32Array.from({ length: count }, (_, i) => pattern[i % pattern.length] as number);
  return { label: `L${p} of ${count}, by turns ${pattern}`, values, p };
}

function halfNormal(count: number, unit: number): Sample {
  const random = randomSource(5);
  const values = new Float32Array(count).map(() => {
    const radius = Math.sqrt(-2 * Math.log(Math.abs(random())));
    return unit * Math.abs(radius * Math.cos(Math.PI * random()));
  });
  return { label: `half normal, ${count} times ${unit}`, values, p: 2 };
}

function normOf(values: Float32Array, p: 1 | 2): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.abs(values[i] as number) ** p;
  return sum ** (1 / p);
}

async function check(harness: Harness, { label, values, p }: Sample): Promise<void> {
  const memory = harness.allocate([{ bits: new Uint32Array(values.buffer) }]);
  const clip = harness.prepare(memory.gradients, clipByGlobalNorm(BOUND, { normType: p }));
  await clip.ready;
  clip.run();
  const { norm } = await clip.report();
  near(norm, normOf(values, p), ULPS, `${label}: norm`);
  for (const words of (await memory.read()).values()) {
    const after = normOf(floatsOf(words), p);
    if (!(after <= BOUND * (1 + ABOVE))) fail(`${label}: the norm after clipping is ${after}`);
  }
  harness.release();
}

const LANES = [4, 64] as const;

/** One workgroup, so that few values make a long chain. */
function oneWorkgroup(lanes: number) {
  return { lanes, minTiles: 1, normWorkgroups: 1, scaleWorkgroups: 8, finishLanes: lanes === 4 ? 4 : 256 };
}

/** With 4 lanes as many as one workgroup takes. */
function plainCount(lanes: number): number {
  return lanes === 4 ? 51_200 * lanes : 4096 * lanes;
}

/** A plain sum of eight at a time, added up with 32 bits, is 2.9 ULP off for the first of them and 1.7 for the last. */
const BY_TURNS = [
  [7.661134719848633, 1.164415717124939, 7.862977981567383, 1.0455411672592163],
  [4.695458889007568, 7.10008430480957, 5.8316473960876465, 2.5595803260803223],
  [5.390430450439453, 2.3918933868408203, 5.48327112197876, 1.6888302564620972],
];

function cases4and64(name: string, samples: (lanes: number) => Sample[]): Case[] {
  return LANES.map((lanes) => ({
    name: `${name}, ${lanes} lanes`,
    gpuScript: async (harness) => {
      for (const sample of samples(lanes)) {
        harness.force({ grid: oneWorkgroup(lanes) });
        await check(harness, sample);
      }
    },
  }));
}

export const cases: Case[] = dependentOn("compiler", [
  // A lane has 4,096 values.
  ...cases4and64(
    "equal values with every mantissa byte (64 lanes: every sixteenth), values beyond float32's squares",
    (lanes) => bytes(60, lanes / 4).map((value) => equal(4096 * lanes, value, 2)),
  ),
  ...cases4and64("equal values with every eighth mantissa byte, sums of float32", (lanes) =>
    bytes(0, 8).flatMap((value) => [equal(plainCount(lanes), value, 1), equal(plainCount(lanes), value, 2)]),
  ),
  ...cases4and64("by turns four values, sums of float32", (lanes) =>
    BY_TURNS.flatMap((pattern) => [repeated(plainCount(lanes), pattern, 1), repeated(plainCount(lanes), pattern, 2)]),
  ),
  ...(["software", "discrete"] as const).map(
    (row): Case => ({
      name: `a million equal values, ${row}`,
      gpuScript: async (harness) => {
        const samples = [
          equal(1_000_000, FLT_MAX, 2),
          equal(917_504, 1841310066716704800, 2),
          equal(917_504, 1841310066716704800, 1),
        ];
        for (const sample of samples) {
          harness.force({ grid: gridTable[row] });
          await check(harness, sample);
        }
      },
    }),
  ),
  {
    name: "ten million half normal values times 1e-30",
    heavy: true,
    script: (harness) => check(harness, halfNormal(10_000_000, 1e-30)),
  },
]);
