/** float16 and bfloat16: every bit pattern, every way to begin and end in the middle of a word, and whatever shares one. */
import { clipByGlobalNorm, clipByNorm, measureNorm } from "../../../src/index.ts";
import { clipTo, guarded, measured, packed, range, tensor, unit } from "../build.ts";
import { fail, near, refuses, same, untouched } from "../expect.ts";
import { COPY_DST, COPY_SRC, STORAGE } from "../harness-webgpu.ts";
import { GUARD_BYTES } from "../memory.ts";
import { bits16From, FLT_MAX, number16, randomBits, randomBits16, randomSource, valuesOf } from "../numbers.ts";
import { RECORD_BYTES, readRecord } from "../record.ts";
import { referenceGlobalNorm, referenceMeasure } from "../reference.ts";
import { runUnits } from "../suite.ts";
import type { Case, Content, Expected, Harness, Rule, Tensor, Unit, WebGpuHarness } from "../types.ts";
import { clippedBy } from "./norms.ts";

type Half = "f16" | "bf16";

const HALVES: readonly Half[] = ["f16", "bf16"];
const POLICIES = ["zero", "keep", "propagate"] as const;
const PATTERNS = Uint16Array.from(range(2 ** 16));
const OFFSETS = range(17, 1).map((step) => 2 * step);
/** Infinities, quiet and signalling NaN of both signs. */
const NOT_FINITE = {
  f16: [0x7c00, 0xfc00, 0x7e00, 0x7c01, 0xffff],
  bf16: [0x7f80, 0xff80, 0x7fc0, 0x7f81, 0xffff],
} as const;

function half(dtype: Half, values: ArrayLike<number>, extras: Partial<Tensor> = {}): Tensor {
  return { bits: bits16From(dtype, values), dtype, ...extras };
}

function repeated(dtype: Half, value: number, length: number): Tensor {
  return { bits: new Uint16Array(length).fill(bits16From(dtype, [value])[0] as number), dtype };
}

/** At a byte of a memory, between guards. */
function placed(dtype: Half, bits: Uint16Array, byteOffset: number, memory?: string): Tensor {
  return guarded(bits, GUARD_BYTES + byteOffset, memory, dtype);
}

function random(dtype: Half, length: number, seed: number, byteOffset: number): Tensor {
  return placed(dtype, randomBits16(dtype, length, seed), byteOffset);
}

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

// Beginnings and ends

/** The last element is large, so that a lost tail shows in the norm as well as in the bytes. */
function lengthUnits(dtype: Half, byteOffset: number): Unit[] {
  return range(70, 1).map((length) => {
    const bits = randomBits16(dtype, length, length);
    bits.set(bits16From(dtype, [10]), length - 1);
    const bound = length % 5 === 0 ? 1000 : 2;
    return unit(`${length} elements`, [placed(dtype, bits, byteOffset)], clipTo(bound), {
      want: { clipped: bound === 2 },
    });
  });
}

function intoUnits(dtype: Half, from: number): Unit[] {
  return [0, 2, 4, 6, 14, 16].flatMap((to) => {
    return [1, 2, 3, 8, 37].flatMap((length) => {
      const item = random(dtype, length, length, from);
      const elsewhere = { ...item, into: { memory: "target", byteOffset: GUARD_BYTES + to } };
      const sameBuffer = { ...item, into: { memory: "arena", byteOffset: 4096 + to } };
      const label = `${length} elements, ${from} to ${to}`;
      return [
        unit(label, [elsewhere], clipTo(0.125)),
        unit(`${label}, under the bound`, [elsewhere], clipTo(1000)),
        unit(`${label}, one buffer`, [sameBuffer], clipTo(0.125)),
      ];
    });
  });
}

// Neighbours

const UNEVEN = [1, 2, 3, 1, 1, 5, 7, 64, 65, 1, 255, 256, 257, 4, 1023, 1, 1, 8];

function neighbours(dtype: Half, byteOffset: number, gap = 0, memory?: string): Tensor[] {
  const list = UNEVEN.map((length, index) => randomBits16(dtype, length, index + 1));
  return packed(list, GUARD_BYTES + byteOffset, gap, memory, dtype);
}

