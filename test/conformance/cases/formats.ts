/** float16 and bfloat16: every way to begin and end in the middle of a word, and whatever shares one. */
import { clipByGlobalNorm } from "../../../src/index.ts";
import { clipTo, dependentOn, measured, packed, range, tensor, unit } from "../build.ts";
import { fail, refuses, same, untouched } from "../expect.ts";
import { HALVES, type Half, half, NOT_FINITE, POLICIES, placed, random, repeated } from "../halves.ts";
import { STORAGE } from "../harness-webgpu.ts";
import { GUARD_BYTES } from "../memory.ts";
import { bits16From, randomBits, randomBits16, randomSource } from "../numbers.ts";
import { ONE_WORKGROUP, planned } from "../plans.ts";
import { referenceGlobalNorm } from "../reference.ts";
import { perMember, perTensor } from "../rules.ts";
import type { Case, ForcedPlan, Tensor, Unit } from "../types.ts";
import { clippedBy } from "./norms.ts";

const OFFSETS = range(17, 1).map((step) => 2 * step);

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

/** Tensors whose members begin and end in the middle of a word. */
function stacked(dtype: Half, members: number): Tensor[] {
  const list = [1, 3, 5, 64, 127, 4].map((length, index) =>
    randomBits16(dtype, members * length, index, 0.25 * (index + 1)),
  );
  return packed(list, GUARD_BYTES + 2, 0, "arena", dtype);
}

const FORCED: readonly ForcedPlan[] = [
  ONE_WORKGROUP,
  { grid: { lanes: 64, minTiles: 1, normWorkgroups: 512, scaleWorkgroups: 1024, finishLanes: 256 } },
  { maxBinding: 4096 },
  { maxBinding: 65_536 },
];

// Halves in tens of thousands are cheap, buffers are not.
const casesOf = (dtype: Half): Case[] => [
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
      unit("neighbours", neighbours(dtype, 2), perTensor(4)),
      unit("neighbours, shuffled", shuffled(neighbours(dtype, 2), 8), perTensor(4)),
      unit("own buffers", separate(neighbours(dtype, 0)), perTensor(0.5)),
      ...[2, 3, 7].flatMap((members) => [
        unit(`${members} members`, stacked(dtype, members), perMember(6, members)),
        unit(`${members} members, shuffled`, shuffled(stacked(dtype, members), 9), perMember(0.5, members)),
      ]),
    ],
  },
  ...FORCED.map((plan) => planned(`${dtype}, 30,011 elements, ${JSON.stringify(plan)}`, plan, () => longUnits(dtype))),
];

const refusalsOf = (dtype: Half): Case[] => [
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
  ...dependentOn("compiler", HALVES.flatMap(casesOf)),
  ...HALVES.flatMap(refusalsOf),
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
          unit("each by its own norm", shuffled(together, seed), perTensor(3)),
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
      for (const type of [Int16Array, Uint32Array, Float32Array, DataView] as (new (
        memory: ArrayBuffer,
      ) => ArrayBufferView)[]) {
        const buffer = new type(new ArrayBuffer(8));
        refuses(() => prepare([{ buffer, dtype: "f16" }]), [TypeError], `float16 in a ${type.name}`);
      }
      const types = [Uint16Array, Uint8Array, Float16Array];
      for (const type of types) {
        if (!type) continue;
        const memory = new ArrayBuffer(8);
        new Uint16Array(memory).set(bits16From("f16", [300, 400, 0, 0]));
        const buffer = new (type as typeof Uint8Array)(memory);
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