function shuffled<T>(list: readonly T[], seed: number): T[] {
  const next = randomSource(seed);
  const keyed = list.map((item) => ({ item, key: next() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

function neighbourUnits(dtype: Half, byteOffset: number): Unit[] {
  const all = neighbours(dtype, byteOffset);
  const others = neighbours(dtype, byteOffset, 2, "other");
  const targets = neighbours(dtype, 2, 0, "target");
  const moved = all.map((item, index) => ({ ...item, into: targets[index]?.place }));
  const lists: [string, Tensor[]][] = [
    ["in order", all],
    ["backwards", [...all].reverse()],
    ["shuffled", shuffled(all, 1)],
    ["shuffled otherwise", shuffled(all, 2)],
    ["every other one", all.filter((_, index) => index % 2 === 0)],
    ["the ones between", all.filter((_, index) => index % 2 === 1)],
    ["one element apart", others],
    ["in turn with another buffer", all.flatMap((item, index) => [item, others[index] as Tensor])],
    ["some twice", [...all, ...all.slice(3, 9), ...shuffled(all, 3)]],
    ["into neighbours", moved],
    ["into neighbours, shuffled", shuffled(moved, 4)],
    ["every other one into neighbours", moved.map((item, index) => (index % 2 ? item : (all[index] as Tensor)))],
  ];
  return lists.flatMap(([label, list]) => [
    unit(`${label}, clipped`, list, clipTo(1)),
    unit(`${label}, under the bound`, list, clipTo(1e4)),
  ]);
}

/** Single elements, side by side: each shares its word. */
function singles(dtype: Half, byteOffset: number): Unit[] {
  const all = packed(
    range(100).map((index) => randomBits16(dtype, 1, index)),
    GUARD_BYTES + byteOffset,
    0,
    "arena",
    dtype,
  );
  return [
    unit("in order", all, clipTo(1)),
    unit("shuffled", shuffled(all, 5), clipTo(1)),
    unit("every third", shuffled(all, 6).slice(0, 33), clipTo(1)),
  ];
}

/** float32, float16 and bfloat16 next to each other in one memory, 16-bit neighbours within a word. */
function mixture(count: number, seed: number): Tensor[] {
  let at = GUARD_BYTES + 2;
  return range(count).map((index) => {
    const dtype = (["f16", "bf16", "f16", "f32", "bf16"] as const)[index % 5] as Half | "f32";
    const length = 1 + ((index * 37 + seed) % 90);
    const bits = dtype === "f32" ? randomBits(length, index) : randomBits16(dtype, length, index);
    if (dtype === "f32") at += at % 4;
    const place = { memory: "arena", byteOffset: at };
    at += bits.byteLength;
    return { bits, dtype, place };
  });
}

function separate(tensors: readonly Tensor[]): Tensor[] {
  return tensors.map(({ bits, dtype }) => ({ bits, dtype }));
}

// Non-finite values

function faultUnits(dtype: Half): Unit[] {
  return NOT_FINITE[dtype].flatMap((pattern) => {
    return [0, 2, 6].flatMap((byteOffset) => {
      return [0, 1, 2, 17, 2046, 2047, 2048].map((at, index) => {
        const bits = randomBits16(dtype, 2049, at);
        bits[at] = pattern;
        const options = { nonFinite: POLICIES[index % 3] };
        const label = `0x${pattern.toString(16)} at ${at}, from byte ${byteOffset}, ${options.nonFinite}`;
        return unit(label, [random(dtype, 3, 1, 8192), placed(dtype, bits, byteOffset)], clipTo(1), { options });
      });
    });
  });
}

function combinations(dtype: Half): Unit[] {
  const finite = randomBits16(dtype, 131, 1, 3);
  const bad = finite.slice().fill(NOT_FINITE[dtype][3], 64, 65);
  return [finite, bad].flatMap((bits) => {
    return POLICIES.flatMap((nonFinite) => {
      return (["scale", "record"] as const).flatMap((apply) => {
        return [undefined, 2 ** -16, 0.375, 3].flatMap((gradScale) => {
          return [0, 0.5, 1e4].map((bound) => {
            const options = { nonFinite, apply, ...(gradScale ? { gradScale } : {}) };
            const label = `${bits === bad ? "NaN" : "finite"}, ${nonFinite}, ${apply}, ${gradScale}, bound ${bound}`;
            return unit(label, [placed(dtype, bits, 2), random(dtype, 64, 2, 512)], clipTo(bound), { options });
          });
        });
      });
    });
  });
}

/** However the work is cut: pieces and workgroups that meet in the middle of a word. */
function longUnits(dtype: Half): Unit[] {
  const long = (seed: number) => randomBits16(dtype, 30_011, seed);
  const bad = long(1);
  for (const [at, pattern] of [[29_999, NOT_FINITE[dtype][3]] as const, [12_000, NOT_FINITE[dtype][0]] as const]) {
    bad[at] = pattern;
  }
  const into = { memory: "target", byteOffset: GUARD_BYTES };
  return [
    unit("vectors", [placed(dtype, long(2), 0)], clipTo(1)),
    unit("from the middle of a word", [placed(dtype, long(3), 2)], clipTo(1)),
    unit("neighbours", packed([long(4), long(5), long(6)], GUARD_BYTES + 2, 0, "arena", dtype), clipTo(1)),
    unit("backwards", packed([long(4), long(5), long(6)], GUARD_BYTES + 2, 0, "arena", dtype).reverse(), clipTo(1)),
    unit("into the other half", [{ ...placed(dtype, long(7), 2), into }], clipTo(1)),
    unit("non-finite", [placed(dtype, bad, 2)], clipTo(1)),
    unit("mixed", mixture(60, 3), clipTo(1)),
  ];
}

/** What is multiplied by a factor for each of the equal parts of every tensor. */
function partly(unit: Unit, parts: number, factorOf: (values: readonly number[], part: number) => number): Expected {
  let clipped = false;
  const contents = unit.tensors.map((item): Content | null => {
    if (!item) return null;
    const values = Array.from(valuesOf(item));
    const length = values.length / parts;
    const factors = range(parts).map((part) => factorOf(values.slice(part * length, (part + 1) * length), part));
    if (factors.every((factor) => factor === 1)) return { bits: item.bits };
    clipped = true;
    return { values: Float64Array.from(values, (value, i) => value * (factors[Math.floor(i / length)] as number)) };
  });
  return { ...referenceMeasure(unit), scale: undefined, clipped, contents };
}

function l2(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

function eachClippedTo(bound: number): Rule {
  const factorOf = (values: readonly number[]) => Math.min(1, bound / l2(values));
  return { method: clipByNorm(bound), expected: (unit) => partly(unit, 1, factorOf) };
}

function membersClippedTo(bound: number, members: number): Rule {
  return {
    method: clipByGlobalNorm(bound, { members }),
    expected: (unit) => {
      const of = (values: ArrayLike<number>, member: number) => {
        const length = values.length / members;
        return Array.from(values).slice(member * length, (member + 1) * length);
      };
      const norms = range(members).map((member) =>
        l2(unit.tensors.flatMap((item) => (item ? of(valuesOf(item), member) : []))),
      );
      return partly(unit, members, (_, member) => Math.min(1, bound / (norms[member] as number)));
    },
  };
}

/** Tensors whose members begin and end in the middle of a word. */
function stacked(dtype: Half, members: number): Tensor[] {
  const list = [1, 3, 5, 64, 127, 4].map((length, index) =>
    randomBits16(dtype, members * length, index, 0.25 * (index + 1)),
  );
  return packed(list, GUARD_BYTES + 2, 0, "arena", dtype);
}

const FORCED = [
  { grid: { lanes: 64, tiles: 1, norm: 1, scale: 1 } },
  { grid: { lanes: 64, tiles: 1, norm: 512, scale: 1024 } },
  { maxBinding: 4096 },
  { maxBinding: 65_536 },
];

// Halves in tens of thousands are cheap, buffers are not.
const casesOf = (dtype: Half): Case[] => [
  ...normCases(dtype),
  ...scaleCases(dtype),
  {
    name: `${dtype}, every pattern, NaN payloads too: kept, zeroed, propagated, counted`,
    units: () => payloadUnits(dtype),
  },
  ...OFFSETS.map((at) => ({ name: `${dtype}, lengths 1 to 70 from byte ${at}`, units: () => lengthUnits(dtype, at) })),
  { name: `${dtype}, into other places`, units: () => [0, 2, 4, 6, 18, 30].flatMap((from) => intoUnits(dtype, from)) },
  {
    name: `${dtype}, neighbours that share words`,
    units: () => [0, 2, 4, 14].flatMap((at) => neighbourUnits(dtype, at)),
  },
  { name: `${dtype}, single elements side by side`, units: () => [0, 2].flatMap((at) => singles(dtype, at)) },
  { name: `${dtype}, non-finite values wherever they are`, units: () => faultUnits(dtype) },
  { name: `${dtype}, every policy, what to apply, gradScale and bound`, units: () => combinations(dtype) },
  {
    name: `${dtype}, buffers of their own, some padded`,
    units: () =>
      [...range(20, 1), 255, 256, 257, 4095, 4097].map((length) => {
        return unit(`${length} elements`, [{ bits: randomBits16(dtype, length, length), dtype }], clipTo(0.25));
      }),
  },
  {
    name: `${dtype}, lists of 100`,
    units: () => {
      const list = range(100).map((index) => randomBits16(dtype, 1 + ((index * 89) % 300), index));
      const own = list.map((bits, index) => ({ bits, dtype, name: `parameter ${index}` }));
      const bad = own.map((item, index) =>
        index === 77 ? { ...item, bits: item.bits.slice().fill(NOT_FINITE[dtype][1], -1) } : item,
      );
      return [
        unit("buffers of their own", own, clipTo(1)),
        unit("by name, with an infinity", bad, clipTo(1), { named: true }),
        unit("in one memory", packed(list, GUARD_BYTES, 0, "arena", dtype), clipTo(1)),
        unit("in one memory, with gaps, shuffled", shuffled(packed(list, 2, 6, "arena", dtype), 7), clipTo(1)),
      ];
    },
  },
  { name: `${dtype}, 30,011 elements`, units: () => longUnits(dtype) },
  {
    name: `${dtype}, other norms`,
    units: () =>
      [1, 3, Infinity].flatMap((p) =>
        [0, 2].map((at) => unit(`${p}, from ${at}`, neighbours(dtype, at), clippedBy(2, p))),
      ),
  },
  {
    name: `${dtype}, each by its own norm, members too`,
    units: () => [
      unit("neighbours", neighbours(dtype, 2), eachClippedTo(4)),
      unit("neighbours, shuffled", shuffled(neighbours(dtype, 2), 8), eachClippedTo(4)),
      unit("own buffers", separate(neighbours(dtype, 0)), eachClippedTo(0.5)),
      ...[2, 3, 7].flatMap((members) => [
        unit(`${members} members`, stacked(dtype, members), membersClippedTo(6, members)),
        unit(`${members} members, shuffled`, shuffled(stacked(dtype, members), 9), membersClippedTo(0.5, members)),
      ]),
    ],
  },
  ...FORCED.map((plan) => ({
    name: `${dtype}, 30,011 elements, ${JSON.stringify(plan)}`,
    gpuScript: async (harness: WebGpuHarness) => {
      harness.force(plan);
      await runUnits(longUnits(dtype), harness);
    },
  })),
  {
    name: `${dtype}, wrong offsets and dtypes`,
    script: async ({ allocate, prepare, backend }) => {
      const other = dtype === "f16" ? "bf16" : "f16";
      const memory = allocate([random(dtype, 5, 1, 2), half(dtype, [1, 2, 3, 4])]);
      const [view, own] = memory.gradients as { buffer: GPUBuffer; byteOffset: number; length: number }[];
      if (!view || !own) fail("no views");
      refuses(() => prepare([{ ...view, byteOffset: 3 }]), [RangeError], "an odd byteOffset");
      refuses(() => prepare([{ ...own, length: 5 }]), [RangeError], "a length beyond the buffer");
      refuses(() => prepare([{ ...view, dtype, into: { ...own, byteOffset: 1 } } as never]), [TypeError], "an into");
      refuses(() => prepare([view, { ...view, dtype: other }]), [RangeError], "one range with two dtypes");
      refuses(() => prepare([view, { ...view, byteOffset: view.byteOffset + 2 }]), [RangeError], "an overlap");
      refuses(() => prepare([{ ...view, dtype: "float16" as never }]), [TypeError], "an unknown dtype");
      const clip = prepare([own], clipByGlobalNorm(1));
      const target = backend === "cpu" ? undefined : [{ ...own, dtype: other as Half }];
      refuses(() => clip.run(target ?? [{ ...own, dtype: other }]), [RangeError], "gradients of another dtype");
      await untouched(memory);
    },
  },
];

export const cases: Case[] = [
  ...HALVES.flatMap(casesOf),
  {
    name: "answers by hand",
    units: () => [
      unit("[300]", [half("f16", [300])], clipTo(1), {
        want: { norm: 300, scale: 1 / 300, clipped: true, values: [[1]] },
        exact: true,
      }),
      unit("[300] with eps", [half("f16", [300])], {
        method: clipByGlobalNorm(1, { eps: 1e-8 }),
        expected: (subject) => referenceGlobalNorm(subject, 1),
      }),
      unit("[3, 4] in bf16", [half("bf16", [3, 4])], clipTo(1), {
        want: { norm: 5, values: [[0.6015625, 0.80078125]] },
      }),
      unit("[300, 400] as two formats", [half("f16", [300]), half("bf16", [400])], clipTo(5), {
        want: { norm: 500, values: [[3], [4]] },
      }),
      unit("65,504 a million times", [repeated("f16", 65_504, 1e6)], clipTo(1000), {
        want: { norm: 65_504_000, maxAbs: 65_504 },
      }),
      unit("the smallest subnormal a million times", [repeated("f16", 2 ** -24, 1e6)], measured(), {
        want: { norm: 1000 * 2 ** -24, maxAbs: 2 ** -24 },
      }),
      unit("the smallest subnormal bfloat16", [repeated("bf16", 2 ** -133, 1e4)], measured(), {
        want: { norm: 100 * 2 ** -133 },
      }),
      unit("the largest bfloat16", [repeated("bf16", 3.3895313892515355e38, 1e4)], clipTo(100), {
        want: { norm: 3.3895313892515355e40, values: [Array(1e4).fill(1)] },
      }),
      unit("beyond float16's largest", [half("f16", [65_504, -60_000, 32_000])], clipTo(Infinity), {
        options: { gradScale: 2 },
        want: { values: [[Infinity, -Infinity, 64_000]] },
      }),
    ],
  },
  {
    name: "at the bound exactly, and just above it",
    units: () =>
      HALVES.flatMap((dtype) => [
        unit("at", [half(dtype, [3, 4, 12])], clipTo(13), { exact: true, want: { clipped: false, scale: 1 } }),
        unit("above", [half(dtype, [3, 4, 12])], clipTo(Math.fround(12.999999)), {
          exact: true,
          want: { clipped: true },
        }),
      ]),
  },
  {
    name: "three dtypes in one clip share the norm",
    units: () =>
      [1, 2, 3].flatMap((seed) => {
        const together = mixture(40, seed);
        const bad = together.map((item, index) =>
          index === 26 ? { ...item, bits: item.bits.slice().fill(NOT_FINITE.bf16[3], -1) } : item,
        );
        return [
          unit("in one memory", together, clipTo(1)),
          unit("in one memory, shuffled", shuffled(together, seed), clipTo(1)),
          unit("half of them", shuffled(together, seed).slice(20), clipTo(1)),
          unit("under the bound", together, clipTo(1000)),
          unit("buffers of their own", separate(together), clipTo(1)),
          unit("with a NaN", bad, clipTo(1)),
          unit("each by its own norm", shuffled(together, seed), eachClippedTo(3)),
          unit("with gradScale", together, clipTo(1000), { options: { gradScale: 2 ** -7 } }),
          unit("float32 and float16 alone", [tensor([3]), half("f16", [4])], clipTo(1), { want: { norm: 5 } }),
        ];
      }),
  },
  {
    name: "buffers whose size is no multiple of 4",
    gpuScript: async ({ device, prepare }) => {
      const buffer = device.createBuffer({ size: 6, usage: STORAGE });
      for (const dtype of HALVES) {
        refuses(() => prepare([{ buffer, dtype }]), [RangeError], "3 elements in 6 bytes");
        refuses(() => prepare([{ buffer, dtype, byteOffset: 4, length: 1 }]), [RangeError], "the third of them");
        prepare([{ buffer, dtype, length: 2 }]).run();
      }
      buffer.destroy();
    },
  },
  {
    name: "arrays of many types hold 16-bit elements",
    only: "cpu",
    script: async ({ prepare }) => {
      const bare = new Uint16Array([0x3c00]);
      refuses(() => prepare([bare as never]), [TypeError], "a bare Uint16Array");
      refuses(() => prepare([{ buffer: bare }]), [TypeError], "a Uint16Array without a dtype");
      const { Float16Array } = globalThis as { Float16Array?: new (length: number) => Uint16Array };
      const types = [Uint16Array, Int16Array, Uint8Array, Uint32Array, DataView, Float16Array];
      for (const type of types) {
        if (!type) continue;
        const memory = new ArrayBuffer(8);
        new Uint16Array(memory).set(bits16From("f16", [300, 400, 0, 0]));
        const buffer = type === DataView ? new DataView(memory) : new (type as typeof Uint8Array)(memory);
        const clip = prepare([{ buffer, dtype: "f16" }], clipByGlobalNorm(5));
        clip.run();
        same((await clip.report()).norm, 500, `norm in a ${type.name}`);
        same(new Uint16Array(memory)[0], bits16From("f16", [3])[0], `3 in a ${type.name}`);
        same(new Uint16Array(memory)[1], bits16From("f16", [4])[0], `4 in a ${type.name}`);
      }
    },
  },
  {
    name: "subarrays",
    only: "cpu",
    units: () =>
      HALVES.flatMap((dtype) => [
        unit(
          dtype,
          neighbours(dtype, 2).map((item) => ({ ...item, subarray: true as const })),
          clipTo(1),
        ),
      ]),
  },
];
